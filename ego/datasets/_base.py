"""What a data set says of its videos: where they are, which seconds carry which labels, who tests on whom.

A data set speaks of videos by *name* and of where their files lie; it opens none. The pipeline scans
the files and turns each `Annotation` into a `Clip` of a video known by its bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ego.errors import BadRequest, meant
from ego.spec import Spec
from ego.video import Reading


@dataclass(frozen=True)
class Annotation:
    """One or more spans of a named video, in seconds on its own clock, with their labels.

    No `parts` means the whole video. `source` says where it is written (`file, line`), for
    messages; it is no part of what is annotated.
    """

    video: str
    parts: tuple[tuple[float, float], ...]
    labels: Mapping[str, Any]
    track: int | None = None
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class Stated:
    """What a data set says of a video: seconds it lasts and frames a second; 0 where it does not say."""

    seconds: float = 0.0
    fps: float = 0.0


@dataclass(frozen=True)
class Annotations:
    """A data set read once and whole.

    `videos` is the file of each annotated video by its name, there or not; a folder there is a video
    of pictures, and `rates` says how many a second. `classes` are the class names of each label in the
    order of their indices; a label without classes is a number or a text. `folds` gives, for each pair
    of training and test (one for a fixed split, one a video for leave-one-video-out), the indices into
    `clips` of each split: `train`, `validation`, `test`.

    `subsets` names some of the classes of a label (`many-shot`, `tail`), by subset and label; `stated`
    is what the data set says of its videos, to be held against the files; `within_videos` says that the
    authors' splits cut through videos, so that only shared seconds are refused; `notes` are sentences about
    what was left out or looks odd, for `ego check-data`.
    """

    videos: Mapping[str, Path]
    classes: Mapping[str, tuple[str, ...]]
    clips: tuple[Annotation, ...]
    folds: Mapping[str, Mapping[str, tuple[int, ...]]]
    rates: Mapping[str, float] = field(default_factory=dict)
    subsets: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    stated: Mapping[str, Stated] = field(default_factory=dict)
    within_videos: bool = False
    notes: tuple[str, ...] = ()

    def absent(self) -> list[str]:
        """The names of the videos whose file or folder is not there."""
        return [name for name, path in self.videos.items() if not path.exists()]

    def without(self, names: Collection[str]) -> "Annotations":
        """The same data set less these videos and their clips; a fold left without training or test goes too."""
        gone = frozenset(names)
        kept = [index for index, clip in enumerate(self.clips) if clip.video not in gone]
        place = {index: new for new, index in enumerate(kept)}
        folds = {
            fold: {split: tuple(place[i] for i in indices if i in place) for split, indices in splits.items()}
            for fold, splits in self.folds.items()
        }
        whole = {
            fold: {split: some for split, some in splits.items() if some}
            for fold, splits in folds.items()
            if sum(bool(some) for some in splits.values()) > min(1, len(self.folds) - 1)
        }
        return replace(
            self,
            videos={name: path for name, path in self.videos.items() if name not in gone},
            clips=tuple(self.clips[index] for index in kept),
            folds=whole,
        )


@dataclass(frozen=True)
class Dataset(Spec, ABC):
    """Annotations only. `root` is where it lies on this machine and never a field."""

    @abstractmethod
    def read(self, root: Path) -> Annotations:
        """All annotations, checked; what is wrong is a BadRequest with file and line."""

    def published(self) -> Mapping[str, int]:
        """The counts that the data set's authors publish, by the names of `ego.datasets._check.counts`."""
        return {}

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The signals beside a video by kind, already on its own clock; none unless a data set has them."""
        return {}

    def signals(self) -> tuple[str, ...]:
        """The kinds of signal that `readings` may give."""
        return ()

    def videos(self, root: Path) -> dict[str, Path]:
        """The file of each annotated video by its name in the annotations."""
        return dict(self.read(root).videos)

    def folds(self, root: Path) -> tuple[str, ...]:
        """The names of the folds; a fixed split is one fold."""
        return tuple(self.read(root).folds)

    def splits(self, root: Path) -> tuple[str, ...]:
        """The names of the splits that some fold has."""
        return tuple(dict.fromkeys(split for fold in self.read(root).folds.values() for split in fold))

    def clips(self, root: Path, split: str, fold: str = "") -> list[Annotation]:
        """The annotated clips of one split, in the order of the files; `fold` is needed where there are several."""
        annotations = self.read(root)
        folds = list(annotations.folds)
        splits = annotations.folds[folds[0] if not fold and len(folds) == 1 else pick("fold", fold, folds)]
        return [annotations.clips[index] for index in splits[pick("split", split, list(splits))]]


def present(annotations: Annotations, skip_missing: bool = False) -> tuple[Annotations, list[str]]:
    """(the data set as far as its videos are there, the names of those that are not).

    Absent videos are a BadRequest unless `skip_missing`, and so is a data set without any.
    """
    absent = annotations.absent()
    if not absent:
        return annotations, []
    first = absent[0]
    source = next((clip.source for clip in annotations.clips if clip.video == first), "")
    told = f"{source + ': ' if source else ''}no video {first!r} at {annotations.videos[first]}"
    count = f"{len(absent)} of the {len(annotations.videos)} annotated videos"
    if len(absent) == len(annotations.videos):
        raise BadRequest(f"{told}, nor any other of the {len(absent)}; look at --data and the data set's `folder`")
    if not skip_missing:
        raise BadRequest(f"{told} ({count} are not there); add them, or go on without them with --skip-missing")
    return annotations.without(absent), absent


def pick(what: str, given: str, choices: Sequence[str]) -> str:
    """`given` if it is one of `choices`, else a BadRequest that lists them; `what` names it in the message."""
    if given not in choices:
        near = meant(given, choices)
        raise BadRequest(f"got {what} {given!r}{near}, expected one of: {', '.join(map(repr, choices)) or 'none'}")
    return given
