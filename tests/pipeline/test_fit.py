"""Fitting heads on stored features, end to end: what is learnt, what a run is named by, what is refused."""

import dataclasses
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.heads._base import Head
from ego.heads.ridge import Ridge
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.fit import Finished, Trained, Workplace, fit
from ego.pipeline.weights import WeightFinder


def run(colours, out, *settings, data=None, toml=None, store=None, head=None, folds=()):
    read = recipe.read(toml or colours.recipe, settings, WeightFinder([]))
    read = dataclasses.replace(read, head=head) if head else read
    with Decoder() as decoder:
        features = FeatureStore(store or colours.store)
        at = Workplace(data or colours.data, features, WeightFinder([]), decoder, out)
        return list(fit(read, at, folds))


def test_a_head_learns_each_fold_from_the_other_videos(colours, tmp_path):
    *steps, done = run(colours, tmp_path / "runs")
    assert [event.fold for event in steps if event.step.step == 1] == ["one", "three", "two"]
    assert float(steps[39].step.loss) < float(steps[0].step.loss) / 5
    for splits in done.metrics["folds"].values():
        assert splits["validation"]["verb"] == {
            "accuracy": 1.0, "mean_class_accuracy": 1.0, "top2_accuracy": 1.0, "clips": 6
        }  # fmt: skip
    assert done.metrics["pooled"]["validation"]["verb"]["clips"] == 18
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [done.folder.name]


def test_a_run_holds_all_that_is_needed_to_know_it(colours, tmp_path):
    done = run(colours, tmp_path, "training.epochs=2")[-1]
    about = json.loads((done.folder / "run.json").read_text())
    assert about["digest"][:16] == done.folder.name
    assert about["recipe"]["settings"] == ["training.epochs=2"]
    assert (done.folder / "recipe.toml").read_text() == colours.recipe.read_text()
    assert json.loads((done.folder / "metrics.json").read_text()) == done.metrics
    lines = [json.loads(line) for line in (done.folder / "log.jsonl").read_text().splitlines()]
    assert [(line["fold"], line["epoch"]) for line in lines][:3] == [("one", 1), ("one", 2), ("three", 1)]
    with safe_open(done.folder / about["folds"][0]["weights"], "pt") as file:
        told = json.loads(file.metadata()["ego"])
        assert file.get_tensor("layers.of_verb.weight").shape == (3, 3)
    tested = {clip["video"] for clip in about["plan"]["problem"]["clips"][:6]}
    assert len(told["trained_on"]) == 12
    assert tested.isdisjoint(digest for digest, _ in told["trained_on"])


def test_predictions_name_clip_label_and_what_was_said(colours, tmp_path):
    from pyarrow import parquet

    done = run(colours, tmp_path, folds=("two",))[-1]
    rows = [row for row in parquet.read_table(done.folder / "predictions.parquet").to_pylist()
            if row["split"] == "validation"]  # fmt: skip
    assert [(row["video"], row["start_seconds"], row["label"], row["said"]) for row in rows] == [
        ("two", float(second), f'"{letter}"', f'"{letter}"') for second, letter in enumerate("bbggrr")
    ]
    assert rows[0]["source"] == "table.csv, line 8"
    assert all(len(row["scores"]) == 3 for row in rows)


def test_a_run_that_is_there_is_shown_and_not_trained_again(colours, tmp_path):
    first = run(colours, tmp_path, "training.epochs=2")
    again = run(colours, tmp_path, "training.epochs=2")
    assert [type(event) for event in again] == [Finished]
    assert (again[0].found, first[-1].found) == (True, False)
    assert again[0].metrics == first[-1].metrics


def test_the_same_seed_gives_the_same_bytes(colours, tmp_path):
    runs = [run(colours, tmp_path / str(i), "training.epochs=3", "head.dropout=0.5")[-1].folder for i in range(2)]
    weights = [[path.read_bytes() for path in sorted(folder.glob("weights*"))] for folder in runs]
    assert runs[0].name == runs[1].name
    assert len(weights[0]) == 3
    assert weights[0] == weights[1]


def test_place_and_words_are_no_part_of_a_run(colours, tmp_path):
    first = run(colours, tmp_path / "runs", "training.epochs=1")[-1]
    data, store, toml = tmp_path / "moved", tmp_path / "other", tmp_path / "renamed.toml"
    shutil.copytree(colours.data, data)
    (data / "table.csv").rename(data / "annotations.csv")
    (data / "videos" / "one.mp4").rename(data / "videos" / "another.mp4")
    (data / "annotations.csv").write_text((data / "annotations.csv").read_text().replace("one,", "another,"))
    shutil.copytree(colours.store, store)
    toml.write_text("# another comment\n" + colours.recipe.read_text().replace("table.csv", "annotations.csv"))
    again = run(colours, tmp_path / "runs", "training.epochs=1", data=data, toml=toml, store=store)
    assert again[-1].found
    assert again[-1].folder == first.folder


