"""Acting a script out: when each hand is where, what it holds, what moves, and where the eyes must be."""

import numpy as np

from ego.datasets.kitchen.grammar import CHANGES_STATE, PORTABLE, Step, Steps, things
from ego.datasets.kitchen.items import SIZES
from ego.datasets.kitchen.looks import Subject
from ego.datasets.kitchen.play import Hold, Play, Pose, Segment, Wave
from ego.datasets.kitchen.room import Places, Point, perspective

SECONDS = {
    "take": 1.6, "put": 1.6, "open": 1.7, "close": 1.7, "turn-on": 1.6, "turn-off": 1.6, "pour": 2.6, "cut": 3.2,
    "stir": 3.0, "wash": 3.0, "shake": 2.2,
}  # fmt: skip
"""How long an action takes at an ordinary pace."""

TWIST = 28.0
"""Degrees a tap's lever or a hob's knob stands to the left when off, to the right when on."""


def grip_point(noun: str, at: Point) -> Point:
    """Where a hand holds a thing that stands at `at`."""
    lift = 0.0 if noun in ("knife", "spoon") else 0.42 * SIZES[noun][1]
    return at[0], at[1] - lift * perspective(at[1])


def act(rng: np.random.Generator, steps: Steps, spots: Places, subject: Subject, seconds: float) -> Play:
    """The play of as many whole steps as fit into `seconds`."""
    stage = _Stage(rng, spots, subject, steps)
    for step in steps:
        length = SECONDS[step.verb] * float(rng.uniform(0.85, 1.2)) / subject.pace
        if stage.now + length > seconds - 0.3:
            break
        stage.do(step, length)
    stage.close()
    return stage.play


class _Stage:
    """Where everything is at `now`; each action moves it on and writes down what happened."""

    def __init__(self, rng: np.random.Generator, spots: Places, subject: Subject, steps: Steps) -> None:
        self.rng, self.spots, self.subject = rng, spots, subject
        self.now = float(rng.uniform(0.5, 1.1))
        self.held: list[str | None] = [None, None]
        self.since = [0.0, 0.0]
        self.rest: tuple[Pose, Pose] = tuple(
            (480 + side * 150 - 75 + rng.uniform(-18, 18), 452 + rng.uniform(-10, 12), 0.0, 0.25, 0.0)
            for side in range(2)
        )  # type: ignore[assignment]
        self.poses = list(self.rest)
        self.play = Play(([(0.0, self.rest[0])], [(0.0, self.rest[1])]))
        needed = things(steps)
        spare = [noun for noun in rng.permutation(PORTABLE) if noun not in needed]
        here = (needed + spare[: max(0, int(rng.integers(5, 8)) - len(needed))])[: len(spots.slots)]
        order = rng.permutation(len(spots.slots))[: len(here)]
        self.homes = {noun: spots.slots[slot] for noun, slot in zip(here, order, strict=True)}
        self.places = dict(self.homes)
        if steps and steps[0].verb == "take" and steps[0].where == "board":
            self.places[steps[0].noun] = spots.board
        for noun, at in self.places.items():
            self.play.rests[noun] = [(0.0, at)]
            if noun == "pan" or rng.random() < 0.5:
                self.play.changes[noun] = -1.0
        self.play.doors = {name: [(0.0, 0.0)] for name in spots.doors}
        self.play.twists = {name: [(0.0, -TWIST)] for name in ("tap", "hob")}
        self.play.eyes.append((0.0, spots.board))

    def do(self, step: Step, length: float) -> None:
        start = self.now
        side, at, pnr = ACTS[step.verb](self, step, start, length)
        self.now = start + length
        change = pnr if step.verb in CHANGES_STATE else None
        self.play.segments.append(Segment(step.verb, step.noun, start, self.now, change, side, *at))
        self.now += float(self.rng.uniform(0.12, 0.5))

    def close(self) -> None:
        """What is still in a hand stays there to the end."""
        for side, noun in enumerate(self.held):
            if noun is not None:
                self.play.holds.append(Hold(noun, side, self.since[side], np.inf))

    def free(self) -> int:
        lead = self.subject.leads
        return lead if self.held[lead] is None else 1 - lead

    def holder(self, noun: str) -> int:
        return self.held.index(noun) if noun in self.held else self.free()

    def aside(self, side: int) -> Pose:
        """Where a hand waits with what it holds: in front of the cook."""
        x = 480 + side * 110 - 55 + self.rng.uniform(-14, 14)
        return (x, 404 + self.rng.uniform(-12, 12), 0.0, 1.0, 0.0)

    def over(self, where: str) -> Point:
        x, y = {"board": self.spots.board, "hob": (self.spots.hob[0], self.spots.hob[1] + 36)}.get(
            where, self.spots.board
        )
        return x, y

    def key(self, side: int, when: float, pose: Pose) -> None:
        """The hand is at `pose` at `when`; until the key before it stays where it was."""
        self.play.hands[side].append((when, pose))
        self.poses[side] = pose

    def still(self, side: int, when: float) -> None:
        self.key(side, when, self.poses[side])

    def look(self, arrives: float, middle: float, *targets: Point) -> None:
        """The eyes are there some hundred milliseconds before a hand, and go as long after the middle as they came.

        Of two targets the second is looked at from the middle on. That the eyes come and go alike is what makes
        an action played backwards look like its opposite.
        """
        before, after = self.rng.uniform(0.3, 0.48, 2)
        self._eyes(arrives - before, targets[0])
        if len(targets) > 1:
            self._eyes(middle, targets[1])
        self._eyes(2 * middle - arrives + after, (480 + self.rng.uniform(-25, 25), 398 + self.rng.uniform(-12, 12)))

    def _eyes(self, when: float, at: Point) -> None:
        self.play.eyes.append((max(float(when), self.play.eyes[-1][0] + 0.05), at))

    def arrive(self, side: int, at: Point, when: float) -> None:
        self.play.arrivals.append((when, side, at))


