"""The files of EPIC-KITCHENS-55 and -100: segments, classes, video infos and where videos and frames lie."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ego.datasets._base import Stated
from ego.datasets._files import numbered
from ego.errors import BadRequest
from ego.signals.pictures import Pace, pictures_reading
from ego.signals.table import Line, read_table
from ego.video import Reading

Release = Literal[55, 100]
SPAN = ("participant_id", "video_id", "start_timestamp", "stop_timestamp")
LABELLED = ("verb_class", "noun_class", "all_nouns", "narration")
ID = {55: "uid", 100: "narration_id"}
TOPS, SPLITS = ("", "frames_rgb_flow/"), ("train", "test")
"""Where released frames and flow lie in the trees of the release."""


@dataclass(frozen=True)
class Segment:
    """One row: its id, video, participant, seconds and, unless it is for testing, its labels by name."""

    key: str
    video: str
    participant: str
    seconds: tuple[float, float]
    labels: Mapping[str, str]
    source: str


@dataclass(frozen=True)
class Classes:
    """Class names in the order of the official ids."""

    verb: tuple[str, ...]
    noun: tuple[str, ...]


def read_class_names(path: Path, release: Release) -> tuple[str, ...]:
    """The names of a verb or noun class file in the order of their ids, which run from 0 without a gap."""
    what = "verb" if "verb" in path.name else "noun"
    index, name = (f"{what}_id", "class_key") if release == 55 else ("id", "key")
    _, lines = read_table(path, [index, name])
    names: list[str] = []
    for line in lines:
        if line.whole(index) != len(names):
            raise BadRequest(f"{line.source}: got {what} id {line.text(index)}, expected {len(names)}: ids run from 0")
        names.append(line.text(name))
    if len(set(names)) != len(names):
        raise BadRequest(f"{path.name} names a class twice, expected names of their own")
    return tuple(names)


def read_segments(path: Path, release: Release, classes: Classes, labelled: bool) -> list[Segment]:
    """The rows of a csv; an id twice or outside the classes and a segment that stops before it starts are refused."""
    _, lines = read_table(path, [ID[release], *SPAN, *(LABELLED if labelled else ())])
    found: list[Segment] = []
    seen: dict[str, str] = {}
    for line in lines:
        key = line.text(ID[release])
        if key in seen:
            raise BadRequest(f"{line.source}: got {ID[release]} {key!r}, which {seen[key]} has too")
        seen[key] = line.source
        labels = _labels(line, classes) if labelled else {}
        who = line.text("participant_id")
        seconds = line.span("start_timestamp", "stop_timestamp")
        found.append(
            Segment(
                key, line.text("video_id"), who, seconds, {**labels, "participant": who, "segment": key}, line.source
            )
        )
    return found


def read_video_info(path: Path, release: Release) -> dict[str, Stated]:
    """Duration and native frame rate of each video; none where the file is not there."""
    if not path.exists():
        return {}
    name = "video" if release == 55 else "video_id"
    _, lines = read_table(path, [name, "duration", "fps"])
    return {line.text(name): Stated(line.seconds("duration"), line.seconds("fps")) for line in lines}


def read_many_shot(folder: Path, classes: Classes) -> dict[str, tuple[str, ...]]:
    """The classes of EPIC-KITCHENS-55's many-shot lists by label; none where the files are not there."""
    found: dict[str, tuple[str, ...]] = {}
    for label in ("verb", "noun"):
        path = folder / f"EPIC_many_shot_{label}s.csv"
        if path.exists():
            _, lines = read_table(path, [f"{label}_class"])
            found[label] = tuple(_name(line, f"{label}_class", getattr(classes, label)) for line in lines)
    path = folder / "EPIC_many_shot_actions.csv"
    if path.exists():
        _, lines = read_table(path, ["verb_class", "noun_class"])
        found["action"] = tuple(
            action_name(_name(line, "verb_class", classes.verb), _name(line, "noun_class", classes.noun))
            for line in lines
        )
    return found


