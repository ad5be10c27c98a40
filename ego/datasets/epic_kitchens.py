"""EPIC-KITCHENS-55 (Damen et al. 2018) and -100 (Damen et al. 2022): narrated actions in kitchens, by participant."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.datasets import _epic as epic
from ego.datasets._base import Annotation, Annotations, Dataset, Stated
from ego.errors import BadRequest
from ego.video import Reading

Split = Literal["train", "validation", "test", "test_s1", "test_s2"]
FILES: Mapping[int, Mapping[str, str]] = {
    55: {
        "train": "EPIC_train_action_labels.csv",
        "test_s1": "EPIC_test_s1_timestamps.csv",
        "test_s2": "EPIC_test_s2_timestamps.csv",
    },
    100: {
        "train": "EPIC_100_train.csv",
        "validation": "EPIC_100_validation.csv",
        "test": "EPIC_100_test_timestamps.csv",
    },
}
DROPPED = frozenset(["126", "961", "5099", "12599", "21740", "25710", "26811", "28585", "33647", "37431"])
"""Segments of EPIC-KITCHENS-55 that the lists of Kapidis et al. leave out, for no reason given."""


@dataclass(frozen=True)
class EpicKitchens(Dataset):
    """The segments of one `release`, in seconds of the videos themselves.

    `layout` says what is here: `videos`, or the released `frames`, which are numbered at 60 a second (50
    for videos that 100 added) whatever the video's own rate. EPIC-KITCHENS-55 has no validation of its
    own: participants from `first_held_out` on are held out. `splits_read` are the files to read, of those
    the release has; testing segments have no labels. `without_dropped` leaves out ten segments as the
    lists of Kapidis et al. do. Labels are `verb`, `noun`, `action`, `participant` and the texts `nouns`,
    `narration` and `segment`, its official id; classes are the full official ones, actions the labelled pairs by
    (verb, noun).
    """

    release: epic.Release = 100
    layout: Literal["videos", "frames"] = "videos"
    splits_read: tuple[Split, ...] = ()
    folder: str = ""
    annotations: str = ""
    first_held_out: str = "P30"
    without_dropped: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [split for split in self.splits_read if split not in FILES[self.release]]
        if unknown:
            choices = ", ".join(FILES[self.release])
            raise BadRequest(f"got split {unknown[0]!r} of EPIC-KITCHENS-{self.release}, which has: {choices}")

    def read(self, root: Path) -> Annotations:
        """All segments of the files asked for; absent videos keep their place."""
        place = root / self.annotations
        prefix = "EPIC_" if self.release == 55 else "EPIC_100_"
        classes = epic.Classes(
            epic.read_class_names(place / f"{prefix}verb_classes.csv", self.release),
            epic.read_class_names(place / f"{prefix}noun_classes.csv", self.release),
        )
        segments, splits = self._segments(place, classes)
        people = sorted({one.participant for one in segments})
        names = {
            "verb": classes.verb,
            "noun": classes.noun,
            "action": epic.action_names(segments, classes),
            "participant": tuple(people),
        }
        videos = sorted({one.video for one in segments})
        info = epic.read_video_info(place / f"{prefix}video_info.csv", self.release)
        paths = {name: epic.video_path(root / self.folder, name, self.layout == "frames") for name in videos}
        rates = {name: epic.nominal_rate(name, self.release) for name in videos} if self.layout == "frames" else {}
        stated = {name: Stated(info[name].seconds, rates.get(name, info[name].fps)) for name in videos if name in info}
        subsets = {"many-shot": epic.read_many_shot(place, classes), "tail": epic.read_tail(place, classes)}
        clips = tuple(Annotation(one.video, (one.seconds,), one.labels, source=one.source) for one in segments)
        kept = {name: labels for name, labels in subsets.items() if labels}
        return Annotations(paths, names, clips, {"": splits}, rates=rates, subsets=kept, stated=stated)

    def signals(self) -> tuple[str, ...]:
        """The released flow."""
        return ("flow_images",)

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The released flow of a video as encoded pictures, where it is there."""
        folder, rate = root / self.folder, epic.nominal_rate(video, self.release)
        found = epic.flow_reading(root, folder, video, rate)
        return {} if found is None else {"flow_images": found}

    def published(self) -> Mapping[str, int]:
        """The counts of the annotation repositories; those of files that are not read are left out."""
        read = self._files()
        if self.release == 55:
            counts = {"verb classes": 125, "noun classes": 352}
            if "train" in read and not self.without_dropped:
                counts |= {"action classes": 2513, "many-shot verb classes": 26, "many-shot noun classes": 71}
                counts |= {"many-shot action classes": 819}
                if self.first_held_out == "P30":
                    counts |= {"train clips": 26377, "validation clips": 2095}
            tests = {"test_s1": 8047, "test_s2": 2929}
            return counts | {f"{split} clips": count for split, count in tests.items() if split in read}
        sizes = {"train": 67217, "validation": 9668, "test": 13092}
        counts = {"verb classes": 97, "noun classes": 300} | {f"{split} clips": sizes[split] for split in read}
        return counts | ({"action classes": 3806} if {"train", "validation"} <= set(read) else {})

    def _files(self) -> list[str]:
        return [split for split in FILES[self.release] if not self.splits_read or split in self.splits_read]

    def _segments(self, place: Path, classes: epic.Classes) -> tuple[list[epic.Segment], dict[str, tuple[int, ...]]]:
        """All segments and which of them are in each split."""
        segments: list[epic.Segment] = []
        splits: dict[str, list[int]] = {}
        for split in self._files():
            path = place / FILES[self.release][split]
            labelled = split in ("train", "validation")
            for one in epic.read_segments(path, self.release, classes, labelled):
                if self.without_dropped and self.release == 55 and one.key in DROPPED:
                    continue
                held = self.release == 55 and split == "train" and one.participant >= self.first_held_out
                splits.setdefault("validation" if held else split, []).append(len(segments))
                segments.append(one)
        if not segments:
            raise BadRequest(f"no segment is left of {', '.join(self._files()) or 'no file'} in {place}")
        order = [split for split in ("train", "validation", "test", "test_s1", "test_s2") if split in splits]
        return segments, {split: tuple(splits[split]) for split in order}
