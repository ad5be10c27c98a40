"""Training as a recipe asks for it, on stored features: cut off and gone on, held out, balanced, reported."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.heads._training import Group, Training
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.checkpoint import Checkpoints
from ego.pipeline.fit import Finished, Workplace, fit
from ego.pipeline.held_out import chances, held_out
from ego.pipeline.packs import Packs
from ego.pipeline.weights import WeightFinder


def run(colours, out, *settings, toml=None, data=None, stop=None, every=0.0, folds=()):
    read = recipe.read(toml or colours.recipe, settings, WeightFinder([]))
    with Decoder() as decoder:
        at = Workplace(data or colours.data, FeatureStore(colours.store), WeightFinder([]), decoder, out,
                       checkpoint_seconds=every)  # fmt: skip
        done = []
        for event in fit(read, at, folds):
            done.append(event)
            if len(done) == stop:
                break
        return done


def weights_of(folder):
    return [path.read_bytes() for path in sorted(folder.glob("weights*"))]


ALL = ("training.epochs=6", "training.batch=5", "head.dropout=0.4", "training.ema=0.9", "training.hold_out=0.4",
       "training.mixup=0.3", "training.best_on_test=true")  # fmt: skip


@pytest.mark.parametrize("stop", [2, 17, 20])
def test_a_run_that_was_cut_off_goes_on_and_ends_the_same(colours, tmp_path, stop):
    whole = run(colours, tmp_path / "a", *ALL)
    run(colours, tmp_path / "b", *ALL, stop=stop)
    rest = run(colours, tmp_path / "b", *ALL)
    assert len(rest) == len(whole) - stop
    assert weights_of(rest[-1].folder) == weights_of(whole[-1].folder)
    for name in ("metrics.json", "log.jsonl"):
        assert (rest[-1].folder / name).read_bytes() == (whole[-1].folder / name).read_bytes()
    assert [path.name for path in (tmp_path / "b").iterdir()] == [rest[-1].folder.name]


@pytest.mark.slow
def test_kill_9_and_the_same_bits(colours, tmp_path):
    words = [sys.executable, "-m", "ego", "fit-heads", colours.recipe, "--data", colours.data, "--store",
             colours.store, "--set", "training.epochs=4000", "--set", "head.dropout=0.4", "--quiet"]  # fmt: skip
    kept = subprocess.Popen([*words, "--out", tmp_path / "a", "--save-every", "0.05"], stderr=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL)  # fmt: skip
    until = time.monotonic() + 120
    while not list((tmp_path / "a").glob(".training-*/fold-2.pt")) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(kept.pid, signal.SIGKILL)
    assert kept.wait() == -signal.SIGKILL
    assert [path.name[:9] for path in (tmp_path / "a").iterdir()] == [".training"]
    for place in "ab":
        subprocess.run([*words, "--out", tmp_path / place], check=True, capture_output=True)
    (one,), (other,) = list((tmp_path / "a").iterdir()), list((tmp_path / "b").iterdir())
    assert one.name == other.name
    assert weights_of(one) == weights_of(other)
    assert len(weights_of(one)) == 3


def test_a_checkpoint_that_cannot_be_read_is_one_sentence(tmp_path):
    saved = Checkpoints(tmp_path, "0" * 64, 0)
    assert saved.read(0, "cpu") is None
    saved.save(0, {"done": 3})
    assert saved.read(0, "cpu") == {"done": 3}
    path = next(tmp_path.glob(".training-*/fold-1.pt"))
    path.write_bytes(b"nothing")
    with pytest.raises(BadRequest, match=r"cannot be read .* remove that folder and train again"):
        saved.read(0, "cpu")


def test_what_is_tested_changes_nothing_of_what_is_learnt(colours, tmp_path):
    # the labels of the tested video are turned round: a leak would choose another epoch
    data = tmp_path / "data"
    shutil.copytree(colours.data, data)
    lines = (data / "table.csv").read_text().splitlines()
    turned = [line[:-1] + {"r": "g", "g": "b", "b": "r"}[line[-1]] if line.startswith("one,") else line
              for line in lines]  # fmt: skip
    settings = (*ALL, "training.patience=2", "training.lr=0.3", "training.epochs=12")
    first = run(colours, tmp_path / "a", *settings, folds=("one",))[-1]
    (data / "table.csv").write_text("\n".join(turned) + "\n")
    other = run(colours, tmp_path / "a", *settings, data=data, folds=("one",))[-1]
    assert first.folder != other.folder
    assert _tensors(first.folder) == _tensors(other.folder)
    assert first.metrics["best_on_test"] != other.metrics["best_on_test"]


def _tensors(folder):
    from safetensors.numpy import load_file

    return {name: tensor.tolist() for name, tensor in load_file(folder / "weights.safetensors").items()}


def test_the_best_on_test_stands_apart_and_is_never_worse(colours, tmp_path):
    settings = ("training.epochs=6", "training.lr=0.01")
    plain = run(colours, tmp_path, *settings)[-1]
    told = run(colours, tmp_path, *settings, "training.best_on_test=true")[-1]
    assert "best_on_test" not in plain.metrics
    assert told.metrics["folds"] == plain.metrics["folds"]
    for fold, splits in told.metrics["best_on_test"].items():
        assert set(splits) == {"validation"}
        best = splits["validation"]["verb"]
        assert 1 <= best["epoch"] <= 6
        assert best["accuracy"] >= told.metrics["folds"][fold]["validation"]["verb"]["accuracy"]


def test_whole_videos_are_held_out(colours, tmp_path):
    read = recipe.read(colours.recipe, (), WeightFinder([]))
    from ego.pipeline.clips import problem

    with Decoder() as decoder:
        learnt = problem(read, colours.data, decoder, FeatureStore(colours.store))
    train = learnt.folds["one"]["train"]
    kept, held = held_out(learnt, train, Training(hold_out=0.1))
    assert sorted([*kept, *held]) == sorted(train)
    videos = [{learnt.clips[i].video.name for i in some} for some in (kept, held)]
    assert [len(some) for some in videos] == [1, 1]
    assert videos[0].isdisjoint(videos[1])
    sides = {frozenset(held_out(learnt, train, Training(hold_out=0.1, seed=seed))[1]) for seed in range(8)}
    assert len(sides) == 2
    with pytest.raises(BadRequest, match="clips of one video to train on"):
        held_out(learnt, held, Training(hold_out=0.1))
    assert len(held_out(learnt, train, Training())[1]) == 0
    found = chances(learnt, train, Training(balance="verb"))
    labels = learnt.labels["verb"][train]
    assert [found[labels == label].sum() for label in range(3)] == pytest.approx([1 / 3] * 3)
    with pytest.raises(BadRequest, match=r"training\.balance = 'noun', tasks with a class a clip: verb"):
        chances(learnt, train, Training(balance="noun"))


def test_groups_are_tables_of_the_recipe(colours, tmp_path):
    toml = tmp_path / "groups.toml"
    toml.write_text(colours.recipe.read_text() + '[[training.groups]]\nparameters = "*.bias"\nlr = 0\n')
    read = recipe.read(toml, (), WeightFinder([]))
    assert read.training.groups == (Group("*.bias", lr=0.0),)
    done = run(colours, tmp_path / "runs", "training.epochs=2", toml=toml)[-1]
    plan = json.loads((done.folder / "run.json").read_text())["plan"]
    assert plan["training"]["fields"]["groups"][0]["spec"]["fields"]["parameters"] == "*.bias"
    toml.write_text(toml.read_text().replace("*.bias", "tail"))
    with pytest.raises(BadRequest, match="no parameter is called 'tail'"):
        run(colours, tmp_path / "runs", toml=toml)
    toml.write_text(toml.read_text().replace("lr = 0\n", "rate = 0\n"))
    with pytest.raises(BadRequest, match=r"has no field 'rate'; its fields are: parameters, lr, weight_decay"):
        recipe.read(toml, (), WeightFinder([]))


def test_fields_added_later_leave_old_digests_as_they_are():
    assert set(Training().describe()["fields"]) == {
        "optimiser", "lr", "weight_decay", "momentum", "schedule", "epochs", "steps", "batch", "seed"
    }  # fmt: skip
    assert len({dataclasses.replace(Training(), **one).digest for one in ({}, {"ema": 0.5}, {"balance": "a"})}) == 3


def test_rows_that_were_read_once_are_kept_by_what_they_are(colours, tmp_path):
    read = recipe.read(colours.recipe, ("training.epochs=2",), WeightFinder([]))
    store, packs = tmp_path / "store", tmp_path / "packs"
    shutil.copytree(colours.store, store)

    def train(out):
        with Decoder() as decoder:
            at = Workplace(
                colours.data, FeatureStore(store), WeightFinder([]), decoder, tmp_path / out, packs=Packs(packs)
            )
            return next(event for event in fit(read, at) if isinstance(event, Finished))

    first = train("a")
    (kept,) = packs.iterdir()
    for shard in (path for path in store.glob("mean_rgb-*/*/feature/c/**/0") if path.is_file()):
        shard.write_bytes(bytes(shard.stat().st_size))  # what is opened now is not read from here
    second = train("b")
    assert weights_of(second.folder) == weights_of(first.folder)
    (kept / "feature.bin").write_bytes(b"broken")
    with pytest.raises(Exception, match="feature"):
        train("c")
    assert not kept.exists()


def test_a_log_tensorboard_can_read(colours, tmp_path):
    done = run(colours, tmp_path, "training.epochs=3")[-1]
    files = sorted(done.folder.glob("*/events.out.tfevents*"))
    assert [path.parent.name for path in files] == ["1-one", "2-three", "3-two"]
    records = list(_records(files[0].read_bytes()))
    assert b"brain.Event:2" in records[0]
    assert len(records) == 4
    losses = [json.loads(line)["loss"] for line in (done.folder / "log.jsonl").read_text().splitlines()[:3]]
    for loss, record in zip(losses, records[1:], strict=True):
        place = record.index(b"loss") + 5
        assert np.frombuffer(record[place : place + 4], "<f4")[0] == pytest.approx(loss, rel=1e-6)


def _records(data):
    """The payloads of an event file, both checksums of each record held against their definition."""
    import google_crc32c

    def masked(some):
        crc = google_crc32c.value(some)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32

    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        assert int.from_bytes(data[at + 8 : at + 12], "little") == masked(data[at : at + 8])
        payload = data[at + 12 : at + 12 + size]
        assert int.from_bytes(data[at + 12 + size : at + 16 + size], "little") == masked(payload)
        yield payload
        at += 16 + size
