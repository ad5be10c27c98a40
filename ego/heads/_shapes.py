"""What heads ask of the features and tasks they are built for: widths, and which tasks they can predict."""

from collections.abc import Mapping
from math import prod

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, wanted
from ego.video import Array


def pooled_width(array: Array, name: str) -> int:
    """How many numbers the mean of a feature's rows has for the head `name`: of maps, one a channel."""
    if array.views and array.kind == "map":
        raise BadRequest(
            f"got maps of {len(array.views)} views for {name}, which averages the places of one; extract one view, or "
            "vectors"
        )
    return array.shape[0] if array.kind == "map" else prod(array.shape)


def step_width(array: Array, name: str) -> int:
    """How many numbers a step of a feature has for a head that takes steps in order: of tokens, one token's."""
    if array.kind == "map" and len(array.shape) == 2:
        return prod(array.shape)
    return array.shape[-1] if array.kind == "tokens" else pooled_width(array, name)


def of_clips(head: Head, tasks: Tasks) -> dict[str, tuple[int, ...]]:
    """The shapes of the tasks, each of clips; a task of steps is a BadRequest."""
    for name, task in tasks.items():
        if task.reads:
            raise BadRequest(
                f"got the task {name!r}, which labels the steps of a clip, for {head.name}, which predicts one thing "
                "a clip; use multitask, stam, motion_segmentation, lstm or tcn"
            )
    return {name: task.shape for name, task in tasks.items()}


def maps(head: Head, shapes: Mapping[str, Array]) -> dict[str, Array]:
    """The maps with channels, (C, h, w) or (C, T, h, w), that a head reads, of one view each; none is a BadRequest."""
    found = {name: shapes[name] for name in wanted(head, shapes) if is_map(shapes[name])}
    for name, array in found.items():
        if array.views:
            raise BadRequest(f"got {len(array.views)} views of {name!r} for {head.name}, which sees one; extract one")
    if not found:
        known = ", ".join(f"{name} {list(shapes[name].shape)}" for name in wanted(head, shapes))
        raise BadRequest(f"{head.name} needs a map (channels, height, width), such as resnet's bn; it got: {known}")
    return found


def is_map(array: Array) -> bool:
    """Whether a row is a map with channels."""
    return array.kind == "map" and len(array.shape) - bool(array.views) in (3, 4)


def is_attention(array: Array) -> bool:
    """Whether a row is one number a place, such as a class activation."""
    return array.kind == "map" and len(array.shape) - bool(array.views) == 2


def share(name: str, field: str, value: float) -> None:
    """Nothing, or a BadRequest where a share that is dropped is not one."""
    if not 0 <= value < 1:
        raise BadRequest(f"got {name}.{field} = {value:g}, expected 0 <= {field} < 1")


def positive(head: Head, *fields: str) -> None:
    """Nothing, or a BadRequest where one of the fields is below 1."""
    for field in fields:
        if getattr(head, field) < 1:
            raise BadRequest(f"got {head.name}.{field} = {getattr(head, field)}, expected at least 1")


def vectors(head: Head, tasks: Tasks) -> tuple[str, ...]:
    """The names of the tasks of steps, each of one vector a step; one of maps is a BadRequest."""
    for name, task in tasks.items():
        if task.reads and len(task.shape) > 1:
            raise BadRequest(
                f"got the task {name!r} of shape {list(task.shape)}, a map of each step, for {head.name}; use "
                "multitask, stam or motion_segmentation"
            )
    return tuple(name for name, task in tasks.items() if task.reads)
