"""The sound of the video that is being shown, for whoever hears it."""

import dataclasses
from typing import Any, Literal

from ego.media.sound import Samples, SoundDecoder, SoundReader
from ego.pipeline.needs import samples_of
from ego.sampling import Row, Window
from ego.video import Sound, Video


class Listener:
    """Gives rows their sound, one video after another; a track is decoded once for each rate that is asked for."""

    def __init__(self) -> None:
        self._decoders: dict[int, SoundDecoder] = {}
        self._readers: dict[int, SoundReader] = {}

    def take(self, video: Video, row: Row, window: Window, sound: Sound) -> Samples | None:
        """(samples,) float32 of a row; None where it does not exist, BadVideo where the sound ends too early."""
        if sound.rate not in self._readers:
            decoder = self._decoders.setdefault(sound.rate, SoundDecoder())
            self._readers[sound.rate] = decoder.open(video, sound.rate)
        reader = self._readers[sound.rate]
        edge: Literal["repeat", "drop"] = "drop" if window.edge == "drop" else "repeat"
        return reader.take(row.start, samples_of(window, sound), stop_seconds=row.stop, edge=edge)

    def finish(self) -> dict[str, Any]:
        """How the track was decoded, by rate; ready for the next video. BadVideo where too much is damaged."""
        readers, self._readers = self._readers, {}
        try:
            return {str(rate): dataclasses.asdict(reader.finish()) for rate, reader in readers.items()}
        finally:
            for reader in readers.values():
                reader.close()

    def leave(self) -> None:
        """The video is given up."""
        readers, self._readers = self._readers, {}
        for reader in readers.values():
            reader.close()

    def close(self) -> None:
        """Ends the decoding programs."""
        self.leave()
        for decoder in self._decoders.values():
            decoder.close()
