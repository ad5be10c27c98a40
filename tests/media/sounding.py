"""Videos with clicks at known seconds, and where they are found again."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from readable import draw_number

from ego.video import Header, Video

RATE = 16_000


def video(path: Path, part: tuple[float, float] | None = None, header: Header | None = None) -> Video:
    return Video("0" * 64, path.name, str(path), header, part)


def header(seconds: float, start: float = 0.0, has_sound: bool = True) -> Header:
    return Header("mp4", "h264", "yuv420p", 8, 8, 0, 30, 0, start, seconds, 0, Fraction(1, 1000), has_sound)


def clicks(seconds: float, rate: int, times: list[float]) -> np.ndarray:
    """Silence with a smooth click of 2 ms about each of these seconds."""
    sound = np.zeros(round(seconds * rate), np.float32)
    half = rate // 1000
    for time in times:
        middle = round(time * rate)
        sound[middle - half : middle + half + 1] = np.hanning(2 * half + 1)
    return sound


def peaks(row: np.ndarray, start: float, times: list[float], rate: int = RATE) -> list[int]:
    """The sample of the loudest moment near each of these seconds, less where it should be."""
    found = []
    for time in times:
        low = max(round((time - 0.1 - start) * rate), 0)
        near = np.abs(row[low : round((time + 0.1 - start) * rate)])
        assert near.max() > 0.5
        found.append(low + int(near.argmax()) - round((time - start) * rate))
    return found


def mux(
    path: Path, sound: list[tuple[float, np.ndarray]], rate: int = 48_000, picture_start: float = 0.0, packet: int = 960
) -> Path:
    """A file of two seconds of pictures from `picture_start`, and of sound pieces, each at its own second."""
    with av.open(str(path), "w") as container:
        film = container.add_stream("libx264", rate=10)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        film.codec_context.time_base = Fraction(1, 1000)
        track = container.add_stream("pcm_s16le", rate=rate)
        track.layout = "mono"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(draw_number(number, (64, 48)), format="rgb24")
            frame.pts, frame.time_base = round((picture_start + number / 10) * 1000), Fraction(1, 1000)
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        for start, samples in sound:
            for first in range(0, len(samples), packet):
                piece = np.ascontiguousarray(samples[None, first : first + packet] * 32767).astype(np.int16)
                heard = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                heard.sample_rate, heard.time_base = rate, Fraction(1, rate)
                heard.pts = round(start * rate) + first
                container.mux(track.encode(heard))
        container.mux(track.encode(None))
    return path
