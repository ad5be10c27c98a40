"""A head of clips with another of motion beside it, on the same rows."""

from collections.abc import Mapping

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, wanted
from ego.heads._shapes import is_attention, maps
from ego.heads.motion_segmentation import MotionSegmentation
from ego.video import Array


def parted(head: Head, motion: MotionSegmentation | None, tasks: Tasks) -> tuple[Tasks, Tasks]:
    """(tasks of clips, tasks of the motion head); a task of steps without a motion head is a BadRequest."""
    dense = {name: task for name, task in tasks.items() if task.reads}
    if dense and motion is None:
        raise BadRequest(
            f"got the task {next(iter(dense))!r}, which labels the steps of a clip, for {head.name} without a motion "
            "head; set head.motion = {} or use multitask"
        )
    return {name: task for name, task in tasks.items() if not task.reads}, dense


def own_maps(head: Head, motion: MotionSegmentation | None, shapes: Mapping[str, Array]) -> tuple[str, ...]:
    """The maps that the head itself runs over: those that its motion head names for itself are left to it."""
    left = motion.features if motion is not None else ()
    found = [name for name in maps(head, shapes) if name not in left] or list(maps(head, shapes))
    sides = {shapes[name].shape[-2:] for name in found}
    if len(sides) > 1:
        words = ", ".join(f"{name} {list(shapes[name].shape)}" for name in found)
        raise BadRequest(f"got maps of different sizes for {head.name}: {words}; name those of one size")
    return tuple(found)


def attention(head: Head, shapes: Mapping[str, Array]) -> str:
    """The name of the attention map (h, w) that the head reads, or nothing."""
    found = [name for name in wanted(head, shapes) if is_attention(shapes[name])]
    if len(found) > 1:
        raise BadRequest(f"got the maps {', '.join(found)} as attention for {head.name}, expected one at most")
    return found[0] if found else ""


def lead_of(head: Head, motion: MotionSegmentation | None, shapes: Mapping[str, Array]) -> str:
    """The map on whose steps motion is predicted, else the first of the head's own."""
    return own_maps(head, motion, shapes)[0] if motion is None else motion_map(head, motion, shapes)


def motion_map(head: Head, motion: MotionSegmentation, shapes: Mapping[str, Array]) -> str:
    """The map that the motion head sees: its own, or the first of the head it stands in."""
    return motion.lead(shapes) if motion.features else next(iter(maps(head, shapes)))
