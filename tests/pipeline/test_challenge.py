"""Submissions in the official formats, from drawn EPIC-KITCHENS of two verbs and two nouns and a drawn Ego4D."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from ego.cache.store import FeatureStore
from ego.cli import group
from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.challenge import best_actions, ego4d, epic, levels, write
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


RELEASE_55 = RECIPE.replace('splits_read = ["train"]', 'release = 55\nsplits_read = ["train"]')
OSCC = """
[dataset]
name = "ego4d"
benchmark = "oscc"
splits_read = ["train"]
[extractors.colour]
name = "mean_rgb"
window = { fps = 5.0 }
[tasks.changes]
name = "classify"
label = "state_change"
top = []
[head]
name = "linear"
[training]
epochs = 40
lr = 0.1
"""


def film(path, pairs):
    """A video in which second i shows the light of the pair i."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, (np.full((32, 48, 3), LIGHT[pair], np.uint8) for pair in pairs for _ in range(10)), 10)


def said_of_tests(root, text, *settings, split=None):
    """A run of the recipe and what it says of the test split."""
    (root / "recipe.toml").write_text(text)
    finder, store = WeightFinder([]), FeatureStore(root / "features", create=True)
    recipe = read(root / "recipe.toml", (), finder)
    with Decoder() as decoder:
        videos = list(scan(sorted([*root.rglob("*.MP4"), *root.rglob("*.mp4")]), decoder))
        list(extract(work(videos, list(recipe.extractors.values()), store), store, finder))
        at = Workplace(root, store, finder, decoder, root / "runs")
        run = open_run(list(fit(recipe, at))[-1].folder)
        return run, evaluate(run, at, Asked(split=split, settings=settings))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A run on EPIC-KITCHENS-100 and its test; in the test video second i shows the pair ORDER[i]."""
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
    film(root / "P01/videos/P01_01.MP4", pairs)
    film(root / "P02/videos/P02_01.MP4", pairs[::-1])
    run, found = said_of_tests(root, RECIPE, 'dataset.splits_read=["test"]', split="test")
    return run, found, [f"{verb},{noun}" for verb, noun in pairs[::-1]]


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """The same on EPIC-KITCHENS-55, whose seen test video shows the pairs in order and whose unseen one backwards."""
    root = tmp_path_factory.mktemp("epic55")
    root.joinpath("EPIC_verb_classes.csv").write_text("verb_id,class_key,verbs\n0,take,[]\n1,put,[]\n")
    root.joinpath("EPIC_noun_classes.csv").write_text("noun_id,class_key,nouns\n0,pan,[]\n1,plate,[]\n")
    head = "uid,participant_id,video_id,narration,start_timestamp,stop_timestamp,start_frame,stop_frame,"
    head += "verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n"
    pairs = list(LIGHT)
    rows = [
        f"{i},P01,P01_01,x,00:00:0{i}.00,00:00:0{i + 1}.00,0,0,x,{verb},x,{noun},['x'],[{noun}]\n"
        for i, (verb, noun) in enumerate(pairs)
    ]
    root.joinpath("EPIC_train_action_labels.csv").write_text(head + "".join(rows))
    for name, first, video in (("s1", 100, "P01_02"), ("s2", 200, "P09_01")):
        rows = [f"{first + i},{video[:3]},{video},00:00:0{i}.00,00:00:0{i + 1}.00,0,0\n" for i in range(4)]
        head = "uid,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame\n"
        root.joinpath(f"EPIC_test_{name}_timestamps.csv").write_text(head + "".join(rows))
    film(root / "videos/train/P01/P01_01.MP4", pairs)
    film(root / "videos/test/P01/P01_02.MP4", pairs[::2] + pairs[1::2])
    film(root / "videos/test/P09/P09_01.MP4", pairs[::-1])
    return *said_of_tests(root, RELEASE_55, 'dataset.splits_read=["test_s1", "test_s2"]'), pairs


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """A run on Ego4D's state changes: what is red changes; of the four test pieces the first and the last do."""
    root = tmp_path_factory.mktemp("ego4d")
    red, green = (0, 0), (0, 1)
    for name, video, order, labelled in (("train", "v", [red, green, red, green], True),
                                         ("test_unannotated", "w", [red, green, green, red], False)):  # fmt: skip
        clips = [
            {"unique_id": f"{video}{i}", "video_uid": video, "parent_start_sec": float(i), "parent_end_sec": i + 1.0,
             "parent_start_frame": 10 * i, "parent_end_frame": 10 * i + 10}
            | ({"state_change": pair == red, "clip_uid": None} if labelled else {})
            | ({"parent_pnr_frame": 10 * i + 5} if labelled and pair == red else {})
            for i, pair in enumerate(order)
        ]  # fmt: skip
        path = root / f"v2/annotations/fho_oscc-pnr_{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"split": name, "clips": clips}))
        film(root / f"v2/full_scale/{video}.mp4", order)
    return said_of_tests(root, OSCC, 'dataset.splits_read=["test"]')


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


