"""Project Aria recordings (Engel et al. 2023) with what machine perception (MPS) made of them: eye gaze and hands."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ego.datasets._base import Annotation, Annotations, Dataset
from ego.datasets._json import read_object
from ego.errors import BadRequest, BadVideo
from ego.signals.aria import read_aria_gaze, read_aria_hands
from ego.signals.table import read_table
from ego.video import Reading

GAZE = ("personalized_eye_gaze.csv", "calibrated_eye_gaze.csv", "general_eye_gaze.csv", "generalized_eye_gaze.csv")
HANDS = ("hand_tracking_results.csv", "wrist_and_palm_poses.csv")


@dataclass(frozen=True)
class Aria(Dataset):
    """Folders of recordings: NAME/*.vrs (or *.mp4), NAME/mps/eye_gaze/, NAME/mps/hand_tracking/, NAME/speech.csv.

    A recording is one clip, labelled with its `recording` and, where metadata.json is there, `script` and
    `location`; all are in the split `train`. Signals are put on the clock of the RGB camera's first
    picture, which the .vrs tells (or `start_us`, the device's microseconds, for one recording without it).
    """

    video: Literal["vrs", "mp4"] = "vrs"
    folder: str = ""
    start_us: int = 0

    def read(self, root: Path) -> Annotations:
        """Every recording below the folder."""
        videos: dict[str, Path] = {}
        clips = []
        for place in self._places(root):
            files = sorted(path for path in place.glob(f"*.{self.video}") if not path.name.startswith("."))
            if len(files) > 1:
                raise BadRequest(f"{place} holds {files[0].name} and {files[1].name}, expected one recording a folder")
            name = place.relative_to(root / self.folder).as_posix()
            videos[name] = files[0] if files else place / f"recording.{self.video}"
            clips.append(Annotation(name, (), {"recording": name, **_metadata(place)}, source=name))
        if not clips:
            raise BadRequest(
                f"{root / self.folder} holds no folder with a .{self.video} or with mps/, expected recordings"
            )
        shared = [label for label in ("recording", "script", "location") if all(label in clip.labels for clip in clips)]
        classes = {label: tuple(sorted({clip.labels[label] for clip in clips})) for label in shared}
        return Annotations(videos, classes, tuple(clips), {"": {"train": tuple(range(len(clips)))}})

    def signals(self) -> tuple[str, ...]:
        """Gaze as rays, hands in space, spoken words."""
        return ("gaze_ray", "hands_3d", "speech")

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The signals of a recording, as far as there are files; before its first picture there are none."""
        place = root / self.folder / video
        gaze = next((path for name in GAZE for path in sorted(place.glob(f"mps/**/{name}"))), None)
        hands = next((path for name in HANDS for path in sorted(place.glob(f"mps/**/{name}"))), None)
        speech = place / "speech.csv"
        if gaze is None and hands is None and not speech.is_file():
            return {}
        start = self._start(place)
        found = [read_aria_gaze(gaze, start)] if gaze else []
        found += [read_aria_hands(hands, start)] if hands else []
        found += [_speech(speech, start)] if speech.is_file() else []
        return {reading.kind: _from_zero(reading) for reading in found}

    def _places(self, root: Path) -> list[Path]:
        top = root / self.folder
        if not top.is_dir():
            raise BadRequest(f"{top} is no folder, expected the one that holds the recordings")
        found = {path.parent for path in top.rglob(f"*.{self.video}") if path.parent != top}
        return sorted(found | {path.parent for path in top.rglob("mps") if path.is_dir() and path.parent != top})

    def _start(self, place: Path) -> int:
        """The device's microseconds at the first picture."""
        if self.start_us:
            return self.start_us
        recordings = sorted(place.glob("*.vrs"))
        if not recordings:
            raise BadRequest(
                f"{place} holds no .vrs, which alone tells when the video begins on the device's clock; "
                "put it beside, or set start_us for one recording"
            )
        from ego.media.with_vrs import first_picture_us

        try:
            return first_picture_us(str(recordings[0]))
        except BadVideo as error:
            raise BadRequest(str(error)) from error


def _metadata(place: Path) -> dict[str, str]:
    """The script and location of an Aria Everyday Activities recording."""
    path = place / "metadata.json"
    if not path.exists():
        return {}
    item = read_object(path)
    return {label: item.text(label) for label in ("script", "location") if item.has(label)}


def _speech(path: Path, start_us: int) -> Reading:
    """Spoken words as a reading of kind `speech`: their spans and `confidence`."""
    _, lines = read_table(path, ["startTime_ns", "endTime_ns", "written", "confidence"])
    spans = [(line.whole("startTime_ns"), line.whole("endTime_ns")) for line in lines]
    for line, (begin, end) in zip(lines, spans, strict=True):
        if begin > end:
            raise BadRequest(f"{line.source}: got a word from {begin} to {end} ns, expected start <= stop")
    seconds = (np.array(spans, np.float64).reshape(-1, 2) - start_us * 1000) / 1e9
    return Reading("speech", seconds, {"confidence": np.array([line.seconds("confidence") for line in lines])})


def _from_zero(reading: Reading) -> Reading:
    """What of a reading lies at or after second 0."""
    inside = reading.seconds[:, 1] >= 0
    seconds = np.maximum(reading.seconds[inside], 0.0)
    return Reading(reading.kind, seconds, {name: array[inside] for name, array in reading.arrays.items()})
