"""What is done in the kitchen: verbs, nouns, the pairs that make sense, and recipes as sequences of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

VERBS = ("take", "put", "open", "close", "turn-on", "turn-off", "pour", "cut", "stir", "wash", "shake")
NOUNS = (
    "cup", "bowl", "plate", "pan", "bottle", "jar", "kettle", "knife", "spoon", "tomato", "carrot", "bread", "sponge",
    "drawer", "cupboard", "fridge", "tap", "hob",
)  # fmt: skip
DIRECTION_PAIRS = (("take", "put"), ("open", "close"), ("turn-on", "turn-off"))
"""Verbs that are each other's time reversal: their frames, taken without order, are alike."""

PORTABLE = NOUNS[:13]
NOUNS_OF: dict[str, tuple[str, ...]] = {
    "take": PORTABLE, "put": PORTABLE, "open": ("drawer", "cupboard", "fridge"),
    "close": ("drawer", "cupboard", "fridge"), "turn-on": ("tap", "hob"), "turn-off": ("tap", "hob"),
    "pour": ("bottle", "jar", "kettle"), "cut": ("tomato", "carrot", "bread"), "stir": ("cup", "bowl", "pan"),
    "wash": ("cup", "bowl", "plate", "tomato", "sponge"), "shake": ("bottle", "jar"),
}  # fmt: skip
ACTIONS = tuple((verb, noun) for verb in VERBS for noun in NOUNS_OF[verb])
"""Every (verb, noun) that may happen; its place here is its class number."""

CHANGES_STATE = frozenset({"take", "put", "open", "close", "turn-on", "turn-off", "pour", "cut"})
"""Verbs with a point of no return; the others leave things as they were."""


@dataclass(frozen=True)
class Step:
    """One action to do; `where` is what a thing is put on or done over: `home`, `board` or `hob`."""

    verb: str
    noun: str
    where: str = "home"


Steps = list[Step]


def script(rng: np.random.Generator) -> tuple[str, Steps]:
    """A recipe's name and its actions in order, one way of doing it among many."""
    names = list(RECIPES)
    weights = np.array([RECIPES[name][0] for name in names])
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return name, RECIPES[name][1](rng)


def things(steps: Steps) -> list[str]:
    """The portable things a recipe needs, in order of first use."""
    return list(dict.fromkeys(step.noun for step in steps if step.noun in PORTABLE))


def _fetch(rng: np.random.Generator, thing: str, door: str, where: str = "home") -> Steps:
    """Opening with free hands and closing with a full one, or the other way round: neither tells which it is."""
    take, put = Step("take", thing), Step("put", thing, where)
    if rng.random() < 0.5:
        return [Step("open", door), take, Step("close", door), put]
    return [take, Step("open", door), put, Step("close", door)]


def _beside(rng: np.random.Generator, door: str, use: Steps) -> Steps:
    """A use of a tool, its first or its last step between opening and closing a door; or no door at all."""
    opened, shut, way = Step("open", door), Step("close", door), rng.random()
    if way < 0.3:
        return [opened, use[0], shut, *use[1:]]
    return [*use[:-1], opened, use[-1], shut] if way < 0.6 else use


def _move(thing: str, where: str) -> Steps:
    return [Step("take", thing), Step("put", thing, where)]


def _use(tool: str, *steps: Step) -> Steps:
    return [Step("take", tool), *steps, Step("put", tool)]


def _rinse(thing: str, where: str = "home") -> Steps:
    water = [Step("turn-on", "tap"), Step("wash", thing), Step("turn-off", "tap")]
    return [Step("take", thing), *water, Step("put", thing, where)]


def _chop(rng: np.random.Generator, food: str) -> Steps:
    bring = _rinse(food, "board") if food == "tomato" and rng.random() < 0.6 else _move(food, "board")
    knife = _beside(rng, "drawer", _use("knife", Step("cut", food, "board")))
    return [*bring, *knife, *_move(food, "home")]


def _tea(rng: np.random.Generator) -> Steps:
    cup = _fetch(rng, "cup", "cupboard", "board") if rng.random() < 0.7 else _move("cup", "board")
    pour = _use("kettle", Step("pour", "kettle", "board"))
    stir = _use("spoon", Step("stir", "cup", "board"))
    return [*cup, *pour, *stir, *_move("cup", "home")]


def _dishes(rng: np.random.Generator) -> Steps:
    chosen = rng.permutation(["cup", "plate", "bowl"])[: int(rng.integers(2, 4))]
    done = [step for thing in chosen for step in _rinse(str(thing))]
    return [*done, *(_rinse("sponge") if rng.random() < 0.5 else _move("sponge", "home"))]


def _salad(rng: np.random.Generator) -> Steps:
    foods = list(rng.permutation(["tomato", "carrot"]))
    fridge = _fetch(rng, str(foods[0]), "fridge") if rng.random() < 0.7 else []
    bowl = [*_move("bowl", "board"), *_use("spoon", Step("stir", "bowl", "board")), *_move("bowl", "home")]
    return [*fridge, *_chop(rng, str(foods[0])), *(_chop(rng, str(foods[1])) if rng.random() < 0.6 else []), *bowl]


def _fry(rng: np.random.Generator) -> Steps:
    shake = [Step("shake", "bottle")] if rng.random() < 0.5 else []
    oil = _use("bottle", *shake, Step("pour", "bottle", "hob"))
    stir = _use("spoon", Step("stir", "pan", "hob"))
    on, off = [Step("turn-on", "hob")], [Step("turn-off", "hob")]
    return [*_move("pan", "hob"), *on, *oil, *stir, *off, *_move("pan", "home")]


def _batter(rng: np.random.Generator) -> Steps:
    bring = _fetch(rng, "bowl", "cupboard", "board") if rng.random() < 0.5 else _move("bowl", "board")
    shake = [Step("shake", "jar")] if rng.random() < 0.6 else []
    pour = _use("jar", *shake, Step("pour", "jar", "board"))
    return [*bring, *pour, *_use("spoon", Step("stir", "bowl", "board")), *_move("bowl", "home")]


def _sandwich(rng: np.random.Generator) -> Steps:
    plate = _fetch(rng, "plate", "cupboard") if rng.random() < 0.5 else []
    return [*_chop(rng, "bread"), *plate, *_chop(rng, "tomato")]


def _drink(rng: np.random.Generator) -> Steps:
    pour = _beside(rng, "fridge", _use("bottle", Step("pour", "bottle", "board")))
    return [*_move("cup", "board"), *pour, *_move("cup", "home")]


def _tidy(rng: np.random.Generator) -> Steps:
    chosen = rng.permutation(["cup", "plate", "jar", "kettle", "pan"])[:3]
    pairs = zip(chosen, ("cupboard", "drawer", "cupboard"), strict=True)
    return [step for thing, door in pairs for step in _fetch(rng, str(thing), door)]


RECIPES: dict[str, tuple[float, Callable[[np.random.Generator], Steps]]] = {
    "tea": (7, _tea), "salad": (5, _salad), "dishes": (4, _dishes), "fry": (3, _fry), "batter": (1.6, _batter),
    "sandwich": (1.2, _sandwich), "drink": (0.8, _drink), "tidy": (0.6, _tidy),
}  # fmt: skip
"""Each recipe's weight and how one way of doing it is drawn."""