def test_version_01_has_a_file_of_seen_and_one_of_unseen_kitchens(older):
    run, found, pairs = older
    files = epic(run, found, None)
    assert list(files) == ["seen.json", "unseen.json"]
    for name, first, order in (("seen.json", 100, pairs[::2] + pairs[1::2]), ("unseen.json", 200, pairs[::-1])):
        results = files[name]["results"]
        assert {key: files[name][key] for key in files[name] if key != "results"} == {
            "version": "0.1", "challenge": "action_recognition"
        }  # fmt: skip
        assert list(results) == [str(first + i) for i in range(4)]
        for clip, (verb, noun) in zip(results.values(), order, strict=True):
            assert (list(clip), list(clip["verb"]), list(clip["noun"])) == (
                ["verb", "noun", "action"],
                *[["0", "1"]] * 2,
            )
            assert max(clip["verb"], key=clip["verb"].get) == str(verb)
            assert next(iter(clip["action"])) == f"{verb},{noun}"


def test_splits_that_the_server_does_not_know_are_left_out(older):
    run, found, _ = older
    (fold,) = found.results
    more = dataclasses.replace(fold, predictions={"validation": fold.predictions["test_s1"], **fold.predictions})
    assert list(epic(run, dataclasses.replace(found, results=[more]), None)) == ["seen.json", "unseen.json"]


def test_state_changes_are_a_list_by_unique_id(changes, tmp_path):
    run, found = changes
    files = ego4d(run, found)
    write(files, tmp_path / "oscc.json")
    assert json.loads((tmp_path / "oscc.json").read_text()) == [
        {"unique_id": "w0", "state_change": True},
        {"unique_id": "w1", "state_change": False},
        {"unique_id": "w2", "state_change": False},
        {"unique_id": "w3", "state_change": True},
    ]


def test_of_ego4d_state_changes_alone_are_served(changes, world):
    run, found = changes
    with pytest.raises(
        BadRequest, match=r"data set epic_kitchens, --challenge ego4d serves the benchmark oscc of ego4d"
    ):
        ego4d(*world[:2])
    with pytest.raises(BadRequest, match=r"got a run on the data set ego4d oscc, expected epic_kitchens"):
        epic(run, found, None)
    pnr = dataclasses.replace(run.recipe, dataset=dataclasses.replace(run.recipe.dataset, benchmark="pnr"))
    other = dataclasses.replace(run)
    vars(other)["recipe"] = pnr
    with pytest.raises(BadRequest, match=r"data set ego4d pnr, --challenge ego4d serves the benchmark oscc of ego4d"):
        ego4d(other, found)
    clips = tuple(dataclasses.replace(clip, labels={}) for clip in found.problem.clips)
    nameless = dataclasses.replace(found, problem=dataclasses.replace(found.problem, clips=clips))
    with pytest.raises(BadRequest, match=r"'test' have pieces without a unique_id"):
        ego4d(run, nameless)


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
    more = dataclasses.replace(found, classes={**found.classes, "verb": (*found.classes["verb"], "wash")})
    with pytest.raises(BadRequest, match="a score for each of 3 verbs, the task 'does' lacks 1, such as 'wash'"):
        epic(run, more, (0, 0, 0))


@pytest.mark.parametrize(("which", "challenge", "words", "told"), [
    ("changes", "ego4d", ('dataset.splits_read=["test"]',), "out.zip (oscc.json: 4 clips)"),
    ("older", "epic", ('dataset.splits_read=["test_s1","test_s2"]',), "(seen.json: 4 clips, unseen.json: 4 clips)"),
])  # fmt: skip
def test_it_is_typed_so(which, challenge, words, told, request, tmp_path):
    run = request.getfixturevalue(which)[0]
    typed = ["evaluate", str(run.folder), "--challenge", challenge, "--out", str(tmp_path / "out.zip")]
    done = CliRunner().invoke(group, [*typed, *(part for word in words for part in ("--set", word))])
    assert done.exit_code == 0, done.stderr
    assert told in done.stderr
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert all(json.loads(archive.read(name)) for name in archive.namelist())
