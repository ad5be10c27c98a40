"""The trees in which GTEA-61 is passed on: clip folders of frames, flow and motion maps, and label files."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ego.datasets._files import by_stem, numbered
from ego.errors import BadRequest, BadVideo
from ego.media.frames import list_frames
from ego.signals.pictures import Pace, pictures_reading
from ego.signals.segments import Segment, read_gtea_labels
from ego.video import Reading

SUBJECT = re.compile(r"S\d+")
FLOWS = (("flow_x", "flow_y"), ("flow_x_processed", "flow_y_processed"))
RELABELLED = {"stir_cup": "stir_spoon,cup"}
"""As the release's own preparation has it."""

LEFT_OUT = {("S1", "put_tea"), ("S2", "put_tea")}
"""Classes that the release's own preparation deletes."""


@dataclass(frozen=True)
class Instance:
    """A clip folder: `name` is SUBJECT/CLASS/INSTANCE, `path` holds its frames."""

    name: str
    path: Path

    @property
    def subject(self) -> str:
        """Who cooks."""
        return self.name.split("/")[0]

    @property
    def action(self) -> str:
        """The class: the folder's name."""
        return self.name.split("/")[1]

    @property
    def source(self) -> str:
        """Where it is written."""
        return self.name


@dataclass(frozen=True)
class Labelled:
    """A segment of a raw video: the video's name and file, who cooks, and the class."""

    name: str
    path: Path
    subject: str
    action: str
    segment: Segment


def tree(root: Path, layout: str, least_frames: int) -> tuple[list[Instance], list[str]]:
    """The clip folders of a tree in the order of their names, and sentences about those left out."""
    found: dict[str, Instance] = {}
    short: list[str] = []
    doubled: list[str] = []
    empty: list[str] = []
    for top in tops(root, layout):
        for name, path in _clip_folders(top):
            if re.search(r"\(\d+\)$", name):
                doubled.append(name)
                continue
            frames = path / "rgb" if layout == "fpar" else path
            if name in found:
                raise BadRequest(f"the clip {name!r} lies in {found[name].path} and in {frames}, expected one of them")
            count = _count(frames)
            if count < least_frames:
                (short if count else empty).append(name)
            else:
                found[name] = Instance(name, frames)
    if not found:
        raise BadRequest(
            f"{root} holds no clip folder SUBJECT/CLASS/INSTANCE with frames, expected the {layout} layout"
        )
    notes = [
        f"{len(names)} clip folders {why} and are left out, such as {names[0]!r}"
        for names, why in (
            (short, f"have fewer than {least_frames} frames"),
            (doubled, "are copies"),
            (empty, "hold no frames"),
        )
        if names
    ]
    return [found[name] for name in sorted(found, key=_natural)], notes


def tops(root: Path, layout: str) -> list[Path]:
    """The folders that hold the subjects: one, or train's and test's in the Ego-RNN layout."""
    if layout == "fpar":
        found = [root / name for name in ("processed_frames2", "processed_frames") if (root / name).is_dir()][:1]
        return found or [root]
    sides = [root / side / "frames" for side in ("train", "test")] if layout == "ego-rnn" else []
    return [side for side in sides if side.is_dir()] or [root / "frames"]


def picture_reading(root: Path, layout: str, name: str, kind: str, fps: float) -> Reading | None:
    """The flow (`flow_images`) or motion maps (`map_images`) of a clip; None where there are none.

    Pictures and frames are numbered alike; where the frames do not lie there, flow counts from 1.
    """
    if kind == "map_images":
        folders = [{"map": top / name / "mmaps"} for top in tops(root, layout)]
    else:
        above = [top.parent for top in tops(root, layout)]
        folders = [
            dict(zip("xy", (place / one / name for one in pair), strict=True)) for place in above for pair in FLOWS
        ]
    for planes in folders:
        if any(folder.is_dir() for folder in planes.values()):
            found = {plane: numbered(folder) for plane, folder in planes.items()}
            first = min([_first_frame(root, layout, name), *found.get("x", found.get("map", {}))])
            return pictures_reading(kind, found, Pace(fps, first, reach=0 if kind == "map_images" else 1))
    return None


def _first_frame(root: Path, layout: str, name: str) -> int:
    """The number of a clip's first frame; 1 where its frames are not there."""
    places = (top / name / "rgb" if layout == "fpar" else top / name for top in tops(root, layout))
    return next((min(numbered(place)) for place in places if place.is_dir()), 1)


def labelled_clips(videos: Path, labels: Path, fps: float) -> tuple[list[Labelled], list[str]]:
    """Every labelled segment of the raw videos, with the release's own corrections, and a sentence on those."""
    files = sorted(labels.glob("S*.txt"))
    if not files:
        raise BadRequest(f"{labels} holds no label file such as S1_Cheese_C1.txt")
    paths = by_stem(videos, [file.stem for file in files], "{name}.mp4")
    found, left_out = [], 0
    for file in files:
        subject = file.stem[:2]
        if not SUBJECT.fullmatch(subject):
            raise BadRequest(f"{file.name}: got a file name that begins with no subject, expected S1_Cheese_C1.txt")
        for segment in read_gtea_labels(file, fps):
            action = f"{segment.verb}_{','.join(segment.nouns)}"
            action = RELABELLED.get(action, action)
            if (subject, action) in LEFT_OUT:
                left_out += 1
                continue
            found.append(Labelled(file.stem, paths[file.stem], subject, action, segment))
    notes = [f"{left_out} segments 'put_tea' of S1 and S2 are left out, as in the release"] if left_out else []
    return found, notes


def _clip_folders(top: Path) -> Iterator[tuple[str, Path]]:
    for subject in _folders(top):
        if SUBJECT.fullmatch(subject.name):
            for action in _folders(subject):
                for instance in _folders(action):
                    yield f"{subject.name}/{action.name}/{instance.name}", instance


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        raise BadRequest(f"{place} is no folder, expected the one that holds the subjects S1, S2 ...")
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))


def _count(folder: Path) -> int:
    try:
        return len(list_frames(folder).numbers)
    except BadVideo:
        return 0


def _natural(name: str) -> list[tuple[int, str]]:
    """A sorting key in which instance 10 comes after instance 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in name.split("/")]