def read_tail(folder: Path, classes: Classes) -> dict[str, tuple[str, ...]]:
    """The classes of EPIC-KITCHENS-100's tail lists by label; none where the files are not there."""
    found: dict[str, tuple[str, ...]] = {}
    for label in ("verb", "noun"):
        path = folder / f"EPIC_100_tail_{label}s.csv"
        if path.exists():
            _, lines = read_table(path, [label])
            found[label] = tuple(_name(line, label, getattr(classes, label)) for line in lines)
    return found


def action_name(verb: str, noun: str) -> str:
    """What a pair is called."""
    return f"{verb} {noun}"


def action_names(segments: Iterable[Segment], classes: Classes) -> tuple[str, ...]:
    """The pairs that some segment has, in the order of (verb id, noun id)."""
    verbs = {name: index for index, name in enumerate(classes.verb)}
    nouns = {name: index for index, name in enumerate(classes.noun)}
    pairs = {(verbs[one.labels["verb"]], nouns[one.labels["noun"]]) for one in segments if "verb" in one.labels}
    return tuple(action_name(classes.verb[verb], classes.noun[noun]) for verb, noun in sorted(pairs))


def nominal_rate(video: str, release: Release) -> float:
    """Frames a second of the released frames, whatever the video's own: 50 for the videos that 100 added, else 60."""
    return 50.0 if release == 100 and len(video.partition("_")[2]) == 3 else 60.0


def video_path(folder: Path, video: str, frames: bool) -> Path:
    """Where a video or its folder of frames lies, in the trees the release and its scripts make."""
    who = video.partition("_")[0]
    if frames:
        places = [f"{who}/{video}", f"train/{who}/{video}", f"test/{who}/{video}", f"{who}/rgb_frames/{video}", video]
        return next((folder / place for place in places if (folder / place).is_dir()), folder / places[0])
    places = [f"{who}/videos", f"{who}", f"train/{who}", f"test/{who}", f"videos/train/{who}", f"videos/test/{who}", ""]
    paths = [folder / place / f"{video}{suffix}" for place in places for suffix in (".MP4", ".mp4")]
    return next((path for path in paths if path.is_file()), paths[0])


def flow_reading(root: Path, folder: Path, video: str, rate: float) -> Reading | None:
    """The released flow of a video (`u` right, `v` down, numbered from 1), where it lies in a tree of the release.

    Picture k is of frames 2k - 2 and 2k + 1, counted from 0 at the rate of the released frames: flow was computed
    at every 2nd frame over 3 frames. u without v is a BadRequest.
    """
    who = video.partition("_")[0]
    places = [f"{who}/flow_frames/{video}", *(f"{top}flow/{split}/{who}/{video}" for top in TOPS for split in SPLITS)]
    found = next((base / place for base in (folder, root) for place in places if (base / place).is_dir()), None)
    if found is None:
        return None
    planes = {"x": numbered(found / "u"), "y": numbered(found / "v")}
    return pictures_reading("flow_images", planes, Pace(rate, first=1, stride=2, reach=3))


def _labels(line: Line, classes: Classes) -> dict[str, str]:
    verb, noun = _name(line, "verb_class", classes.verb), _name(line, "noun_class", classes.noun)
    try:
        nouns = [str(one) for one in ast.literal_eval(line.text("all_nouns"))]
    except (ValueError, SyntaxError, TypeError):
        raise BadRequest(f"{line.source}: got {line.text('all_nouns')!r:.80} as 'all_nouns', expected a list") from None
    narration = line.cells["narration"]
    return {"verb": verb, "noun": noun, "action": action_name(verb, noun), "nouns": ", ".join(nouns)} | {
        "narration": narration
    }


def _name(line: Line, column: str, names: tuple[str, ...]) -> str:
    index = line.whole(column)
    if not 0 <= index < len(names):
        raise BadRequest(f"{line.source}: got {index} as {column!r}, expected 0 to {len(names) - 1}")
    return names[index]
