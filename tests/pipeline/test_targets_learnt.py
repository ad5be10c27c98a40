"""Tasks of steps learnt through the whole of a fit: what the maps of a crop show is found where the labels are."""

import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from torch import nn

from ego.cache.store import FeatureStore
from ego.extractors.gaze import Gaze
from ego.gaze import heatmap
from ego.heads._base import Head
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.geometry import View, move
from ego.pipeline.jobs import entry_key
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.tasks._shrink import shrink
from ego.video import Array

GAZE = {"point": Array((2,), "float32", "points"), "type": Array((), "int8"), "blink": Array((), "bool")}
HANDS = {"points": Array((2, 2), "float32", "points"), "visible": Array((2,), "bool")}
SEEN = """
[extractors.rgb]
name = "resnet"
weights = "random:0"
window = { fps = 5.0 }
taps = ["conv5_x"]
[extractors.gaze]
[extractors.hands]
[extractors.motion_map]
"""
TASKS = """
[tasks.look]
name = "point"
[tasks.hold]
name = "point"
who = "hands"
[tasks.move]
name = "motion"
"""
MULTITASK = (
    TASKS
    + """
[head]
name = "multitask"
features = ["rgb"]
[sampling]
[training]
epochs = 60
lr = 0.2
"""
)
STAM_HEAD = """
[tasks.attend]
name = "heatmap"
weight = 1.0
[head]
name = "stam"
features = ["rgb"]
attention = "minmax"
dropout = 0.0
[training]
epochs = 120
lr = 0.01
"""


def frames(count, fps):
    """(count, 3) start, centre and stop of frames."""
    start = np.arange(count) / fps
    return np.stack([start, start + 0.5 / fps, start + 1 / fps], 1)


def draw_world(asked, videos, store):
    """Where eyes and hands are, what moves, and maps of a crop whose channels show all of it, for each video."""
    for number, video in enumerate(videos):
        random = np.random.default_rng(number)
        time, source = frames(60, 10), np.full((60, 4), -1)
        places = np.repeat(random.uniform(0.05, 0.95, (30, 3, 2)), 2, axis=0).astype(np.float32)  # two frames a row
        types = np.ones(60, np.int8)
        types[:10] = 0
        visible = np.ones((60, 2), bool)
        visible[20:30, 1] = False
        moving = np.zeros((60, 48, 64), bool)
        for frame in range(60):
            at = int(places[frame, 0, 0] * 8) * 8
            moving[frame, :, at : at + 8] = True
        rows = {
            "gaze": (GAZE, {"point": places[:, 0], "type": types, "blink": np.zeros(60, bool)}),
            "hands": (HANDS, {"points": places[:, 1:], "visible": visible}),
            "motion_map": ({"feature": Array((48, 64), "bool", "mask")}, {"feature": moving}),
        }
        for name, (arrays, values) in rows.items():
            key = entry_key(video, asked.extractors[name], {})
            store.write(key, arrays, [{"time": time, "source": source, **values}], {})
        crop = asked.extractors["rgb"].box(video.header.width, video.header.height)
        seen = (places - (crop.left, crop.top)) / (crop.right - crop.left, crop.bottom - crop.top)
        bumps = [heatmap(seen[::2, who], np.ones(30, bool), (7, 7), 1.0) for who in range(3)]
        cut = move(moving[::2], rows["motion_map"][0]["feature"], View(crop)).values
        maps = np.stack([*(5 * one for one in bumps), 5 * shrink(cut, 7), np.ones((30, 7, 7))], 1).astype(np.float16)
        block = {"time": frames(30, 5), "source": source[:30], "conv5_x": maps}
        array = Array((5, 7, 7), "float16", "map", box=crop)
        store.write(entry_key(video, asked.extractors["rgb"], {}), {"conv5_x": array}, [block], {})


