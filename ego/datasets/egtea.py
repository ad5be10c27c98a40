"""EGTEA Gaze+ (Li, Liu and Rehg 2018): 86 cooking sessions, 10,321 clips, gaze beside every session."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from ego.datasets._base import Annotation, Annotations, Dataset, Stated
from ego.datasets._files import by_stem
from ego.errors import BadRequest
from ego.signals.begaze import read_begaze
from ego.signals.gaze import shifted
from ego.signals.table import read_lines, whole
from ego.video import Reading

FPS = 24
FOLDERS = {"clips": "cropped_clips", "frames": "clips_frames", "sessions": "videos"}
LABELS = ("action", "verb", "noun")
CLIP = re.compile(
    r"(?P<session>.+)-(?P<start>[0-9]{1,9})-(?P<stop>[0-9]{1,9})-F(?P<first>[0-9]{1,8})-F(?P<last>[0-9]{1,8})"
)


class Named(NamedTuple):
    """What a clip's name says: its session, and the first and last of the session's frames in it."""

    session: str
    first: int
    last: int

    @property
    def seconds(self) -> tuple[float, float]:
        """Where the clip lies on the session's clock."""
        return self.first / FPS, (self.last + 1) / FPS


@dataclass(frozen=True)
class Egtea(Dataset):
    """The clips of the three official splits, each a fold with `train` and `test`.

    `layout` says what is here: `clips` cropped as released, `frames` (a folder of pictures a clip) or
    whole `sessions`, in which a clip is a span. `folder` is where they lie (by layout: `cropped_clips`,
    `clips_frames`, `videos`), `annotations` and `gaze` the folders of text files. Labels are `action`,
    `verb`, `noun` (the first one) and the text `nouns`.
    """

    layout: Literal["clips", "frames", "sessions"] = "clips"
    splits_read: tuple[Literal[1, 2, 3], ...] = (1, 2, 3)
    folder: str = ""
    annotations: str = "action_annotation"
    gaze: str = "gaze_data"

    def read(self, root: Path) -> Annotations:
        """All clips that some split lists, in the order of the first split's files."""
        place = root / self.annotations
        classes = {label: read_classes(place / f"{label}_idx.txt") for label in LABELS}
        clips: dict[str, Annotation] = {}
        folds: dict[str, dict[str, tuple[int, ...]]] = {}
        order: dict[str, int] = {}
        for number in self.splits_read:
            fold: dict[str, tuple[int, ...]] = {}
            seen: dict[str, str] = {}
            for split in ("train", "test"):
                found = read_split(place / f"{split}_split{number}.txt", classes)
                for name, clip in found:
                    if name in seen:
                        raise BadRequest(f"{clip.source}: the clip {name!r} stands in {seen[name]} too")
                    seen[name] = clip.source
                    known = clips.setdefault(name, clip)
                    if known.labels != clip.labels:
                        raise BadRequest(f"{clip.source}: the clip {name!r} has other labels in {known.source}")
                    order.setdefault(name, len(order))
                fold[split] = tuple(order[name] for name, _ in found)
            folds[f"split{number}"] = fold
        return self._annotations(root, classes, clips, folds)

    def published(self) -> Mapping[str, int]:
        """The counts of the paper and of the split files."""
        sizes = {1: (8299, 2022), 2: (8299, 2022), 3: (8300, 2021)}
        counts = {f"{label} classes": count for label, count in zip(LABELS, (106, 19, 53), strict=True)}
        for number in self.splits_read:
            for split, count in zip(("train", "test"), sizes[number], strict=True):
                counts[f"split{number} {split} clips"] = count
        return counts | {"clips": 10321} | ({"videos": 86 if self.layout == "sessions" else 10321})

    def signals(self) -> tuple[str, ...]:
        """Gaze."""
        return ("gaze",)

    def readings(self, root: Path, video: str) -> dict[str, Reading]:
        """The gaze of a clip, on the clip's own clock, or of a session; none where the session has no file."""
        named = None if self.layout == "sessions" else clip_name(video, "the video")
        session = video if named is None else named.session
        for name in (f"{session}.txt", f"{session}-GazeData.txt"):
            path = root / self.gaze / name
            if path.is_file():
                reading = _session_gaze(path, path.stat().st_mtime_ns)
                return {"gaze": reading if named is None else shifted(reading, *named.seconds)}
        return {}

    def _annotations(
        self,
        root: Path,
        classes: dict[str, tuple[str, ...]],
        clips: dict[str, Annotation],
        folds: dict[str, dict[str, tuple[int, ...]]],
    ) -> Annotations:
        place = root / (self.folder or FOLDERS[self.layout])
        named = {name: clip_name(name, clip.source) for name, clip in clips.items()}
        if self.layout == "sessions":
            sessions = sorted({one.session for one in named.values()})
            spans = {name: (one.session, (one.seconds,)) for name, one in named.items()}
            made = tuple(
                Annotation(spans[name][0], spans[name][1], clip.labels, source=clip.source)
                for name, clip in clips.items()
            )
            stated = dict.fromkeys(sessions, Stated(fps=FPS))
            return Annotations(
                by_stem(place, sessions, "{name}.mp4"), classes, made, folds, stated=stated, within_videos=True
            )
        stated = {name: Stated((one.last + 1 - one.first) / FPS, FPS) for name, one in named.items()}
        if self.layout == "frames":
            videos = {name: place / one.session / name for name, one in named.items()}
            rates = dict.fromkeys(videos, float(FPS))
        else:
            videos, rates = by_stem(place, named, "{name}.mp4"), {}
        return Annotations(videos, classes, tuple(clips.values()), folds, rates=rates, stated=stated)


