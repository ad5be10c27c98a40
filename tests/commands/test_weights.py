"""`ego weights` lists what is published and present, and fetches it."""

import json
from pathlib import Path
from typing import Any

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


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    """Random weights of ResNet-18 for 3 classes as a training program saves them."""
    import torch

    from ego.extractors._weights import initialise
    from ego.layers.resnet import ResNet

    network = ResNet(18, 3)
    initialise(network, 1)
    state = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "best.pth")
    return tmp_path / "best.pth"


SMALL = ["--set", "resnet.size=32", "--set", "resnet.precision=float32"]


def checked(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(group, ["weights", "check", *words, "--json"])
    assert result.exit_code in (0, 1), result.output
    return result.exit_code, json.loads(result.stdout)


def test_check_says_what_a_file_is(resnet: Path, shared_data: Path) -> None:
    code, facts = checked(str(resnet))
    assert code == 0
    assert (facts["container"], facts["wrappers"]) == ("PyTorch zip", ["state_dict", "module."])
    assert facts["tensors"] == 122
    assert facts["dtypes"] == {"float32": 102, "int64": 20}
    assert facts["bytes"] == resnet.stat().st_size
    small = shared_data / "weights" / "imagenet_small" / "mobilenet_v2_1.0_224_quant.tflite"
    assert checked(str(small))[1]["container"] == "TFLite"
    assert checked(str(shared_data / "weights" / "yunet" / "yunet_n_320_320.onnx"))[1]["container"] == "ONNX"
    result = CliRunner().invoke(group, ["weights", "check", str(resnet)])
    assert "122 with 11,187,671 numbers" in result.stdout
    assert "state_dict > module." in result.stdout


def test_check_runs_what_fits(resnet: Path) -> None:
    code, facts = checked(str(resnet), "--as", "resnet", *SMALL, "--set", 'resnet.taps=["pool", "logits"]')
    assert (code, facts["fits"], facts["differences"]) == (0, True, {})
    assert {name: one["shape"] for name, one in facts["answers"].items()} == {"pool": [512], "logits": [3]}
    assert facts["answers"]["pool"]["deviation"] > 0
    result = CliRunner().invoke(group, ["weights", "check", str(resnet), "--as", "resnet", *SMALL])
    assert result.exit_code == 0
    assert "all keys fit resnet" in result.stdout


def test_check_lists_every_key_that_differs(resnet: Path) -> None:
    code, facts = checked(str(resnet), "--as", "resnet", *SMALL, "--set", "resnet.depth=34")
    assert (code, facts["fits"], facts["answers"]) == (1, False, {})
    assert list(facts["differences"]) == ["missing"]
    assert len(facts["differences"]["missing"]) == 218 - 122
    result = CliRunner().invoke(
        group, ["weights", "check", str(resnet), "--as", "resnet", *SMALL, "--set", "resnet.depth=34"]
    )
    assert result.exit_code == 1
    assert result.stdout.count("\n  missing: layer") == 218 - 122
    assert checked(str(resnet), "--as", "i3d")[0] == 1


def test_check_runs_no_code_and_breaks_on_nothing(resnet: Path, tmp_path: Path) -> None:
    import os
    import pickle

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "cut.pth").write_bytes(resnet.read_bytes()[:5000])
    (tmp_path / "empty.pt").write_bytes(b"")
    for name in ("bomb.pkl", "cut.pth", "empty.pt"):
        code, facts = checked(str(tmp_path / name), "--as", "resnet", *SMALL)
        assert (code, facts["fits"]) == (1, False), facts
        assert "does not open as plain tensors" in facts["problem"]
    assert checked(str(tmp_path / "bomb.pkl"))[0] == 1
    assert not (tmp_path / "ran").exists()


def test_check_of_models_that_say_their_own_fields(shared_data: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        image_size=32, patch_size=16, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    transformers.ViTModel(config).save_pretrained(tmp_path / "vit")
    processor = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(processor))
    code, facts = checked(str(tmp_path / "vit"), "--as", "hf")
    assert (code, facts["fits"], facts["container"]) == (0, True, "safetensors")
    assert facts["answers"]["feature"]["shape"] == [32]
    changed = json.loads((tmp_path / "vit" / "config.json").read_text()) | {"num_hidden_layers": 2}
    (tmp_path / "vit" / "config.json").write_text(json.dumps(changed))
    code, facts = checked(str(tmp_path / "vit"), "--as", "hf")
    assert code == 1
    assert len(facts["differences"]["missing"]) == 16  # a block: 6 linear layers and 2 norms, each of two tensors
    pytest.importorskip("ai_edge_litert")
    small = shared_data / "weights" / "imagenet_small" / "mobilenet_v2_1.0_224_quant.tflite"
    code, facts = checked(str(small), "--as", "image_model")
    assert (code, facts["answers"]["feature"]["shape"]) == (0, [1280])


@pytest.mark.parametrize("words", [["nothing.pt"], ["FILE", "--as", "no_such"], ["FILE", "--as", "tvl1"]])
def test_check_of_what_cannot_be_asked(words: list[str], resnet: Path) -> None:
    words = [str(resnet) if word == "FILE" else word for word in words]
    assert CliRunner().invoke(group, ["weights", "check", *words]).exit_code == 2
