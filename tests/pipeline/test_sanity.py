"""What a network says it sees, before hours are spent on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from ego.cli import group
from ego.errors import BadRequest
from ego.extractors._weights import initialise
from ego.layers.resnet import ResNet
from ego.pipeline.sanity import _read, glances, shares
from ego.spec import make

SMALL = ["--set", "resnet.size=32", "--set", "resnet.picture.size=32", "--set", "resnet.precision=float32"]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network of 7 classes that sees class 4 in anything."""
    network = ResNet(18, 7)
    initialise(network, 0)
    network.fc.weight.data *= 0.01
    network.fc.bias.data = torch.tensor([0.0, 1, 2, 3, 20, 5, 6])
    torch.save(network.state_dict(), tmp_path / "best.pth")
    return tmp_path / "best.pth"


def extract(tmp_path: Path, video: Path, weights: Path | str, *words: str) -> Any:
    table = ["--with", "resnet", "--set", f"resnet.weights={weights}", *SMALL, "--store", str(tmp_path / "store")]
    return CliRunner().invoke(group, ["extract", *table, "--sanity", "--quiet", *words, str(video)])


def test_names_come_from_a_file_or_from_beside_the_weights(
    weights: Path, tmp_path: Path, readable_video: Callable[..., Path]
) -> None:
    video = readable_video(tmp_path / "v.mp4", frames=45)
    told = extract(tmp_path, video, weights)
    assert told.exit_code == 0, told.output
    lines = told.stderr.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("resnet, v, ") and ": 4 " in line for line in lines), lines
    assert lines[1].split(" to ")[0].endswith(" 1.00")
    assert len(lines[0].rpartition(": ")[2].split(", ")) == 5
    weights.with_suffix(".classes.txt").write_text("\n".join(["a", "b", "c", "d", "open a jar", "f", "g"]))
    assert ": open a jar " in extract(tmp_path, video, weights).stderr
    (tmp_path / "names.json").write_text(json.dumps({str(i): f"class {i}" for i in range(7)}))
    again = extract(tmp_path, video, weights, "--classes", str(tmp_path / "names.json"), "--json")
    assert ": class 4 " in again.stderr
    assert again.stdout == ""  # all is stored already, and JSON is outcomes alone


def test_a_table_is_seen_in_the_kitchen(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    folder = shared_data / "weights" / "imagenet_small"
    video = shared_data / "labelled_gtea_s2" / "videos" / "S2_Cheese_C1.mp4"
    words = ["extract", "--with", "image_model", "--weights", str(folder), "--store", str(tmp_path / "store")]
    told = CliRunner().invoke(group, [*words, "--sanity", "--quiet", "--seconds", "6:6.2", str(video)])
    assert told.exit_code == 0, told.output
    assert ": 533 " in told.stderr or ", 533 " in told.stderr  # ImageNet's dining table after a background class


def test_a_barbell_is_seen_where_weights_are_lifted(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    video = shared_data / "references" / "video_features" / "sample" / "v_GGSY1Qvo990.mp4"
    words = ["extract", "--with", "image_model", "--weights", str(shared_data / "weights" / "imagenet_small")]
    names = {str(index): f"class {index}" for index in range(1001)} | {"423": "barbell", "544": "dumbbell"}
    (tmp_path / "names.json").write_text(json.dumps(names))
    words += ["--store", str(tmp_path / "store"), "--sanity", "--quiet", "--classes", str(tmp_path / "names.json")]
    told = CliRunner().invoke(group, [*words, "--seconds", "1:1.2", str(video)])
    assert told.exit_code == 0, told.output
    (line,) = told.stderr.splitlines()
    first, second, *others = line.rpartition(" s: ")[2].split(", ")
    assert first.startswith("barbell ")
    assert second.startswith("dumbbell ")
    assert float(first.split()[1].rstrip("%")) > 50
    assert len(others) == 3


def test_names_of_another_number_of_classes_are_refused(
    weights: Path, tmp_path: Path, readable_video: Callable[..., Path]
) -> None:
    weights.with_suffix(".classes.txt").write_text("\n".join(["wash", "cut", "pour"]))
    told = extract(tmp_path, readable_video(tmp_path / "v.mp4", frames=45), weights)
    assert told.exit_code == 2
    assert "got the names of 3 classes for resnet, whose file has 7" in told.stderr


def test_without_classes_it_says_so(tmp_path: Path, readable_video: Callable[..., Path]) -> None:
    video = readable_video(tmp_path / "v.mp4", frames=5)
    words = ["extract", "--with", "mean_rgb", "--store", str(tmp_path / "store"), "--sanity", "--quiet", str(video)]
    told = CliRunner().invoke(group, words)
    assert told.exit_code == 0
    assert told.stderr == "mean_rgb: no classes in its file\n"


def test_scores_become_shares_over_moments_and_places() -> None:
    one = torch.tensor([1.0, 3.0, 2.0])
    assert shares(one).tolist() == pytest.approx([0.0900, 0.6652, 0.2447], abs=1e-4)
    assert torch.equal(shares(one.repeat(4, 1)), shares(one))  # moments
    assert torch.allclose(shares(one[:, None, None, None].expand(3, 2, 1, 2)), shares(one))  # a map
    already = torch.tensor([0.25, 0.5, 0.25])
    assert shares(already).tolist() == [0.25, 0.5, 0.25]
    rounded = torch.tensor([0.6, 0.3, 0.0])  # of 8 bits
    assert shares(rounded).tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_class_names_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("3")
    with pytest.raises(BadRequest, match="one name a line or a JSON list"):
        _read(tmp_path / "bad.json")


def test_a_network_of_no_classes_has_none() -> None:
    made = make("extractors", "mean_rgb", {})
    assert glances(made, None, None, {}, "cpu") is None  # type: ignore[arg-type]


def test_a_model_folder_names_its_classes(tmp_path: Path, readable_video: Callable[..., Path]) -> None:
    transformers = pytest.importorskip("transformers")
    from ego.cache.store import FeatureStore

    config = transformers.ViTConfig(
        image_size=32, patch_size=16, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        id2label={0: "wash", 1: "cut", 2: "pour"},
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config)
    model.classifier.bias.data = torch.tensor([0.0, 30, 0])
    model.save_pretrained(tmp_path / "vit")
    processor = {"size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(processor))
    video = readable_video(tmp_path / "v.mp4", frames=5)
    table = ["--with", "hf", "--set", f"hf.weights={tmp_path / 'vit'}", "--set", 'hf.views=["centre", "left flipped"]']
    told = CliRunner().invoke(
        group, ["extract", *table, "--store", str(tmp_path / "store"), "--sanity", "--quiet", str(video)]
    )
    assert told.exit_code == 0, told.output
    assert "s: cut 100.0%, " in told.stderr
    store = FeatureStore(str(tmp_path / "store"))
    entry = store.read(next(iter(store)))
    assert entry["feature"].shape == (5, 2, 32)
    assert entry.arrays["feature"].views == ((0.0, 0.0, 1.0, 1.0, 0.0), (0.0, 0.0, 1.0, 1.0, 1.0))
