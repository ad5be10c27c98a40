"""EGTEA Gaze+: clips cut from sessions at 24 frames a second, gaze as BeGaze exports it, three splits."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.grammar import ACTIONS, NOUNS, RECIPES, VERBS
from ego.datasets.kitchen.layouts import _begaze
from ego.datasets.kitchen.layouts._base import Action, Layout, Record, actions, record, written
from ego.datasets.kitchen.shoot import Shoot, film_file
from ego.datasets.kitchen.sprites import Pixels
from ego.media.encode import encode

WIDER = 0.1016
"""The part of an action's length by which its clip is longer, on each side."""


class EGTEA(Layout):
    """Sessions with an even number are `OP` (BeGaze 3.1), the others `P` (BeGaze 3.4)."""

    fps: ClassVar[float] = 24.0
    size: ClassVar[tuple[int, int]] = (640, 480)
    social: ClassVar[float] = 0.0

    def name(self, film: Film) -> str:
        """`OP01-R01-Tea`: session, recipe number, recipe."""
        number = list(RECIPES).index(film.recipe) + 1
        letters = "OP" if film.order.index % 2 == 0 else "P"
        return f"{letters}{film.order.index + 1:02d}-R{number:02d}-{film.recipe.capitalize()}"

    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """The session's video, its gaze, and a clip of each action."""
        frames = _clips(shoot, record(shoot.film, name), root / "cropped_clips" / name)
        film_file(root / "videos" / f"{name}.mp4", shoot.film, frames)
        gaze = _begaze.text(shoot.arrays, shoot.film.order.fps, shoot.film.order.seconds, name.startswith("OP"))
        written(root / "gaze_data" / f"{name}.txt", gaze)

    def finish(self, records: Sequence[Record], root: Path) -> None:
        """Class lists, the raw labels and the three splits under `action_annotation/`."""
        folder = root / "action_annotation"
        _list(folder / "verb_idx.txt", [_said(verb) for verb in VERBS])
        _list(folder / "noun_idx.txt", list(NOUNS))
        _list(folder / "action_idx.txt", [f"{_said(verb)} {noun}" for verb, noun in ACTIONS])
        raw = ["# Clip ID (Unique, used only internally); Clip Prefix (Unique); Video Session; Starting Time (ms);  "
               "Ending Time (ms); Action Label; Verb Label; Noun Label(s)"]  # fmt: skip
        lines: list[tuple[Record, str]] = []
        for one in records:
            for action in actions(one):
                start, stop = _milliseconds(action)
                raw.append(
                    f"{len(raw)}; {one['name']}-{start}-{stop}; {one['name']}; {start}; {stop}; "
                    f"{_said(action.verb)} {action.noun}; {_said(action.verb)}; {action.noun}"
                )
                numbers = (
                    ACTIONS.index((action.verb, action.noun)),
                    VERBS.index(action.verb),
                    NOUNS.index(action.noun),
                )
                lines.append((one, " ".join([clip_name(one, action), *(str(number + 1) for number in numbers)])))
        written(folder / "raw_annotations" / "action_labels.csv", "\n".join(raw) + "\n")
        index = [f"{n}; {_said(verb)} {noun}; {_said(verb)}; {noun}" for n, (verb, noun) in enumerate(ACTIONS)]
        head = "# Action ID; Action Label; Verb Label; Noun Label(s)"
        written(folder / "raw_annotations" / "cls_label_index.csv", "\n".join([head, *index]) + "\n")
        for split, turn in ((1, 2), (2, 1), (3, 3)):
            for part, wanted in (("test", True), ("train", False)):
                chosen = [line for one, line in lines if (one["index"] % 5 == turn) == wanted]
                written(folder / f"{part}_split{split}.txt", "".join(f"{line}\n" for line in chosen))


def clip_name(one: Record, action: Action) -> str:
    """`<session>-<start ms>-<stop ms>-F<first>-F<last>`."""
    first, last = _frames(one, action)
    start, stop = _milliseconds(action)
    return f"{one['name']}-{start}-{stop}-F{first:06d}-F{last:06d}"


def _said(verb: str) -> str:
    return verb.replace("-", " ").capitalize()


def _list(path: Path, names: Sequence[str]) -> None:
    written(path, "".join(f"{name} {number}\n" for number, name in enumerate(names, 1)))


def _milliseconds(action: Action) -> tuple[int, int]:
    return round(action.start * 1000), round(action.stop * 1000)


def _frames(one: Record, action: Action) -> tuple[int, int]:
    """First and last frame of a clip, both in it."""
    wider = WIDER * (action.stop - action.start)
    first, last = int((action.start - wider) * one["fps"]), int((action.stop + wider) * one["fps"])
    return max(0, first), min(last, one["frames"] - 1)


def _clips(shoot: Shoot, one: Record, folder: Path) -> Iterator[Pixels]:
    """The session's frames, each clip written as soon as its last one has passed."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [(*_frames(one, action), clip_name(one, action)) for action in actions(one)]
    kept: dict[str, list[Pixels]] = {name: [] for _, _, name in waiting}
    for index, picture in enumerate(shoot.frames()):
        for first, last, name in waiting:
            if first <= index <= last:
                kept[name].append(picture)
            if index == last:
                encode(folder / f"{name}.mp4", kept.pop(name), one["fps"], crf=22, options={"threads": "1"})
        yield picture
