"""`ego finetune` as it is typed: the falling loss, step by step."""

import json

NETWORK = """
[extractors.net]
name = "resnet"
weights = "random:0"
window = { fps = 5.0 }
picture = { fit = "short", size = 36 }
size = 32
precision = "float32"
"""


def test_each_step_prints_its_loss(run, colours, tmp_path):
    recipe = tmp_path / "net.toml"
    recipe.write_text(colours.recipe.read_text() + NETWORK)
    settings = ("training.steps=4", "sampling.rows=1", "training.lr=0.001", 'head.features=["net"]')
    words = ["finetune", recipe, "--data", colours.data, "--store", colours.store, "--out", tmp_path / "runs"]
    words += [part for setting in settings for part in ("--set", setting)] + ["--fold", "one", "--json"]
    done = run(*words)
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["step"] for line in lines[:4]] == [1, 2, 3, 4]
    assert lines[3]["loss"] < lines[0]["loss"]
    assert {line["split"] for line in lines[4:]} == {"train", "validation"}


def test_features_that_cannot_be_trained_are_refused(run, colours, tmp_path):
    words = ["finetune", colours.recipe, "--data", colours.data, "--store", colours.store, "--out", tmp_path / "runs"]
    done = run(*words, "--set", "sampling.rows=1")
    assert done.exit_code == 2
    assert "none is a network with weights to train" in done.stderr


def test_what_stays_as_it_is_is_said(run, colours, tmp_path):
    recipe = tmp_path / "net.toml"
    recipe.write_text(colours.recipe.read_text() + NETWORK + '[extractors.looks]\nname = "lam"\nweights = "random:1"\n')
    words = ["finetune", recipe, "--data", colours.data, "--store", colours.store, "--out", tmp_path / "runs"]
    done = run(*words, "--set", "sampling.rows=1", "--set", 'head.features=["net", "looks.feature"]')
    assert "not trained: looks (lam) is read from the store, since it follows a video in order" in done.stderr
    assert done.exit_code == 2  # its rows are not there yet
    assert "run: ego extract" in done.stderr


def test_controls_of_what_is_stored_are_refused(run, colours, tmp_path):
    recipe = tmp_path / "net.toml"
    recipe.write_text(colours.recipe.read_text() + NETWORK)
    words = ["finetune", recipe, "--data", colours.data, "--store", colours.store, "--out", tmp_path / "runs"]
    words += ["--set", "sampling.rows=1", "--set", 'head.features=["net"]']
    for setting in ('sampling.permuted=["net"]', "sampling.shuffled=true"):
        done = run(*words, "--set", setting)
        assert done.exit_code == 2
        assert (
            "sampling.permuted and sampling.shuffled are controls of what is stored; ask ego fit-heads" in done.stderr
        )
        assert not (tmp_path / "runs").exists()
