"""What a data set says of its videos: where they are, which seconds carry which labels, who tests on whom.

A data set speaks of videos by *name* and of where their files lie; it opens none. The pipeline scans
the files and turns each `Annotation` into a `Clip` of a video known by its bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ego.errors import BadRequest
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
class Annotations:
    """A data set read once and whole.

    `videos` is the file of each annotated video by its name, `classes` the class names of each
    label in the order of their indices. `folds` gives, for each pair of training and test (one for
    a fixed split, one a video for leave-one-video-out), the indices into `clips` of each split:
    `train`, `validation`, perhaps `test`.
    """

    videos: Mapping[str, Path]
    classes: Mapping[str, tuple[str, ...]]
    clips: tuple[Annotation, ...]
    folds: Mapping[str, Mapping[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Dataset(Spec, ABC):
    """Annotations only. `root` is where it lies on this machine and never a field."""

    @abstractmethod
    def read(self, root: Path) -> Annotations:
        """All annotations, checked; what is wrong is a BadRequest with file and line."""

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The signals beside a video by kind, already on its own clock; none unless a data set has them."""
        return {}

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


def pick(what: str, given: str, choices: Sequence[str]) -> str:
    """`given` if it is one of `choices`, else a BadRequest that lists them; `what` names it in the message."""
    if given not in choices:
        raise BadRequest(f"got {what} {given!r}, expected one of: {', '.join(map(repr, choices)) or 'none'}")
    return given
