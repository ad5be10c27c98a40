"""Videos of one's own: class folders, or one table `video, start, stop, label ...` in seconds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.datasets._base import Annotation, Annotations, Dataset, pick
from ego.datasets._files import FileIndex
from ego.errors import BadRequest
from ego.signals.box_files import find_boxes, read_faces, read_hands
from ego.signals.gaze_files import find_gaze, read_gaze
from ego.signals.pupil import SCENE
from ego.signals.table import Line, read_table
from ego.spec import late
from ego.video import Reading

Indices = tuple[int, ...]


@dataclass(frozen=True)
class Folder(Dataset):
    """A folder of videos, annotated by a table (`csv`) or, without one, by class: `<class>/<video>`.

    `folder` is where the videos lie below the data's root. Of the table, `video`, `start`, `stop`
    and `labels` are column names (no `labels`: every other column); without `start` and `stop` a
    row is its whole video. Clips with a label in `ignore` are left out. A text in `unlabelled` stands for no label:
    such a clip is masked for the tasks of that label and teaches the others; an empty cell is refused unless "" is
    among them.

    `split` says who is tested: `each-video` leaves one video out at a time (or deals the videos into
    `groups`), `column` reads `split_column`, `listed` holds out the videos named in `validation`
    and `test`. A class folder's files count as videos, so give `groups` there. With `fps` the videos are
    folders of numbered pictures, so many a second.

    `gaze` is a folder below the data's root with `<video>.csv`, `<video>.txt` or an eye tracker's export
    `<video>/` (see `ego.signals.gaze_files`); `gaze_fps` and `gaze_size` are the rate and the pixels such a file
    counts in. `hands` and `faces` are such folders with box files (see `ego.signals.box_files`), which count
    `box_fps` frames a second and pixels of `box_size`.
    """

    csv: str = ""
    folder: str = ""
    video: str = "video"
    start: str = "start"
    stop: str = "stop"
    labels: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = late(())
    delimiter: Literal[",", ";", "\t"] = ","
    split: Literal["each-video", "column", "listed"] = "each-video"
    groups: int = 0
    split_column: str = "split"
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    fps: float = late(0.0)
    gaze: str = late("")
    gaze_fps: float = late(24.0)
    gaze_size: tuple[int, int] = late(SCENE)
    hands: str = late("")
    faces: str = late("")
    box_fps: float = late(0.0)
    box_size: tuple[int, int] = late((0, 0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.start) != bool(self.stop):
            raise BadRequest("got one of folder.start and folder.stop, expected both columns or neither")
        if self.split == "column" and not self.csv:
            raise BadRequest("got folder.split = 'column' without a table, expected folder.csv")
        if self.split == "listed" and not self.validation:
            raise BadRequest("got folder.split = 'listed' without videos, expected folder.validation = [names]")
        if self.gaze_fps <= 0 or min(self.gaze_size) < 1:
            raise BadRequest(
                f"got folder.gaze_fps = {self.gaze_fps:g} and gaze_size = {self.gaze_size}, expected each above 0"
            )
        if (self.hands or self.faces) and (self.box_fps <= 0 or min(self.box_size) < 1):
            raise BadRequest(
                f"got folder.box_fps = {self.box_fps:g} and box_size = {self.box_size} for files of boxes, expected "
                "the frames a second and the width and height in pixels that they count in"
            )
        if self.fps < 0:
            raise BadRequest(f"got folder.fps = {self.fps:g}, expected pictures a second, or 0 for video files")
        if self.groups < 0 or self.groups == 1:
            raise BadRequest(f"got folder.groups = {self.groups}, expected 2 or more, or 0 for each video by itself")

    def read(self, root: Path) -> Annotations:
        """All annotations of the table or the class folders; a video named but absent keeps its place."""
        index = FileIndex(root / self.folder, frames=self.fps > 0)
        labels, found = self._from_table(root / self.csv, index) if self.csv else self._from_folders(index)
        kept = [(clip, split) for clip, split in found if not set(clip.labels.values()) & set(self.ignore)]
        if not kept:
            why = f"; folder.ignore leaves out {len(found)}" if found else ""
            raise BadRequest(f"there is no annotated clip in {root / self.csv}{why}")
        clips = tuple(clip for clip, _ in kept)
        _check_each(clips)
        names = sorted({clip.video for clip in clips})
        classes = self._classes(clips, labels)
        folds = self._folds(clips, [split for _, split in kept], names, index)
        rates = dict.fromkeys(names, self.fps) if self.fps else {}
        return Annotations({name: index.path(name) for name in names}, classes, clips, folds, rates=rates)

    def signals(self) -> tuple[str, ...]:
        """What there is a folder of: gaze, boxes of hands, tracks of faces."""
        kinds = {"gaze": self.gaze, "hand_boxes": self.hands, "face_tracks": self.faces}
        return tuple(kind for kind, folder in kinds.items() if folder)

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The signals beside a video; of a kind it has no file of there is none."""
        found: dict[str, Reading] = {}
        if self.gaze and (path := find_gaze(_there(root / self.gaze), video)):
            found["gaze"] = read_gaze(path, self.gaze_fps, self.gaze_size)
        if self.hands and (path := find_boxes(_there(root / self.hands), video)):
            found["hand_boxes"] = read_hands(path, self.box_fps, self.box_size)
        if self.faces and (path := find_boxes(_there(root / self.faces), video)):
            found["face_tracks"] = read_faces(path, self.box_fps, self.box_size)
        return found

    def _from_table(self, path: Path, index: FileIndex) -> tuple[tuple[str, ...], list[tuple[Annotation, str]]]:
        times = [self.start, self.stop] if self.start else []
        splits = [self.split_column] if self.split == "column" else []
        header, lines = read_table(path, [self.video, *times, *self.labels, *splits], self.delimiter)
        labels = self.labels or tuple(name for name in header if name not in [self.video, *times, *splits])
        if not labels:
            raise BadRequest(f"{path.name}, line 1: no label column beside {', '.join(map(repr, header))}")
        return labels, [(self._annotation(line, labels, index), self._split_of(line)) for line in lines]

    def _annotation(self, line: Line, labels: Sequence[str], index: FileIndex) -> Annotation:
        parts: tuple[tuple[float, float], ...] = ()
        if self.start:
            parts = (line.span(self.start, self.stop),)
        name = index.named(line.text(self.video), line.source)
        known = {label: line.cells[label] for label in labels if line.cells[label] not in self.unlabelled}
        for label, text in known.items():
            if not text:
                hint = 'fill it in, or with folder.unlabelled = [""] it is no label'
                raise BadRequest(f"{line.source}: {label!r} is empty; {hint}")
        return Annotation(name, parts, known, source=line.source)

    def _classes(self, clips: Sequence[Annotation], labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The classes of each label, sorted; a label that no clip has is a BadRequest."""
        found = {name: tuple(sorted({clip.labels[name] for clip in clips if name in clip.labels})) for name in labels}
        for name, classes in found.items():
            if not classes:
                raise BadRequest(f"no clip has a {name!r}, expected some; folder.unlabelled is {list(self.unlabelled)}")
        return found

    def _split_of(self, line: Line) -> str:
        if self.split != "column":
            return ""
        return pick(f"split ({line.source})", line.text(self.split_column), ("train", "validation", "test"))

    def _from_folders(self, index: FileIndex) -> tuple[tuple[str, ...], list[tuple[Annotation, str]]]:
        label = self.labels[0] if self.labels else "class"
        found = []
        for name, path in index.items():
            relative = path.relative_to(index.root)
            if len(relative.parts) < 2:
                raise BadRequest(f"{path} lies in no class folder, expected {index.root}/<class>/{path.name}, or csv")
            found.append((Annotation(name, (), {label: relative.parts[0]}, source=str(relative)), ""))
        return (label,), found

    def _folds(
        self, clips: Sequence[Annotation], splits: Sequence[str], names: Sequence[str], index: FileIndex
    ) -> dict[str, dict[str, Indices]]:
        if self.split == "column":
            return _fold("", splits, "the column " + self.split_column)
        if self.split == "listed":
            held = {index.find(name, "folder.validation"): "validation" for name in self.validation}
            held |= {index.find(name, "folder.test"): "test" for name in self.test}
            return _fold("", [held.get(clip.video, "train") for clip in clips], "folder.validation")
        count = min(self.groups or len(names), len(names))
        group = {name: place % count for place, name in enumerate(names)}
        folds: dict[str, dict[str, Indices]] = {}
        for number in range(count):
            title = f"group {number + 1}" if self.groups else names[number]
            sides = ["validation" if group[clip.video] == number else "train" for clip in clips]
            folds |= _fold(title, sides, f"{len(names)} annotated videos")
        return folds


def _check_each(clips: Sequence[Annotation]) -> None:
    """Nothing, or a BadRequest where a clip has no length, or is there twice: it would count twice."""
    lines: dict[object, str] = {}
    for clip in clips:
        for start, stop in clip.parts:
            if start == stop:
                raise BadRequest(f"{clip.source}: got a segment of no length at {start:g} s, expected start < stop")
        said = (clip.video, clip.parts, tuple(clip.labels.items()))
        if said in lines:
            raise BadRequest(f"{clip.source}: the same clip and labels stand in {lines[said]}; leave one of them out")
        lines[said] = clip.source


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise BadRequest(f"{folder} is no folder, expected the one that holds the files beside the videos")
    return folder


def _fold(title: str, splits: Sequence[str], source: str) -> dict[str, dict[str, Indices]]:
    """One fold under its title; without training or validation clips it is a BadRequest."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, split in enumerate(splits):
        members[split].append(index)
    for split in ("train", "validation"):
        if not members[split]:
            raise BadRequest(f"{source} leaves no clip for {split}, expected some in train and some in validation")
    order = [split for split in ("train", "validation", "test") if split in members]
    return {title: {split: tuple(members[split]) for split in order}}
