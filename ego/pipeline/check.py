"""Whether a data set on this machine is what its annotations and its authors say: `ego check-data`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ego.datasets._base import Annotations, Dataset
from ego.datasets._check import Count, Finding, counts, look_at
from ego.errors import BadRequest, BadVideo
from ego.gaze import TRUNCATED
from ego.pipeline.clips import OVERRUN_SECONDS
from ego.pipeline.scan import Prober
from ego.video import Header

RATE_SHARE, LENGTH_SHARE = 0.01, 0.01
"""How far a file's frame rate and length may lie from what is stated, as a share of it."""


@dataclass(frozen=True)
class Report:
    """What there is: annotations, how many of their videos, counts beside the published ones, signals, findings.

    `signals` says of how many videos there is a signal of each kind.
    """

    annotations: Annotations
    present: int
    counts: tuple[Count, ...]
    signals: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing or wrong."""
        return all(finding.level == "note" for finding in self.findings)


def check(
    dataset: Dataset,
    root: Path,
    decoder: Prober,
    watch: Callable[[int, int], None] = lambda done, total: None,
    skip_missing: bool = False,
    any_counts: bool = False,
) -> Report:
    """The report on a data set at `root`; annotations that cannot be read at all are a BadRequest.

    Every video that is there is opened for its header, none is decoded or hashed. With `skip_missing`
    absent videos are only noted, with `any_counts` the published counts do not matter. `watch(done, total)`
    sees each video.
    """
    found = dataset.read(root)
    absent = frozenset(found.absent())
    tally = counts(found, {} if any_counts else dataset.published())
    findings = [_mismatch(one) for one in tally if not one.matches]
    findings += look_at(found)
    findings += _absent(found, sorted(absent), skip_missing)
    ends = {name: one.seconds for name, one in found.stated.items() if one.seconds}
    for done, (name, path) in enumerate(found.videos.items(), 1):
        if name not in absent:
            try:
                rate = found.rates.get(name, 0.0)
                header = decoder.probe(str(path), rate) if rate else decoder.probe(str(path))
            except BadVideo as error:
                findings.append(Finding("wrong", f"the video {name!r}: {error}"))
            else:
                findings += _against_stated(found, name, header)
                if header.seconds_from_header:
                    ends[name] = header.start_seconds + header.seconds_from_header
        watch(done, len(found.videos))
    findings += _past_the_end(found, ends)
    signals, unread = _signals(dataset, root, found)
    return Report(found, len(found.videos) - len(absent), tuple(tally), signals, tuple(findings + unread))


def _mismatch(count: Count) -> Finding:
    return Finding("wrong", f"{count.here} {count.what} here, {count.published} are published")


def _absent(found: Annotations, names: list[str], skip_missing: bool) -> Iterator[Finding]:
    sources = {clip.video: clip.source for clip in reversed(found.clips)}
    for name in names:
        source = f"{sources[name]}: " if sources.get(name) else ""
        yield Finding("note" if skip_missing else "missing", f"{source}no video {name!r} at {found.videos[name]}")


def _against_stated(found: Annotations, name: str, header: Header) -> Iterator[Finding]:
    """Where a file is not what the data set says of it."""
    stated = found.stated.get(name)
    if stated is None:
        return
    if stated.fps and header.fps_from_header and abs(header.fps_from_header / stated.fps - 1) > RATE_SHARE:
        text = f"the video {name!r} has {header.fps_from_header:.3f} frames a second, {stated.fps:.3f} are stated"
        yield Finding("wrong", text)
    apart = abs(header.seconds_from_header - stated.seconds)
    if stated.seconds and header.seconds_from_header and apart > max(OVERRUN_SECONDS, LENGTH_SHARE * stated.seconds):
        text = f"the video {name!r} lasts {header.seconds_from_header:.2f} s, {stated.seconds:.2f} s are stated"
        yield Finding("wrong", text)


def _past_the_end(found: Annotations, ends: Mapping[str, float]) -> Iterator[Finding]:
    for clip in found.clips:
        end = ends.get(clip.video)
        for start, stop in clip.parts:
            if end is not None and (start >= end or stop > end + OVERRUN_SECONDS):
                yield Finding(
                    "wrong",
                    f"{clip.source}: got a segment from {start:g} to {stop:g} s of {clip.video!r}, "
                    f"which ends at {end:.3f} s",
                )


def _signals(dataset: Dataset, root: Path, found: Annotations) -> tuple[dict[str, int], list[Finding]]:
    """(videos with a signal by kind, what is wrong with signals): every signal is read once."""
    held = dict.fromkeys(dataset.signals(), 0)
    findings: dict[str, Finding] = {}
    samples = outside = 0
    where = ""
    for name in found.videos if held else ():
        try:
            readings = dataset.readings(root, name)
        except BadRequest as error:
            findings.setdefault(str(error), Finding("wrong", str(error)))
            continue
        for kind in readings:
            held[kind] = held.get(kind, 0) + 1
        if "gaze" in readings:
            gaze = readings["gaze"]
            strays = np.flatnonzero(gaze.arrays["type"] == TRUNCATED)
            samples, outside = samples + len(gaze.seconds), outside + len(strays)
            if len(strays) and not where:
                written = f" ({gaze.sources[strays[0]]})" if gaze.sources else ""
                where = f"at {gaze.seconds[strays[0], 0]:.2f} s of {name!r}{written}"
    if outside:
        text = f"{outside} of {samples} gaze samples lie outside the frame and are held at its edge, first {where}"
        findings[text] = Finding("note", text)
    return held, list(findings.values())
