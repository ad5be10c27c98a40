"""Labelled segments of a video: the label files of GTEA, and segments as a Reading."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ego.errors import BadRequest
from ego.signals.table import read_lines
from ego.video import Reading

LINE = re.compile(r"<(?P<verb>[^<>]+)><(?P<nouns>[^<>]*)>\s*\((?P<start>-?[0-9]{1,9})\s*-\s*(?P<stop>-?[0-9]{1,9})\)")


@dataclass(frozen=True)
class Segment:
    """Seconds [start, stop) of a video, what they show, and where it is written (`file, line`)."""

    start: float
    stop: float
    verb: str
    nouns: tuple[str, ...]
    source: str


def read_gtea_labels(path: Path, fps: float = 15.0) -> list[Segment]:
    """The segments of a GTEA label file, `<take><cup> (120-165) [1]` a line, both frames included.

    Lines that hold no `><` are left out, as in the release; a line that stops before it starts, or has
    `><` and cannot be read, is a BadRequest.
    """
    found = []
    for number, line in enumerate(read_lines(path, "a GTEA label file"), 1):
        if "><" not in line:
            continue
        source = f"{path.name}, line {number}"
        match = LINE.search(line)
        if match is None:
            raise BadRequest(f"{source}: got {line.strip()!r:.80}, expected <verb><noun,noun> (first-last)")
        first, last = int(match["start"]), int(match["stop"])
        if not 0 <= first <= last:
            raise BadRequest(f"{source}: got frames {first} to {last}, expected 0 <= first <= last")
        nouns = tuple(noun.strip() for noun in match["nouns"].split(",") if noun.strip())
        found.append(Segment(first / fps, (last + 1) / fps, match["verb"].strip(), nouns, source))
    return found


def segments_reading(segments: Sequence[Segment]) -> Reading:
    """A reading of kind `segments`: the spans in seconds, in the order of their starts."""
    spans = sorted((segment.start, segment.stop) for segment in segments)
    return Reading("segments", np.array(spans, np.float64).reshape(-1, 2))


def overlapping(spans: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Pairs of indices of spans that overlap, each with the nearest one that began before it."""
    order = sorted(range(len(spans)), key=lambda index: spans[index])
    pairs, last = [], -1
    for index in order:
        if last >= 0 and spans[index][0] < spans[last][1]:
            pairs.append((last, index))
        if last < 0 or spans[index][1] >= spans[last][1]:
            last = index
    return pairs
