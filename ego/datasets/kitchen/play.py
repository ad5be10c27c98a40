"""What happens in one video, written down: paths of the hands as keys, actions, holds, doors, eyes, noises."""

from dataclasses import dataclass, field

from ego.datasets.kitchen.room import Point

Pose = tuple[float, float, float, float, float]
"""x and y of the grasp in units, turn of the hand in degrees, grip 0..1, tilt of what is held in degrees."""


@dataclass(frozen=True)
class Segment:
    """One action as it happened; `pnr` is its point of no return in seconds, None where nothing changes."""

    verb: str
    noun: str
    start: float
    stop: float
    pnr: float | None
    side: int
    x: float
    y: float


@dataclass(frozen=True)
class Wave:
    """A to and fro of one hand on top of its path: half axes in units, beats a second."""

    side: int
    start: float
    stop: float
    across: float
    down: float
    hertz: float


@dataclass(frozen=True)
class Hold:
    """A thing in a hand, from grasp to release (infinite: until the end)."""

    noun: str
    side: int
    start: float
    stop: float


@dataclass
class Play:
    """All that happens in one video, on its clock and in units."""

    hands: tuple[list[tuple[float, Pose]], list[tuple[float, Pose]]]
    segments: list[Segment] = field(default_factory=list)
    waves: list[Wave] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    rests: dict[str, list[tuple[float, Point]]] = field(default_factory=dict)
    changes: dict[str, float] = field(default_factory=dict)
    doors: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    twists: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    streams: list[tuple[str, float, float, Point]] = field(default_factory=list)
    eyes: list[tuple[float, Point]] = field(default_factory=list)
    arrivals: list[tuple[float, int, Point]] = field(default_factory=list)
    sounds: list[tuple[str, float, float]] = field(default_factory=list)