@pytest.mark.parametrize(
    "setting", ["training.seed=1", "head.dropout=0.1", "verb.weight=2", 'dataset.ignore=["b"]', "sampling.rows=2"]
)
def test_each_ingredient_is_part_of_a_run(colours, tmp_path, setting):
    first = run(colours, tmp_path, "training.epochs=1")[-1]
    other = run(colours, tmp_path, "training.epochs=1", setting)[-1]
    assert other.folder != first.folder


def test_annotations_and_features_are_part_of_a_run(colours, tmp_path):
    first = run(colours, tmp_path / "runs", "training.epochs=1")[-1]
    data = tmp_path / "data"
    shutil.copytree(colours.data, data)
    text = (data / "table.csv").read_text()
    (data / "table.csv").write_text(text.replace("one,0,1,r", "one,0,0.9,r"))
    assert run(colours, tmp_path / "runs", "training.epochs=1", data=data)[-1].folder != first.folder

    store = tmp_path / "store"
    sys.modules["colours"].fill(dataclasses.replace(colours, store=store), "colour.window.fps=2")
    settings = ("training.epochs=1", "colour.window.fps=2")
    assert run(colours, tmp_path / "runs", *settings, store=store)[-1].folder != first.folder


def test_what_is_not_extracted_is_named_with_the_command(colours, tmp_path):
    with pytest.raises(NotExtracted) as caught:
        run(colours, tmp_path, "colour.window.fps=3")
    assert str(caught.value) == (
        "3 entries are missing, such as 'colour' of 'one'; run: ego extract "
        f"{colours.recipe} --data {colours.data} --store {colours.store} --set colour.window.fps=3"
    )