def clip_name(name: str, source: str) -> Named:
    """The parts of a clip's name `SESSION-startms-stopms-Ffirst-Flast`, else a BadRequest."""
    match = CLIP.fullmatch(name)
    if match is None or int(match["first"]) > int(match["last"]) or int(match["start"]) > int(match["stop"]):
        raise BadRequest(f"{source}: got the clip {name!r}, expected SESSION-start-stop-Ffirst-Flast, start <= stop")
    return Named(match["session"], int(match["first"]), int(match["last"]))


def read_classes(path: Path) -> tuple[str, ...]:
    """The names of an `*_idx.txt` (`name with spaces id`, ids from 1) in the order of their ids."""
    found: dict[int, str] = {}
    for number, line in enumerate(read_lines(path, "a list of class names and ids"), 1):
        if not line.strip():
            continue
        source = f"{path.name}, line {number}"
        name, _, text = line.strip().rpartition(" ")
        index = whole(text, "a class id", source)
        if not name.strip() or index in found or index < 1:
            raise BadRequest(f"{source}: got {line.strip()!r:.80}, expected a name and an id of its own from 1 up")
        found[index] = name.strip()
    if not found or sorted(found) != list(range(1, len(found) + 1)):
        raise BadRequest(f"{path.name} holds {len(found)} ids, expected every id from 1 up without a gap")
    return tuple(found[index] for index in sorted(found))


def read_split(path: Path, classes: Mapping[str, tuple[str, ...]]) -> list[tuple[str, Annotation]]:
    """(clip name, its labels) of each line `CLIP action verb noun [noun ...]`; ids count from 1.

    A path before the clip's name, Windows' included, a suffix and quotes around the line are left out.
    """
    found = []
    for number, line in enumerate(read_lines(path, "a split file"), 1):
        words = line.strip().strip('"').split()
        if not words:
            continue
        source = f"{path.name}, line {number}"
        if len(words) < 4:
            hint = "; its cells look divided by commas" if "," in line else ""
            raise BadRequest(f"{source}: got {line.strip()!r:.80}, expected CLIP ACTION VERB NOUN with spaces{hint}")
        name = words[0].replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".mp4")
        clip_name(name, source)
        action, verb = _class(words[1], "action", classes, source), _class(words[2], "verb", classes, source)
        nouns = tuple(_class(word, "noun", classes, source) for word in words[3:])
        labels = {"action": action, "verb": verb, "noun": nouns[0], "nouns": ", ".join(nouns)}
        found.append((name, Annotation(name, (), labels, source=source)))
    return found


def _class(text: str, label: str, classes: Mapping[str, tuple[str, ...]], source: str) -> str:
    index = whole(text, f"the {label}", source)
    if not 1 <= index <= len(classes[label]):
        raise BadRequest(f"{source}: got {label} id {index}, expected 1 to {len(classes[label])} ({label}_idx.txt)")
    return classes[label][index - 1]


@lru_cache(maxsize=128)  # all 86 sessions: clips are listed by class, so they alternate
def _session_gaze(path: Path, _changed: int) -> Reading:
    return read_begaze(path, FPS).reading(FPS)
