"""One video before it is drawn: everything that is known of it at every frame, from its seed alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen import grammar, hands, looks, paths, people, play, room, sound, stage
from ego.datasets.kitchen.sprites import Matrix

CLEARED = 0.35
"""The share of videos that begin with something on the board, to be put back first."""


@dataclass(frozen=True)
class Order:
    """What is asked for: one video of a world. Equal orders give equal films and equal pixels."""

    seed: int
    index: int
    split: str
    seconds: float
    fps: float
    size: tuple[int, int]
    """Width and height in pixels, both even."""
    subject: str = ""
    social: float = 0.3
    """The share of videos with people across the counter."""


@dataclass(frozen=True, eq=False)
class Film:
    """A video's truth in units of the world; `cameras` takes it to pixels.

    `hands` (T, 2, 5) poses, `parts` (T, 2, 12, 3, 3), `points` (T, 2, 8, 2), `cameras` (T, 3, 3),
    `gaze` (T, 2) with `gaze_type` (T,), doors open 0..1 and twists in degrees by name (T,).
    """

    order: Order
    cast: looks.Cast
    recipe: str
    spots: room.Places
    play: play.Play
    times: Matrix
    hands: Matrix
    parts: Matrix
    points: Matrix
    doors: dict[str, Matrix]
    twists: dict[str, Matrix]
    gaze: Matrix
    gaze_type: NDArray[np.uint8]
    cameras: Matrix
    people: tuple[people.Person, ...]
    mouths: Matrix
    """(people, T) how far each mouth is open."""
    voices: NDArray[np.float32]
    sound: NDArray[np.float32]

    @property
    def scale(self) -> float:
        """Pixels a unit."""
        return self.order.size[1] / 256


def direct(order: Order) -> Film:
    """The film of an order."""
    cast = looks.cast(order.seed, order.index, order.split, order.subject)
    rng = np.random.default_rng([order.seed, order.index, 41])
    times = np.arange(round(order.seconds * order.fps)) / order.fps
    recipe, steps = grammar.script(rng)
    while sum(stage.SECONDS[step.verb] + 0.3 for step in steps) < 1.4 * order.seconds:
        steps = steps + grammar.script(rng)[1]
    if rng.random() < CLEARED:  # videos end in the middle of things, so some begin there: the board is in use
        left = grammar.things(steps)[0]
        steps = [grammar.Step("take", left, "board"), grammar.Step("put", left), *steps]
    spots = room.places(cast.room)
    play = stage.act(rng, _within(steps, len(spots.slots)), spots, cast.subject, order.seconds)
    poses = np.stack([paths.hand(times, play.hands[side], rng) for side in range(2)], 1)
    for side in range(2):
        poses[:, side, :2] += paths.waves(times, play, side)
    posed = [_posed(side, poses[:, side], cast.subject.hand) for side in range(2)]
    others = people.company(times, rng, order.split == "test") if rng.random() < order.social else []
    gaze, kind = paths.eyes(times, _glances(play, others, rng), rng)
    cameras = paths.head(times, gaze, 50.0 if others else 0.0, rng, order.size)
    kind = _truncated(gaze, kind, cameras, order.size)
    twists = {name: paths.keyed(times, keys) for name, keys in play.twists.items()}
    said = [sound.voice(person, order.seconds, rng) for person in others]
    noises = sound.noises(play, times, (twists["tap"] > 0).astype(float), rng)
    voices = np.sum([one[0] for one in said], 0) if said else np.zeros_like(noises)
    voices = np.resize(voices, len(noises)) if len(voices) else np.zeros_like(noises)
    samples = np.minimum((times * sound.RATE).astype(int), len(noises) - 1)
    return Film(
        order, cast, recipe, spots, play, times, poses,
        np.stack([one.parts for one in posed], 1), np.stack([one.points for one in posed], 1),
        {name: paths.keyed(times, keys) for name, keys in play.doors.items()}, twists, gaze, kind, cameras,
        tuple(others), np.array([one[1][np.minimum(samples, len(one[1]) - 1)] for one in said]).reshape(-1, len(times)),
        voices.astype(np.float32), np.clip(noises + voices, -1, 1).astype(np.float32),
    )  # fmt: skip


def _posed(side: int, path: Matrix, size: float) -> hands.Posed:
    """One hand along its path (T, 5), larger where it is nearer to the eye."""
    near = room.perspective(path[:, 1] + 60)
    return hands.pose(side, path[:, :2], path[:, 2], path[:, 3], 1.15 * size * near)


def _within(steps: grammar.Steps, slots: int) -> grammar.Steps:
    """The steps up to the first that would need more things than there are places on the counter."""
    for count in range(len(steps), 0, -1):
        if len(grammar.things(steps[:count])) <= slots:
            return steps[:count]
    return steps[:0]


def _glances(play: play.Play, others: list[people.Person], rng: np.random.Generator) -> list[tuple[float, room.Point]]:
    """The eyes' targets: those of the work, and now and then the face of who begins to talk."""
    targets = list(play.eyes)
    for person in others:
        x, y = person.centre.mean(0)
        for turn in person.turns:
            if rng.random() < 0.6:
                targets.append((turn.start + float(rng.uniform(0.15, 0.4)), (float(x), float(y))))
    return sorted(targets)


def _truncated(gaze: Matrix, kind: NDArray[np.uint8], cameras: Matrix, size: tuple[int, int]) -> NDArray[np.uint8]:
    seen = np.stack([paths.through(camera, point) for camera, point in zip(cameras, gaze, strict=True)])
    outside = ((seen < 0) | (seen >= size)).any(1) & (kind != paths.UNTRACKED)
    return np.where(outside, paths.TRUNCATED, kind).astype(np.uint8)
