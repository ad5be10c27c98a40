"""`ego weights` lists what is published and present, and fetches it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ego.cli import group
from ego.pipeline.weights import weights_folder


def test_list_says_what_is_known_and_where_it_lies(shared_data: Path) -> None:
    folder = shared_data / "weights" / "imagenet_small"
    result = CliRunner().invoke(group, ["weights", "list", "--weights", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    known = {one["name"]: one for one in map(json.loads, result.stdout.splitlines())}
    mobilenet = known["mobilenet_v2_1.0_224_quant.tflite"]
    assert mobilenet["path"] == str(folder / mobilenet["name"])
    assert mobilenet["extractor"] == "image_model"
    assert known["resnet50-0676ba61.pth"]["path"] is None
    assert known["resnet50-0676ba61.pth"]["for"] == {"depth": 50}
    assert len(known["rgb_imagenet.pt"]["sha256"]) == 64


def test_list_is_a_table_for_people() -> None:
    result = CliRunner().invoke(group, ["weights", "list"])
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == ["extractor", "file", "size", "here", "what"]
    assert "resnet18-f37072fd.pth" in result.stdout


def test_get_of_a_file_that_is_there_prints_its_path(shared_data: Path) -> None:
    name = "mobilenet_v2_1.0_224_quant.tflite"
    weights_folder().mkdir(parents=True)
    (weights_folder() / name).write_bytes((shared_data / "weights" / "imagenet_small" / name).read_bytes())
    result = CliRunner().invoke(group, ["weights", "get", name])
    assert (result.exit_code, result.stdout.strip()) == (0, str(weights_folder() / name))
    result = CliRunner().invoke(group, ["weights", "get", name, "--json"])
    assert json.loads(result.stdout)["sha256"].startswith("7aad0c74c5e3c06e")


def test_get_of_an_unknown_name_is_a_bad_request(tmp_path: Path) -> None:
    result = CliRunner().invoke(group, ["weights", "get", "nothing.pt", "--into", str(tmp_path)])
    assert result.exit_code == 2
    assert "rgb_imagenet.pt" in result.stderr


@pytest.mark.parametrize("words", [["weights"], ["weights", "--help"], ["weights", "get", "--help"]])
def test_help(words: list[str]) -> None:
    result = CliRunner().invoke(group, words)
    assert "Usage: " in result.output
