"""What a kitchen writes as another data set, that data set's reader reads: the same segments, whole videos, gaze."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ego.datasets._base import Dataset
from ego.datasets.kitchen.layouts._base import actions
from ego.datasets.kitchen.world import World, begin, draw, finish
from ego.spec import make

LAYOUTS: list[tuple[str, str, float, dict[str, Any], set[str]]] = [
    ("folder", "kitchen", 30.0, {}, {"gaze", "hands", "objects", "faces", "segments"}),
    ("gtea61", "gtea61", 15.0, {"layout": "videos"}, {"segments"}),
    ("egtea", "egtea", 24.0, {"layout": "sessions"}, {"gaze"}),
    ("epic55", "epic_kitchens", 30.0, {"release": 55, "annotations": "annotations"}, set()),
    (
        "epic100",
        "epic_kitchens",
        50.0,
        {"release": 100, "annotations": "annotations", "folder": "EPIC-KITCHENS"},
        set(),
    ),
    ("ego4d", "ego4d", 30.0, {"benchmark": "ar"}, {"gaze"}),
]


@pytest.mark.parametrize(("layout", "name", "fps", "fields", "signals"), LAYOUTS, ids=[one[0] for one in LAYOUTS])
def test_the_reader_finds_what_was_drawn(
    layout: str, name: str, fps: float, fields: dict[str, Any], signals: set[str], tmp_path: Path
) -> None:
    world = World(2, layout, seconds=8.0, fps=fps, size=(128, 96))
    begin(world, tmp_path / "w")
    for index in range(3):
        draw(world, index, tmp_path / "w")
    records = finish(world, 3, tmp_path / "w")
    dataset = make("datasets", name, fields)
    assert isinstance(dataset, Dataset)
    found = dataset.read(tmp_path / "w")
    assert all(path.exists() for path in found.videos.values())

    labelled = [clip for clip in found.clips if clip.parts and clip.labels.get("verb")]
    spans = sorted((round(clip.parts[0][0], 3), round(clip.parts[0][1], 3)) for clip in labelled)
    held_back = layout in ("epic55", "epic100", "ego4d")  # these publish no labels of their test videos
    wider = 0.1 if layout == "egtea" else 0.0  # its clips begin before the action and stop after it
    drawn = sorted(
        (one.start - wider * (one.stop - one.start), one.stop + wider * (one.stop - one.start))
        for record in records
        for one in actions(record)
        if not (held_back and record["split"] == "test")
    )
    assert len(spans) == len(drawn) > 4
    assert np.abs(np.array(spans) - np.array(drawn)).max() < 2.5 / fps + 1 / 60
    read = dataset.readings(tmp_path / "w", next(iter(found.videos)))
    assert set(read) >= signals
