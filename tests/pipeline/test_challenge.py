"""Submissions in the official formats, from a drawn EPIC-KITCHENS-100 of two verbs and two nouns."""

import json
import zipfile

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.challenge import best_actions, epic, levels, write
from ego.pipeline.evaluate import Asked, evaluate
from ego.pipeline.extract import extract
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.jobs import work
from ego.pipeline.read_run import open_run
from ego.pipeline.recipe import read
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder

HEAD = ("narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,"
        "stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n")  # fmt: skip
TEST = (
    "narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,stop_frame\n"
)
RECIPE = """
[dataset]
name = "epic_kitchens"
splits_read = ["train"]
[extractors.colour]
name = "mean_rgb"
window = { fps = 5.0 }
[tasks.does]
name = "classify"
label = "verb"
top = []
[tasks.what]
name = "classify"
label = "noun"
top = []
[head]
name = "linear"
[training]
epochs = 40
lr = 0.1
"""
LIGHT = {(0, 0): (20, 20, 200), (0, 1): (20, 200, 20), (1, 0): (200, 20, 20), (1, 1): (200, 200, 20)}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A trained run and its place; in the test video second i shows the pair ORDER[i]."""
    root = tmp_path_factory.mktemp("epic")
    root.joinpath("EPIC_100_verb_classes.csv").write_text("id,key,instances,category\n0,take,[],x\n1,put,[],x\n")
    root.joinpath("EPIC_100_noun_classes.csv").write_text("id,key,instances,category\n0,pan,[],x\n1,plate,[],x\n")
    pairs = list(LIGHT)
    rows = [
        f"P01_01_{i},P01,P01_01,,00:00:0{i}.00,00:00:0{i + 1}.00,0,0,x,x,{verb},x,{noun},['x'],[{noun}]\n"
        for i, (verb, noun) in enumerate(pairs)
    ]
    root.joinpath("EPIC_100_train.csv").write_text(HEAD + "".join(rows))
    tests = [f"P02_01_{i},P02,P02_01,,00:00:0{i}.00,00:00:0{i + 1}.00,0,0\n" for i in range(4)]
    root.joinpath("EPIC_100_test_timestamps.csv").write_text(TEST + "".join(tests))
    for video, order in (("P01/videos/P01_01.MP4", pairs), ("P02/videos/P02_01.MP4", pairs[::-1])):
        (root / video).parent.mkdir(parents=True)
        encode(root / video, (np.full((32, 48, 3), LIGHT[pair], np.uint8) for pair in order for _ in range(10)), 10)
    (root / "epic.toml").write_text(RECIPE)
    finder, store = WeightFinder([]), FeatureStore(root / "features", create=True)
    recipe = read(root / "epic.toml", (), finder)
    with Decoder() as decoder:
        videos = list(scan(sorted(root.rglob("*.MP4")), decoder))
        list(extract(work(videos, list(recipe.extractors.values()), store), store, finder))
        at = Workplace(root, store, finder, decoder, root / "runs")
        run = open_run(list(fit(recipe, at))[-1].folder)
        asked = Asked(split="test", settings=('dataset.splits_read=["test"]',))
        yield run, evaluate(run, at, asked), [f"{verb},{noun}" for verb, noun in pairs[::-1]]


def test_version_02_has_levels_scores_and_the_best_actions(world):
    run, found, order = world
    files = epic(run, found, levels("2,3,4"))
    assert list(files) == ["test.json"]
    content = files["test.json"]
    results = content.pop("results")
    assert content == {"version": "0.2", "challenge": "action_recognition", "sls_pt": 2, "sls_tl": 3, "sls_td": 4}
    assert list(results) == [f"P02_01_{i}" for i in range(4)]
    for clip, pair in zip(results.values(), order, strict=True):
        assert (list(clip["verb"]), list(clip["noun"])) == (["0", "1"], ["0", "1"])
        assert next(iter(clip["action"])) == pair
        assert sum(clip["action"].values()) == pytest.approx(1)
    assert found.metrics["pooled"]["test"] == {"does": {"clips": 0}, "what": {"clips": 0}}


def test_actions_are_the_products_of_two_softmaxes():
    found = best_actions(np.log([0.7, 0.2, 0.1]), np.log([0.6, 0.4]), 3)
    assert list(found) == ["0,0", "0,1", "1,0"]
    assert list(found.values()) == pytest.approx([0.42, 0.28, 0.12])
    assert len(best_actions(np.zeros(97), np.zeros(300))) == 100


def test_files_are_flat(world, tmp_path):
    run, found, _ = world
    files = epic(run, found, (0, 0, 0))
    write(files, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["test.json"]
        assert json.loads(archive.read("test.json")) == files["test.json"]
    write(files, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == files["test.json"]
    with pytest.raises(BadRequest, match=r"expected FILE\.zip, or FILE\.json"):
        write({**files, "unseen.json": {}}, tmp_path / "out.json")


def test_what_a_server_would_refuse_is_refused_here(world):
    run, found, _ = world
    with pytest.raises(BadRequest, match="asks how a model was supervised; say it with --sls PT,TL,TD"):
        epic(run, found, None)
    with pytest.raises(BadRequest, match="got --sls '1,2', expected three levels from 0 to 5"):
        levels("1,2")
    import dataclasses

    more = dataclasses.replace(found, classes={**found.classes, "verb": (*found.classes["verb"], "wash")})
    with pytest.raises(BadRequest, match="a score for each of 3 verbs, the task 'does' lacks 1, such as 'wash'"):
        epic(run, more, (0, 0, 0))
