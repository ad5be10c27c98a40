"""The recipes of papers run on a small kitchen at small pictures, and learn every task they name."""

from pathlib import Path

import pytest

from ego.cache.store import FeatureStore
from ego.datasets.kitchen.crew import draw_all
from ego.datasets.kitchen.world import World, begin, finish
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.clips import problem
from ego.pipeline.extract import extract
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.jobs import Outcome, work
from ego.pipeline.weights import WeightFinder

RECIPES = Path(__file__).parents[2] / "recipes"
PICTURE = 'rgb.picture={ fit = "squash", size = 64 }'
FRAMES = (PICTURE, "rgb.size=64", "rgb.depth=18", 'rgb.precision="float32"')
SMALL = {
    "mfnet_heads": (
        PICTURE, "rgb.size=64", "rgb.window.stride=30", "eyes.size=[2, 2]", "points.size=[2, 2]",
    ),
    "san_heads": (PICTURE, "rgb.size=64", "eyes.size=[2, 2]", "sampling.rows=0"),
    "stam_heads": (PICTURE, "rgb.size=64", "rgb.window.stride=30", "eyes.size=[2, 2]"),
    "egornn": (*FRAMES, "head.channels=16"),
    "fpar_heads": (
        "rgb.flow.flow.picture={ fit = 'squash', size = 64 }", *FRAMES, "head.channels=16", "moves.size=2",
        "motion_map.idt.height=64", "motion_map.idt.scales=1",
    ),
    "lsta": FRAMES,
    "sparnet_heads": (
        *FRAMES, "head.channels=16", "moves.size=2", "motion_map.idt.height=64", "motion_map.idt.scales=1",
    ),
    "two_stream": (*FRAMES, "flow.size=64", "flow.sees.flow.picture={ fit = 'squash', size = 64 }"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """Five videos of six seconds, with all that is known of them."""
    root = tmp_path_factory.mktemp("world") / "kitchen"
    world = World(0, seconds=6.0, fps=15.0, size=(160, 90))
    begin(world, root)
    draw_all(world, range(5), root, 1, lambda news: None)
    finish(world, 5, root)
    return root


@pytest.mark.slow
@pytest.mark.filterwarnings("error:overflow encountered:RuntimeWarning")  # maps no head could learn from
@pytest.mark.parametrize("name", SMALL)
def test_a_recipe_of_a_paper_runs_and_learns_every_task_it_names(name, kitchen, tmp_path):
    settings = ("sampling.rows=2", *SMALL[name], "training.epochs=1", "training.steps=2")
    read = recipe.read(RECIPES / f"{name}.toml", settings, finder := WeightFinder([]))
    store = FeatureStore(tmp_path / "features", create=True)
    with Decoder() as decoder:
        learnt = problem(read, kitchen, decoder, store)
        jobs = work(learnt.videos.values(), list(read.extractors.values()), store, learnt.readings)
        events = [event for event in extract(jobs, store, finder) if isinstance(event, Outcome)]
        assert [event.error for event in events] == [None] * 5
        done = list(fit(read, Workplace(kitchen, store, finder, decoder, tmp_path / "runs")))[-1]
    assert set(done.metrics["pooled"]["test"]) == set(read.tasks)
    assert all(figures["clips"] > 0 for figures in done.metrics["pooled"]["test"].values())