def test_a_video_under_two_names_never_leaks(colours, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(colours.data, data)
    shutil.copy(data / "videos" / "one.mp4", data / "videos" / "copy.mp4")
    with (data / "table.csv").open("a") as file:
        file.write("copy,0,1,r\n")
    with pytest.raises(BadRequest, match=r"is in train and in validation of fold '(copy|one)'.*split by video"):
        run(colours, tmp_path, data=data)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("one,7.5,8,r", r"table.csv, line 20: got a segment from 7.5 to 8 s of 'one', which ends at 6.000 s"),
        ("one,5,7.5,r", r"table.csv, line 20: got a segment from 5 to 7.5 s of 'one', which ends at 6.000 s"),
        ("one,5,6,new", r"fold 'one', task 'verb': tests 'new' without a training clip; ignore these classes"),
    ],
)
def test_annotations_that_cannot_be_are_refused(colours, tmp_path, line, message):
    data = tmp_path / "data"
    shutil.copytree(colours.data, data)
    with (data / "table.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(BadRequest, match=message):
        run(colours, tmp_path, data=data)


def test_a_class_without_training_clips_may_count_as_errors(colours, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(colours.data, data)
    with (data / "table.csv").open("a") as file:
        file.write("one,5,6,new\n")
    done = run(colours, tmp_path / "runs", "verb.unseen=count", data=data, folds=("one",))[-1]
    assert done.metrics["folds"]["one"]["validation"]["verb"]["accuracy"] == pytest.approx(6 / 7)


def test_a_clip_without_a_label_has_no_part_in_what_is_learnt_of_it(colours, tmp_path):
    found = {}
    for kind, cut, left in (("blank", ",5,6,.", ",5,6,"), ("absent", r".*,5,6,.\n", "")):
        shutil.copytree(colours.data, data := tmp_path / kind)
        text = (data / "table.csv").read_text()
        (data / "table.csv").write_text(re.sub(cut, left, text))
        done = run(colours, tmp_path, 'dataset.unlabelled=[""]', data=data, head=Ridge(), folds=("one",))[-1]
        assert done.metrics["folds"]["one"]["validation"]["verb"]["clips"] == 5
        found[kind] = load_file(next(done.folder.glob("*.safetensors")))
    assert all(torch.equal(x, found["absent"][name]) for name, x in found["blank"].items())


def test_a_video_that_cannot_be_read_stops_the_fit(colours, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(colours.data, data)
    (data / "videos" / "two.mp4").write_bytes(b"no video at all")
    with pytest.raises(Exception, match="annotates it as 'two'"):
        run(colours, tmp_path, data=data)


def test_recipes_that_lack_a_part(colours, tmp_path):
    toml = tmp_path / "short.toml"
    toml.write_text(colours.recipe.read_text().replace('[head]\nname = "linear"\n', ""))
    with pytest.raises(BadRequest, match=r"has no \[head\]"):
        run(colours, tmp_path, toml=toml)
    toml.write_text("[extractors.mean_rgb]\n[head]\nname = 'linear'\n")
    with pytest.raises(BadRequest, match=r"has no \[dataset\] or no \[tasks"):
        run(colours, tmp_path, toml=toml)
    with pytest.raises(BadRequest, match="got fold 'four', expected one of: 'one', 'three', 'two'"):
        run(colours, tmp_path, folds=("four",))
    with pytest.raises(BadRequest, match=r"head\.features asks for 'flow', the recipe extracts: colour"):
        run(colours, tmp_path, 'head.features=["flow"]')


@dataclasses.dataclass(frozen=True)
class Nearest(Head):
    """A head in closed form: the nearest class mean."""

    @property
    def solves(self):
        return True

    def build(self, shapes, tasks):
        raise AssertionError("a head that is solved needs no loop")

    def solve(self, whole, shapes, tasks):
        means = whole.features["colour"].mean(dim=1)
        labels = whole.labels["verb"]
        return NearestMean(torch.stack([means[labels == index].mean(dim=0) for index in range(3)]))


class NearestMean(torch.nn.Module):
    def __init__(self, centres):
        super().__init__()
        self.register_buffer("centres", centres)

    def forward(self, features, masks, tasks, labels=None):
        return {"verb": -torch.cdist(features["colour"].mean(dim=1), self.centres)}


def test_a_head_in_closed_form_needs_no_loop(colours, tmp_path):
    events = run(colours, tmp_path, head=Nearest())
    assert not any(isinstance(event, Trained) for event in events)
    assert events[-1].metrics["pooled"]["validation"]["verb"]["accuracy"] == 1.0


def test_the_demo_recipe_learns_what_is_drawn(colours, tmp_path):
    toml, store = Path(__file__).parents[2] / "recipes" / "demo.toml", tmp_path / "features"
    sys.modules["colours"].fill(dataclasses.replace(colours, recipe=toml, store=store))
    done = run(colours, tmp_path / "runs", toml=toml, store=store)[-1]
    assert done.metrics["pooled"]["validation"]["verb"]["accuracy"] == 1.0


def test_real_clips_end_to_end(shared_data, tmp_path):
    """Four real videos at one frame a second: more right than the majority class (20 of 72)."""
    from ego.pipeline.extract import extract
    from ego.pipeline.jobs import work
    from ego.pipeline.scan import scan

    path = Path(__file__).parents[2] / "recipes" / "gtea.toml"
    finder = WeightFinder([shared_data / "weights" / "imagenet_small"])
    read = recipe.read(path, ("rgb.window.fps=1",), finder)
    store, root = FeatureStore(tmp_path / "features", create=True), shared_data / "labelled_gtea_s2"
    with Decoder() as decoder:
        videos = list(scan(read.dataset.videos(root).values(), decoder))
        list(extract(work(videos, list(read.extractors.values()), store), store, finder))
        done = list(fit(read, Workplace(root, store, finder, decoder, tmp_path / "runs")))[-1]
    found = done.metrics["pooled"]["validation"]["verb"]
    assert found["clips"] == 72
    assert found["accuracy"] > 30 / 72
    assert np.isclose(sum(fold["validation"]["verb"]["clips"] for fold in done.metrics["folds"].values()), 72)


def test_an_action_is_the_product_of_what_two_tasks_learn(colours, tmp_path):
    data, toml = tmp_path / "data", tmp_path / "action.toml"
    shutil.copytree(colours.data, data)
    lines = (data / "table.csv").read_text().splitlines()
    kinds = {"r": "warm", "g": "cold", "b": "cold"}
    table = [f"{lines[0]},noun", *(f"{line},{kinds[line[-1]]}" for line in lines[1:])]
    (data / "table.csv").write_text("\n".join(table) + "\n")
    tasks = '[tasks.noun]\nname = "classify"\nlabel = "noun"\nclass_weights = "balanced"\n[tasks.action]\ntop = [2]\n'
    toml.write_text(colours.recipe.read_text().replace("[head]", tasks + "[head]"))
    done = run(colours, tmp_path / "runs", data=data, toml=toml)[-1]
    found = done.metrics["pooled"]["validation"]
    assert found["action"] == {"accuracy": 1.0, "top2_accuracy": 1.0, "clips": 18}
    assert found["noun"]["accuracy"] == 1
    with pytest.raises(BadRequest, match="the task 'action' is of 'thing', the recipe learns: verb, noun"):
        run(colours, tmp_path, "action.noun=thing", data=data, toml=toml)
    with pytest.raises(BadRequest, match="expected one of the 1 in"):
        run(colours, tmp_path, "action.space=given", 'action.actions=[["r","warm"]]', data=data, toml=toml)


def test_a_clip_that_several_folds_train_on_is_counted_once(colours, tmp_path):
    """Each class has six clips, of which every fold trains on four."""
    for many, classes in ((5, 3), (6, 0)):
        done = run(colours, tmp_path, "training.epochs=1", f"verb.many={many}")[-1]
        assert done.metrics["pooled"]["validation"]["verb"]["many_shot_classes"] == classes
        assert done.metrics["folds"]["one"]["validation"]["verb"]["many_shot_classes"] == 0


def test_what_a_task_reads_must_be_extracted(colours, tmp_path):
    toml = tmp_path / "gaze.toml"
    toml.write_text(colours.recipe.read_text().replace("[head]", '[tasks.look]\nname = "point"\n[head]'))
    with pytest.raises(BadRequest, match=r"a task reads 'gaze.point', the recipe extracts: colour"):
        run(colours, tmp_path, toml=toml)