@pytest.fixture
def learn(colours, tmp_path):
    """Fits a recipe's head on the drawn world and returns the pooled figures of the tested clips."""

    def fitted(text):
        toml = tmp_path / "steps.toml"
        plain = colours.recipe.read_text()
        toml.write_text(plain[: plain.index("[extractors")] + SEEN + text.replace('["rgb"]', '["rgb.conv5_x"]'))
        asked = recipe.read(toml, (), WeightFinder([]))
        store = FeatureStore(tmp_path / "features", create=True)
        with Decoder() as decoder:
            videos = list(scan(asked.dataset.videos(colours.data).values(), decoder))
            draw_world(asked, videos, store)
            at = Workplace(colours.data, store, WeightFinder([]), decoder, tmp_path / "runs")
            done = list(fit(asked, at))[-1]
        return done.metrics["pooled"]["validation"]

    return fitted


def test_points_and_motion_are_learnt_from_maps_of_a_crop(learn):
    """All are in the map, so all can be learnt: where labels lay elsewhere or at other times they could not."""
    found = learn(MULTITASK)
    assert found["look"]["pck_0.1"] > 0.9
    assert found["look"]["auc"] > 0.95
    assert found["look"]["clips"] < 18  # a second without gaze, and what is out of the crop
    assert found["hold"]["pck_0.1"] > 0.9
    assert found["move"]["iou"] > 0.95
    assert found["move"]["clips"] == 18


def test_attention_is_taught_to_look_where_the_eyes_do(learn):
    found = learn(STAM_HEAD)["attend"]
    assert found["auc"] > 0.7
    assert found["cc"] > 0.5


LOOK = """[extractors.gaze]
[tasks.look]
name = "point"
[head]"""
WHERE = {"r": (0.2, 0.3), "g": (0.5, 0.5), "b": (0.8, 0.7)}


@dataclass(frozen=True)
class EachRow(Head):
    """A map of logits from each row."""

    def build(self, shapes, tasks):
        return RowModule(shapes["colour"].shape[0], tasks["look"].shape)


class RowModule(nn.Module):
    def __init__(self, width, shape):
        super().__init__()
        self.shape, self.layer = shape, nn.Linear(width, int(np.prod(shape)))

    def forward(self, features, masks, tasks, labels=None):
        rows = nn.functional.normalize(features["colour"].float() - features["colour"].float().mean(-1, True), dim=-1)
        return {"look": self.layer(rows).unflatten(-1, self.shape)}


def test_gaze_is_learnt_from_stored_rows_end_to_end(colours, tmp_path):
    """The eyes look where the colour says, at another rate than the colour's, and not at all in each fourth second."""
    toml = tmp_path / "look.toml"
    verb = '[tasks.verb]\nname = "classify"\nlabel = "verb"\ntop = [2]\n'
    toml.write_text(colours.recipe.read_text().replace(verb, "").replace("[head]", LOOK))
    asked = replace(recipe.read(toml, (), WeightFinder([])), head=EachRow(features=("colour",)))
    store = FeatureStore(tmp_path / "features", colours.store, create=True)
    with Decoder() as decoder:
        videos = list(scan(asked.dataset.videos(colours.data).values(), decoder))
        for video in videos:
            key = entry_key(video, Gaze(), {})
            order = sys.modules["colours"].ORDER[video.name]
            point = np.repeat([WHERE[letter] for letter in order], 10, axis=0).astype(np.float32)
            types = np.repeat([1, 1, 1, 0, 1, 1], 10).astype(np.int8)
            block = {"time": frames(60, 10), "source": np.full((60, 4), -1), "point": point, "type": types}
            store.write(key, GAZE, [block | {"blink": np.zeros(60, bool)}], {})
        at = Workplace(colours.data, store, WeightFinder([]), decoder, tmp_path / "runs")
        done = list(fit(asked, at))[-1]
    found = done.metrics["pooled"]["validation"]["look"]
    assert found["pck_0.1"] == 1
    assert found["clips"] == 15  # three of eighteen seconds have no gaze
    assert found["aae"] < 3
