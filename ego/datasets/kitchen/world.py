"""A whole world on a disk: which videos, which are done, each drawn whole or not at all, then the tables.

OUT/kitchen.json          what was asked for, so that a run can go on and a stranger's folder is refused
OUT/truth/<video>.npz     the truth of each frame (see `truth`)
OUT/truth/<index>.json    what the tables need of a video; written last: it is done
OUT/flow/<video>.npy      dense flow, where asked for
OUT/...                   the layout's own folders and files
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ego.datasets.kitchen import Kitchen, truth
from ego.datasets.kitchen.film import Film, Order, direct
from ego.datasets.kitchen.layouts._base import Layout, record, written
from ego.datasets.kitchen.shoot import Shoot, Watch
from ego.errors import BadRequest

VERSION = Kitchen.version
"""Raised when the same seed would give other pixels or other truth."""

LAYOUTS = {"folder": "Folder", "gtea61": "GTEA61", "egtea": "EGTEA", "epic55": "EPIC55", "epic100": "EPIC100",
           "ego4d": "Ego4D"}  # fmt: skip
STAMP = "kitchen.json"


@dataclass(frozen=True)
class World:
    """What is asked for; `fps` and `size` of None are the layout's own."""

    seed: int
    layout: str = "folder"
    seconds: float = 30.0
    fps: float | None = None
    size: tuple[int, int] | None = None
    flow: bool = False

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise BadRequest(f"got layout {self.layout!r}, expected one of: {', '.join(LAYOUTS)}")
        if not 4 <= self.seconds <= 3600:
            raise BadRequest(f"got {self.seconds:g} seconds a video, expected 4 to 3600")
        if self.fps is not None and not 5 <= self.fps <= 120:
            raise BadRequest(f"got {self.fps:g} frames a second, expected 5 to 120")
        if self.size is not None and (min(self.size) < 64 or max(self.size) > 4096 or any(n % 2 for n in self.size)):
            raise BadRequest(f"got a size of {self.size[0]}x{self.size[1]}, expected even numbers from 64 to 4096")

    def order(self, index: int) -> Order:
        """The order of video `index`: the same whatever else the world holds."""
        layout = self.made()
        return Order(
            self.seed, index, layout.split(index), self.seconds, self.fps or layout.fps, self.size or layout.size,
            layout.subject(index), layout.social,
        )  # fmt: skip

    def made(self) -> Layout:
        """The layout itself."""
        module = import_module(f"ego.datasets.kitchen.layouts.{self.layout}")
        layout: Layout = getattr(module, LAYOUTS[self.layout])()
        return layout


def begin(world: World, root: Path) -> None:
    """Makes the folder, or finds the same world begun there; anything else in it is a BadRequest."""
    stamp = {"kitchen": VERSION, **plain(world)}
    if (root / STAMP).is_file():
        found = json.loads((root / STAMP).read_text(encoding="utf-8"))
        if found != stamp:
            other = ", ".join(f"{key} {found.get(key)}" for key in stamp if found.get(key) != stamp[key])
            raise BadRequest(f"{root} holds another world ({other}); draw into a new folder or ask for the same again")
        return
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise BadRequest(f"{root} is not empty and no world of ego synth; draw into a new folder")
    try:
        root.mkdir(parents=True, exist_ok=True)
        written(root / STAMP, json.dumps(stamp, indent=1) + "\n")
    except OSError as error:
        raise BadRequest(f"{root} cannot be written: {error.strerror}; draw into a folder of your own") from error


def done(world: World, index: int, root: Path) -> bool:
    """Whether a video has been drawn whole."""
    return _marker(root, index).is_file()


def draw(world: World, index: int, root: Path, watch: Watch = lambda frames: None) -> str:
    """Draws one video with all that is its own, marks it done and returns its name."""
    film, layout = direct(world.order(index)), world.made()
    name = layout.name(film)
    (root / "truth").mkdir(parents=True, exist_ok=True)
    flow_file = _flow_file(root, name) if world.flow else None
    shoot = Shoot(film, watch, flow_file)
    layout.shoot(shoot, name, root)
    if flow_file is not None:
        flow_file.replace(root / "flow" / f"{name}.npy")
    truth.save(root / "truth" / f"{name}.npz", shoot.arrays)
    written(_marker(root, index), json.dumps(record(film, name)) + "\n")
    return name


def finish(world: World, videos: int, root: Path) -> list[dict[str, Any]]:
    """Writes the tables over the first `videos` videos; returns their records."""
    records = [json.loads(_marker(root, index).read_text(encoding="utf-8")) for index in range(videos)]
    world.made().finish(records, root)
    return records


def films(world: World, indices: Sequence[int]) -> list[Film]:
    """The films of these videos, undrawn."""
    return [direct(world.order(index)) for index in indices]


def _marker(root: Path, index: int) -> Path:
    return root / "truth" / f"{index:05d}.json"


def _flow_file(root: Path, name: str) -> Path:
    (root / "flow").mkdir(parents=True, exist_ok=True)
    return root / "flow" / f".{name}.npy.part"


def plain(world: World) -> dict[str, Any]:
    """A world as JSON."""
    fields: dict[str, Any] = json.loads(json.dumps(asdict(world)))
    return fields
