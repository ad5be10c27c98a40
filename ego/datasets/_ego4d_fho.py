"""Ego4D's forecasting, hands and objects: points of no return and state changes, actions, long-term anticipation."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ego.datasets._json import Item, read_list, read_object
from ego.errors import BadRequest

CHANGE = ("no", "yes")


@dataclass
class Sample:
    """One annotated piece: the video it lies in, its spans there, its labels, who it follows, where it is written."""

    video: str
    parts: tuple[tuple[float, float], ...]
    labels: dict[str, Any]
    source: str
    track: int | None = None


@dataclass
class Found:
    """The samples of one split, and how many lie in no clip that is cut out."""

    samples: list[Sample] = field(default_factory=list)
    uncut: int = 0


def state_changes(path: Path, clips: bool, only_changes: bool) -> Found:
    """The 8 s pieces of an `fho_oscc-pnr_*.json` with `state_change` and, where there is one, `pnr` in seconds.

    `pnr` counts on the clock of the video or clip. Every piece has its `unique_id`, testing pieces no other labels;
    with `only_changes` pieces without a state change are left out.
    """
    found = Found()
    for item in read_list(path, "clips"):
        side = "clip" if clips else "parent"
        if clips and not item.has("clip_uid"):
            found.uncut += 1
            continue
        if only_changes and item.values.get("state_change") is False:
            continue
        span = item.span(f"{side}_start_sec", f"{side}_end_sec")
        labels: dict[str, Any] = {"unique_id": item.text("unique_id")} if item.has("unique_id") else {}
        if item.has("state_change"):
            changed = item.values["state_change"] is not False
            labels["state_change"] = CHANGE[changed]
            if changed:
                labels["pnr"] = _pnr(item, side, span)
        found.samples.append(Sample(item.text("clip_uid" if clips else "video_uid"), (span,), labels, item.source))
    return found


def _pnr(item: Item, side: str, span: tuple[float, float]) -> float:
    """The point of no return in seconds; older files call the parent's frame `pnr_frame`."""
    key = f"{side}_pnr_frame"
    frame = item.whole(key if item.has(key) or side == "clip" else "pnr_frame")
    first, last = item.whole(f"{side}_start_frame"), item.whole(f"{side}_end_frame")
    if not first <= frame <= last:
        raise BadRequest(f"{item.source}: got the PNR frame {frame}, expected one of {first} to {last}")
    return span[0] + (span[1] - span[0]) * (frame - first) / max(last - first, 1)


def read_taxonomy(path: Path) -> dict[str, tuple[str, ...]]:
    """The verbs and nouns of `fho_lta_taxonomy.json` in the order of their ids."""
    item = read_object(path)
    found = {}
    for label in ("verb", "noun"):
        names = item.values.get(f"{label}s")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise BadRequest(f"{path.name}: got {names!r:.80} as '{label}s', expected a list of names")
        found[label] = tuple(names)
    return found


def actions(path: Path, clips: bool, classes: dict[str, tuple[str, ...]]) -> Found:
    """One sample an annotated action of an `fho_lta_*.json`, with its verb and noun."""
    found = Found()
    for _, items in _by_clip(path, clips, found):
        for item in items:
            labels = {label: _class(item, label, classes) for label in ("verb", "noun") if item.has(f"{label}_label")}
            found.samples.append(Sample(_video(item, clips), (_span(item, clips),), labels, item.source))
    return found


def anticipations(
    path: Path, clips: bool, classes: dict[str, tuple[str, ...]], seen: int, ahead: int, drop_last: bool
) -> Found:
    """Runs of `seen` actions of one clip, labelled by the `ahead` verbs and nouns that come next.

    The labels `verbs` and `nouns` are tuples of names. Testing files hold only what is seen; a run is
    then the last `seen` actions. `drop_last` leaves out the last run of each clip, as two releases do.
    """
    found = Found()
    for _, items in _by_clip(path, clips, found):
        labelled = all(item.has("verb_label") and item.has("noun_label") for item in items)
        count = len(items) - seen - ahead + 1 - drop_last
        starts = range(max(0, count)) if labelled else range(max(0, len(items) - seen), max(0, len(items) - seen) + 1)
        for start in starts:
            run, rest = items[start : start + seen], items[start + seen : start + seen + ahead]
            labels: dict[str, Any] = {"key": f"{run[-1].values.get('clip_uid')}_{run[-1].whole('action_idx')}"}
            if labelled:
                labels |= {f"{what}s": tuple(_class(item, what, classes) for item in rest) for what in ("verb", "noun")}
            parts = tuple(_span(item, clips) for item in run)
            found.samples.append(Sample(_video(run[0], clips), parts, labels, run[-1].source))
    return found


def _by_clip(path: Path, clips: bool, found: Found) -> Iterator[tuple[str, list[Item]]]:
    """(clip, its actions in order); an action's number twice is a BadRequest."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in read_list(path, "clips"):
        if clips and not item.has("clip_uid"):
            found.uncut += 1
            continue
        groups[item.text("clip_uid") if item.has("clip_uid") else item.text("video_uid")].append(item)
    for name, items in groups.items():
        items.sort(key=lambda item: item.whole("action_idx"))
        for one, other in pairwise(items):
            if one.whole("action_idx") == other.whole("action_idx"):
                raise BadRequest(f"{other.source}: got action_idx {one.whole('action_idx')} of {name!r} twice")
        yield name, items


def _video(item: Item, clips: bool) -> str:
    return item.text("clip_uid" if clips else "video_uid")


def _span(item: Item, clips: bool) -> tuple[float, float]:
    """An action's seconds in its clip, or in the full video: the clip's start there comes on top."""
    start, stop = item.span("action_clip_start_sec", "action_clip_end_sec")
    offset = 0.0 if clips else item.number("clip_parent_start_sec")
    return start + offset, stop + offset


def _class(item: Item, label: str, classes: dict[str, tuple[str, ...]]) -> str:
    index, names = item.whole(f"{label}_label"), classes[label]
    if not 0 <= index < len(names):
        raise BadRequest(f"{item.source}: got {index} as '{label}_label', expected 0 to {len(names) - 1}")
    return names[index]
