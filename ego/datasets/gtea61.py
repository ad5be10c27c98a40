"""GTEA-61 (Fathi, Ren and Rehg 2011): 4 subjects, 7 activities, 61 actions, in the layouts of three code releases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.datasets._base import Annotation, Annotations, Dataset, Stated
from ego.datasets._gtea_tree import Instance, Labelled, labelled_clips, picture_reading, tree
from ego.errors import BadRequest
from ego.signals.segments import Segment, segments_reading
from ego.video import Reading

KINDS = ("flow_images", "map_images")


@dataclass(frozen=True)
class Gtea61(Dataset):
    """Actions of GTEA as clips, split by subject.

    `layout` says whose tree this is: `ego-rnn` (`frames/S1/open_jam/1/`, below `train` and `test` where
    those are), `lsta` (the same in one tree), `fpar` (`S1/open_jam/1/rgb/`, motion maps beside) or
    `videos` (`S1_Cheese_C1.mp4` and label files). `folder` and `labels` are where they lie (by layout).
    `split` tests on `test_subject`, or on each subject in turn. Labels are `action`, `verb` and `noun`.
    """

    layout: Literal["ego-rnn", "lsta", "fpar", "videos"] = "ego-rnn"
    split: Literal["fixed", "leave-one-subject-out"] = "fixed"
    test_subject: str = "S2"
    folder: str = ""
    labels: str = "labels"
    fps: float = 15.0
    least_frames: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fps <= 0:
            raise BadRequest(f"got gtea61.fps = {self.fps:g}, expected frames a second above 0")

    def read(self, root: Path) -> Annotations:
        """All clips; class ids are those of all subjects' classes together, sorted."""
        if self.layout == "videos":
            found, notes = labelled_clips(self._place(root), root / self.labels, self.fps)
            return self._annotations([self._from_label(one) for one in found], found, notes, {})
        instances, notes = tree(self._place(root), self.layout, self.least_frames)
        clips = [(one.subject, Annotation(one.name, (), _labels(one.action), source=one.source)) for one in instances]
        rates = {one.name: self.fps for one in instances}
        return self._annotations(clips, instances, notes, rates)

    def published(self) -> Mapping[str, int]:
        """61 actions; 116 test clips of S2, as the results of Ego-RNN and LSTA imply."""
        tested = self.split == "fixed" and self.test_subject == "S2" and self.layout != "videos"
        return {"action classes": 61} | ({"test clips": 116} if tested else {})

    def signals(self) -> tuple[str, ...]:
        """Flow and motion maps of clips; of whole videos their segments."""
        return ("segments",) if self.layout == "videos" else KINDS

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """Flow and motion maps of a clip as encoded pictures, those that are there."""
        if self.layout == "videos":
            found, _ = labelled_clips(self._place(root), root / self.labels, self.fps)
            return {"segments": segments_reading([one.segment for one in found if one.name == video])}
        place = self._place(root)
        pictures = {kind: picture_reading(place, self.layout, video, kind, self.fps) for kind in KINDS}
        return {kind: reading for kind, reading in pictures.items() if reading is not None}

    def _place(self, root: Path) -> Path:
        return root / (self.folder or ("videos" if self.layout == "videos" else ""))

    def _from_label(self, one: Labelled) -> tuple[str, Annotation]:
        segment: Segment = one.segment
        return one.subject, Annotation(
            one.name, ((segment.start, segment.stop),), _labels(one.action), source=segment.source
        )

    def _annotations(
        self,
        clips: Sequence[tuple[str, Annotation]],
        found: Sequence[Instance] | Sequence[Labelled],
        notes: list[str],
        rates: dict[str, float],
    ) -> Annotations:
        subjects = sorted({subject for subject, _ in clips})
        made = tuple(clip for _, clip in clips)
        classes = {label: tuple(sorted({clip.labels[label] for clip in made})) for label in ("action", "verb", "noun")}
        for subject in subjects:
            lacking = set(classes["action"]) - {clip.labels["action"] for who, clip in clips if who == subject}
            if lacking:
                notes.append(f"subject {subject} has no clip of {len(lacking)} classes, such as {min(lacking)!r}")
        if self.split == "fixed" and self.test_subject not in subjects:
            raise BadRequest(f"got test_subject {self.test_subject!r}, the subjects here are: {', '.join(subjects)}")
        tested = [self.test_subject] if self.split == "fixed" else subjects
        folds = {
            "" if self.split == "fixed" else subject: {
                "train": tuple(i for i, (who, _) in enumerate(clips) if who != subject),
                "test": tuple(i for i, (who, _) in enumerate(clips) if who == subject),
            }
            for subject in tested
        }
        videos = {one.name: one.path for one in found}
        stated = {name: Stated(fps=self.fps) for name in videos}
        return Annotations(videos, classes, made, folds, rates=rates, stated=stated, notes=tuple(notes))


def _labels(action: str) -> dict[str, str]:
    """`take_cup` as action, verb and noun."""
    verb, _, noun = action.partition("_")
    return {"action": action, "verb": verb, "noun": noun}
