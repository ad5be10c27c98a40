"""What a layout decides: who is who in which video, and what is written where."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.looks import SPLIT_OF_TURN
from ego.datasets.kitchen.shoot import Shoot

Record = Mapping[str, Any]
"""What is kept of a finished video for the tables: see `record`."""


class Layout(ABC):
    """One data set's way of lying on a disk."""

    fps: ClassVar[float] = 30.0
    size: ClassVar[tuple[int, int]] = (456, 256)
    social: ClassVar[float] = 0.3

    def split(self, index: int) -> str:
        """The split of video `index`."""
        return SPLIT_OF_TURN[index % len(SPLIT_OF_TURN)]

    def subject(self, index: int) -> str:
        """Who cooks in it; empty: the cast decides."""
        return ""

    @abstractmethod
    def name(self, film: Film) -> str:
        """The video's name, unique in its world, as the tables write it."""

    @abstractmethod
    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """Draws a video and writes all files that are its own."""

    @abstractmethod
    def finish(self, records: Sequence[Record], root: Path) -> None:
        """Writes the tables over all videos, in the order of their index."""


@dataclass(frozen=True)
class Action:
    """One action of a record."""

    verb: str
    noun: str
    start: float
    stop: float
    pnr: float | None


def record(film: Film, name: str) -> dict[str, Any]:
    """What the tables need to know of a film, as JSON."""
    order, cast = film.order, film.cast
    return {
        "name": name, "index": order.index, "split": order.split, "recipe": film.recipe, "subject": cast.subject.name,
        "room": cast.room.name, "seconds": order.seconds, "fps": order.fps, "size": list(order.size),
        "frames": len(film.times), "actions": [
            {"verb": one.verb, "noun": one.noun, "start": one.start, "stop": one.stop, "pnr": one.pnr}
            for one in film.play.segments
        ],
        "people": [
            {"name": one.name, "turns": [[turn.start, turn.stop, turn.to_wearer] for turn in one.turns]}
            for one in film.people
        ],
    }  # fmt: skip


def actions(one: Record) -> list[Action]:
    """The actions of a record in order of time."""
    return [Action(**action) for action in one["actions"]]


def written(path: Path, text: str) -> None:
    """A text file that appears whole, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8", newline="")
    beside.replace(path)
