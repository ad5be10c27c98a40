"""What a data set's annotations say of themselves: counts beside the published ones, overlaps, doubles, classes."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ego.datasets._base import Annotation, Annotations
from ego.signals.segments import overlapping

Level = Literal["missing", "wrong", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is missing, does not match, or is worth knowing, in one sentence."""

    level: Level
    text: str


@dataclass(frozen=True)
class Count:
    """How many of something there are here, and how many the authors publish (None: they do not say)."""

    what: str
    here: int
    published: int | None

    @property
    def matches(self) -> bool:
        """Whether nothing contradicts."""
        return self.published is None or self.published == self.here


def counts(found: Annotations, published: Mapping[str, int]) -> list[Count]:
    """`videos`, `clips`, `FOLD SPLIT clips`, `LABEL classes` and `SUBSET LABEL classes`, here and as published."""
    here = {"videos": len(found.videos), "clips": len(found.clips)}
    for (fold, split), indices in _splits(found).items():
        here[f"{fold} {split} clips".strip()] = len(indices)
    here |= {f"{label} classes": len(names) for label, names in found.classes.items()}
    for subset, labels in found.subsets.items():
        here |= {f"{subset} {label} classes": len(names) for label, names in labels.items()}
    return [Count(what, here.get(what, 0), published.get(what)) for what in dict.fromkeys([*here, *published])]


def class_table(found: Annotations, label: str) -> tuple[list[str], list[tuple[str, int, list[int]]]]:
    """(the splits, a row (class, clips, clips in each split) for each class of a label), commonest first."""
    splits = _splits(found)
    total = Counter(clip.labels[label] for clip in found.clips if label in clip.labels)
    each = [Counter(found.clips[i].labels.get(label) for i in indices) for indices in splits.values()]
    rows = [(name, total[name], [counter[name] for counter in each]) for name in found.classes[label]]
    return [f"{fold} {split}".strip() for fold, split in splits], sorted(rows, key=lambda row: -row[1])


def look_at(found: Annotations) -> Iterator[Finding]:
    """What the annotations alone tell: notes, labels outside their classes, doubles, overlaps, empty classes."""
    for note in found.notes:
        yield Finding("note", note)
    yield from _strangers(found)
    yield from _doubles(found)
    yield from _overlaps(found)
    for label, names in found.classes.items():
        used = {clip.labels.get(label) for clip in found.clips}
        empty = [name for name in names if name not in used]
        if empty:
            yield Finding("note", f"{len(empty)} of {len(names)} {label} classes have no clip, such as {empty[0]!r}")


def _splits(found: Annotations) -> dict[tuple[str, str], tuple[int, ...]]:
    """The clips of every (fold, split); of many folds only what all hold together is told."""
    if len(found.folds) > 8:
        return {}
    return {(fold, split): rows for fold, splits in found.folds.items() for split, rows in splits.items()}


def _strangers(found: Annotations) -> Iterator[Finding]:
    known = {label: frozenset(names) for label, names in found.classes.items()}
    for clip in found.clips:
        for label, names in known.items():
            value = clip.labels.get(label)
            for one in value if isinstance(value, tuple) else () if value is None else (value,):
                if one not in names:
                    yield Finding("wrong", f"{clip.source}: got {one!r} as {label!r}, which is no class of it")


def _doubles(found: Annotations) -> Iterator[Finding]:
    seen: dict[tuple[object, ...], Annotation] = {}
    for clip in found.clips:
        key = (clip.video, clip.parts, clip.track, *sorted(map(repr, clip.labels.items())))
        first = seen.setdefault(key, clip)
        if first is not clip:
            yield Finding("note", f"{clip.source}: the same clip of {clip.video!r} stands in {first.source} too")


def _overlaps(found: Annotations) -> Iterator[Finding]:
    """One note for all: segments of many data sets overlap, and rightly."""
    by_track: dict[tuple[str, int | None], list[Annotation]] = defaultdict(list)
    for clip in found.clips:
        if len(clip.parts) == 1:
            by_track[clip.video, clip.track].append(clip)
    pairs = [
        (clips[a], clips[b])
        for clips in by_track.values()
        for a, b in overlapping([clip.parts[0] for clip in clips])
        if clips[a].parts != clips[b].parts
    ]
    if pairs:
        first, second = pairs[0]
        (start, stop), (begin, end) = first.parts[0], second.parts[0]
        yield Finding(
            "note",
            f"{len(pairs)} segments overlap another: {second.source} ({begin:g} to {end:g} s of {second.video!r}) and "
            f"{first.source} ({start:g} to {stop:g} s) are the first",
        )
