"""Ego4D's words: narrations, and the steps of GoalStep."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ego.datasets._ego4d_fho import Found, Sample
from ego.datasets._json import Item, as_item, read_list, read_object
from ego.errors import BadRequest


def narrations(path: Path) -> Found:
    """Every narration as the instant it speaks of, labelled with its `text`; all passes in the order of the file."""
    found = Found()
    whole = read_object(path)
    videos: Mapping[str, Any] = whole.item("videos").values if whole.has("videos") else whole.values
    for video, value in videos.items():
        item = as_item(value, f"{path.name}, {video}")
        for key in ("narrations", "narration_pass_1", "narration_pass_2"):
            held = item.values.get(key)
            source = item if isinstance(held, list) else as_item(held, f"{item.source}.{key}") if held else None
            for one in source.items("narrations") if source else ():
                newer = one.has("time")
                second = one.number("time" if newer else "timestamp_sec")
                if second < 0:
                    raise BadRequest(f"{one.source}: got a narration at {second:g} s, expected seconds at or after 0")
                text = str(one.values.get("text" if newer else "narration_text") or "").strip()
                found.samples.append(Sample(video, ((second, second),), {"text": text}, one.source))
    return found


def steps(path: Path, level: str) -> Found:
    """The steps or substeps of a `goalstep_*.json`, labelled with the `goal` and the `step`.

    Videos of the testing file state no seconds: each of their steps is the whole video, labelled with its `text`.
    """
    found = Found()
    for video in read_list(path, "videos"):
        name = video.text("video_uid")
        goal = str(video.values.get("goal_category") or "").strip()
        for one in _at_level(video, level):
            labels = {"step": one.text("step_category"), "text": str(one.values.get("step_description") or "")}
            span = one.span("start_time", "end_time")
            found.samples.append(Sample(name, (span,), labels | ({"goal": goal} if goal else {}), one.source))
        for one in video.items("step_segments"):
            found.samples.append(Sample(name, (), {"text": one.text("step_description")}, one.source))
    return found


def _at_level(video: Item, level: str) -> Iterator[Item]:
    for step in video.items("segments"):
        if level == "step":
            yield step
        else:
            yield from step.items("segments")