Done = tuple[int, Point, float]


def _take(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side = stage.free()
    at = grip_point(step.noun, stage.places[step.noun])
    stage.still(side, start)
    stage.look(start + 0.42 * length, start + 0.5 * length, at)
    stage.arrive(side, at, start + 0.42 * length)
    stage.key(side, start + 0.42 * length, (*at, 0.0, 0.0, 0.0))
    stage.key(side, start + 0.5 * length, (*at, 0.0, 1.0, 0.0))
    stage.key(side, start + length, stage.aside(side))
    stage.held[side], stage.since[side] = step.noun, start + 0.5 * length
    stage.play.sounds.append(("clink", start + 0.5 * length, 0.4))
    return side, at, start + 0.5 * length


def _put(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side = stage.holder(step.noun)
    spot = stage.over(step.where) if step.where != "home" else stage.homes[step.noun]
    at = grip_point(step.noun, spot)
    stage.still(side, start)
    stage.look(start + 0.42 * length, start + 0.5 * length, at)
    stage.arrive(side, at, start + 0.5 * length)
    stage.key(side, start + 0.5 * length, (*at, 0.0, 1.0, 0.0))
    stage.key(side, start + 0.58 * length, (*at, 0.0, 0.0, 0.0))
    stage.key(side, start + length, stage.rest[side])
    stage.play.holds.append(Hold(step.noun, side, stage.since[side], start + 0.5 * length))
    stage.held[side], stage.places[step.noun] = None, spot
    stage.play.rests[step.noun].append((start + 0.5 * length, spot))
    stage.play.sounds.append(("knock", start + 0.5 * length, 0.8))
    return side, at, start + 0.5 * length


def _hinge(stage: _Stage, step: Step, start: float, length: float) -> Done:
    """Opening pulls the handle towards the cook, closing pushes it back: one is the other reversed."""
    door, side = stage.spots.doors[step.noun], stage.free()
    shut, opened = door.handle, (door.handle[0] + door.swing[0], door.handle[1] + door.swing[1])
    first, last = (shut, opened) if step.verb == "open" else (opened, shut)
    marks = [start + part * length for part in (0.32, 0.38, 0.62, 0.68, 1.0)]
    stage.still(side, start)
    stage.look(marks[0], start + 0.5 * length, first, last)
    stage.arrive(side, first, marks[0])
    for when, at, grip in zip(marks, (first, first, last, last), (0.0, 0.8, 0.8, 0.0), strict=False):
        stage.key(side, when, (*at, 0.0, grip, 0.0))
    stage.key(side, marks[4], stage.rest[side])
    goes = (0.0, 1.0) if step.verb == "open" else (1.0, 0.0)
    stage.play.doors[step.noun] += [(marks[1], goes[0]), (marks[2], goes[1])]
    stage.play.sounds.append(("creak", marks[1], marks[2] - marks[1]))
    return side, first, marks[1]


def _turn(stage: _Stage, step: Step, start: float, length: float) -> Done:
    """On turns clockwise, off back again; water and glow begin and end half way."""
    side = stage.free()
    at = stage.spots.tap if step.noun == "tap" else stage.spots.knob
    at = (at[0], at[1] - (22 if step.noun == "tap" else 0))
    goes = (-TWIST, TWIST) if step.verb == "turn-on" else (TWIST, -TWIST)
    marks = [start + part * length for part in (0.3, 0.37, 0.63, 0.7, 1.0)]
    stage.still(side, start)
    stage.look(marks[0], start + 0.5 * length, at)
    stage.arrive(side, at, marks[0])
    for when, turn, grip in ((marks[0], goes[0], 0.1), (marks[1], goes[0], 0.7), (marks[2], goes[1], 0.7),
                             (marks[3], goes[1], 0.1)):  # fmt: skip
        swing = (at[0] + 14 * np.sin(np.deg2rad(turn)), at[1])
        stage.key(side, when, (*swing, turn, grip, 0.0))
    stage.key(side, marks[4], stage.rest[side])
    stage.play.twists[step.noun] += [(marks[1], goes[0]), (marks[2], goes[1])]
    stage.play.sounds.append(("click", start + 0.5 * length, 0.5))
    return side, at, start + 0.5 * length


def _pour(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side = stage.holder(step.noun)
    target = stage.over(step.where)
    lean = -1.0 if side == 1 else 1.0
    at = (target[0] - lean * 46, target[1] - 74)
    marks = [start + part * length for part in (0.28, 0.44, 0.66, 0.8, 1.0)]
    stage.still(side, start)
    stage.look(marks[0], start + 0.52 * length, at)
    stage.arrive(side, at, marks[0])
    stage.key(side, marks[0], (*at, 0.0, 1.0, 0.0))
    for when in marks[1:3]:
        stage.key(side, when, (*at, lean * 30, 1.0, lean * 96))
    stage.key(side, marks[3], (*at, 0.0, 1.0, 0.0))
    stage.key(side, marks[4], stage.aside(side))
    fall = (target[0], target[1] - 70)
    stage.play.streams.append(("pour", marks[1] - 0.08 * length, marks[2] + 0.05 * length, fall))
    stage.play.sounds.append(("water", marks[1], marks[2] - marks[1]))
    for noun, place in stage.places.items():
        if place == target and noun != step.noun:
            stage.play.changes.setdefault(noun, marks[1])
    return side, at, marks[1]


def _work(stage: _Stage, side: int, at: Point, start: float, length: float, wave: tuple[float, float, float]) -> float:
    """The acting hand goes to a place, beats there and comes back; returns when it begins to beat."""
    first, last = start + 0.2 * length, start + 0.84 * length
    stage.still(side, start)
    stage.look(first, start + 0.52 * length, at)
    stage.arrive(side, at, first)
    stage.key(side, first, (*at, 0.0, 1.0, 0.0))
    stage.key(side, last, (*at, 0.0, 1.0, 0.0))
    stage.key(side, start + length, stage.aside(side))
    stage.play.waves.append(Wave(side, first, last, *wave))
    return first


def _help(stage: _Stage, side: int, at: Point, start: float, length: float, grip: float) -> None:
    """The other hand comes, if it is free, and goes again."""
    if stage.held[side] is None:
        stage.still(side, start)
        for part in (0.22, 0.82):
            stage.key(side, start + part * length, (*at, 0.0, grip, 0.0))
        stage.key(side, start + length, stage.rest[side])


def _cut(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side, (x, y) = stage.holder("knife"), stage.over("board")
    hertz = 2.4 * stage.subject.pace
    first = _work(stage, side, (x + (side * 2 - 1) * 8, y + 22), start, length, (2.0, 13.0, hertz))
    _help(stage, 1 - side, (x - (side * 2 - 1) * 34, y - 2), start, length, 0.8)
    when = start + 0.4 * length
    stage.play.changes.setdefault(step.noun, when)
    stage.play.sounds += [("chop", beat, 0.7) for beat in np.arange(first, start + 0.84 * length, 1 / hertz)]
    return side, (x, y), when


def _stir(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side, (x, y) = stage.holder("spoon"), stage.places[step.noun]
    lift = SIZES[step.noun][1] * 0.6
    wave = (15.0, 9.0, 1.5 * stage.subject.pace)
    _work(stage, side, (x, y - lift + 24), start, length, wave)
    return side, (x, y - lift), start + 0.3 * length


def _wash(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side, (x, y) = stage.holder(step.noun), stage.spots.sink
    _work(stage, side, (x + 14, y - 4), start, length, (3.0, 2.0, 1.0))
    helper = 1 - side
    if stage.held[helper] is None:
        _help(stage, helper, (x + 20 - (side * 2 - 1) * 34, y), start, length, 0.5)
        hertz = 3.0 * stage.subject.pace
        stage.play.waves.append(Wave(helper, start + 0.22 * length, start + 0.82 * length, 13.0, 5.0, hertz))
    return side, (x, y), start + 0.3 * length


def _shake(stage: _Stage, step: Step, start: float, length: float) -> Done:
    side = stage.holder(step.noun)
    at = (480.0 + side * 80 - 40, 345.0)
    _work(stage, side, at, start, length, (4.0, 22.0, 3.6 * stage.subject.pace))
    return side, at, start + 0.3 * length


ACTS = {
    "take": _take, "put": _put, "open": _hinge, "close": _hinge, "turn-on": _turn, "turn-off": _turn, "pour": _pour,
    "cut": _cut, "stir": _stir, "wash": _wash, "shake": _shake,
}  # fmt: skip
