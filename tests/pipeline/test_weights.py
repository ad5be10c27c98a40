"""File name, path, sha256 and random: are four spellings of one field."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.i3d import I3D
from ego.extractors.image_model import ImageModel
from ego.extractors.resnet import ResNet
from ego.pipeline.weights import WeightFinder, published, weights_folder
from ego.spec import Spec, Weights, from_table


def digest(path: Path) -> Weights:
    return Weights(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


def spec(finder: WeightFinder, cls: type[Spec], table: dict[str, Any]) -> Any:
    return from_table(cls, finder.fill(cls, table), "it")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two weights files, one of them further down."""
    folder = tmp_path / "weights"
    (folder / "below").mkdir(parents=True)
    (folder / "a.pt").write_bytes(b"first")
    (folder / "below" / "b.pt").write_bytes(b"second")
    return folder


def test_four_spellings_are_one_key(folder: Path) -> None:
    finder, path = WeightFinder([folder]), folder / "a.pt"
    said = ["a.pt", str(path), digest(path)]
    specs = {spec(finder, ResNet, {"weights": text}) for text in said}
    assert len({one.digest for one in specs}) == 1
    assert finder.files[digest(path)] == path
    assert spec(finder, ResNet, {"weights": "random:5"}).weights == "random:5"


def test_renaming_changes_no_key_and_replacing_does(folder: Path) -> None:
    before = spec(WeightFinder([folder]), ResNet, {"weights": "a.pt"})
    (folder / "a.pt").rename(folder / "c.pt")
    renamed = spec(WeightFinder([folder]), ResNet, {"weights": "c.pt"})
    assert renamed.digest == before.digest
    (folder / "c.pt").write_bytes(b"other")
    replaced = spec(WeightFinder([folder]), ResNet, {"weights": "c.pt"})
    assert replaced.digest != before.digest


def test_a_file_replaced_after_it_was_named_is_not_handed_out(folder: Path) -> None:
    finder = WeightFinder([folder])
    weights = finder.identify("a.pt")
    (folder / "moved.pt").write_bytes((folder / "a.pt").read_bytes())
    (folder / "a.pt").write_bytes(b"xxxxx")
    assert finder[weights] == folder / "moved.pt"
    (folder / "moved.pt").unlink()
    with pytest.raises(BadRequest, match=weights):
        finder[weights]
    assert weights not in finder


def test_identities_are_found_without_a_name(folder: Path) -> None:
    weights = digest(folder / "below" / "b.pt")
    finder = pickle.loads(pickle.dumps(WeightFinder([folder])))
    assert weights in finder
    assert finder[weights] == folder / "below" / "b.pt"
    assert Weights("random:1") not in finder


def test_folders_are_searched_in_order(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second", "absent"):
        if name != "absent":
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.pt").write_bytes(name.encode())
    weights_folder().mkdir(parents=True)
    (weights_folder() / "a.pt").write_bytes(b"cached")
    assert WeightFinder().identify("a.pt") == digest(weights_folder() / "a.pt")
    monkeypatch.setenv("EGO_WEIGHTS", f"{tmp_path / 'absent'}:{tmp_path / 'second'}:{tmp_path / 'first'}")
    assert WeightFinder().identify("a.pt") == digest(tmp_path / "second" / "a.pt")
    assert WeightFinder([folder]).identify("a.pt") == digest(folder / "a.pt")
    assert WeightFinder([folder]).identify("b.pt") == digest(folder / "below" / "b.pt")


def test_a_bare_name_may_lie_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.pt").write_bytes(b"here")
    weights = WeightFinder().identify("here.pt")
    assert weights == digest(tmp_path / "here.pt")


def test_two_files_of_one_name_with_other_bytes_are_refused(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "b.pt").write_bytes(b"second")
    assert WeightFinder([folder]).identify("b.pt") == digest(folder / "below" / "b.pt")
    (folder / "more" / "b.pt").write_bytes(b"third")
    with pytest.raises(BadRequest, match="several"):
        WeightFinder([folder]).identify("b.pt")


def test_a_name_that_is_not_there_says_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(BadRequest, match=f"'gone.pt'.*{folder}.*--weights"):
        WeightFinder([folder]).identify("gone.pt")
    with pytest.raises(BadRequest, match="no folder"):
        WeightFinder([folder / "absent"])
    with pytest.raises(BadRequest, match="64 hex digits"):
        WeightFinder().identify("sha256:abc")


@pytest.mark.parametrize(
    ("cls", "table", "name", "random"),
    [
        (ResNet, {}, "resnet18-f37072fd.pth", True),
        (ResNet, {"depth": 50}, "resnet50-0676ba61.pth", True),
        (I3D, {}, "rgb_imagenet.pt", True),
        (ImageModel, {}, "mobilenet_v2_1.0_224_quant.tflite", False),
    ],
)
def test_without_weights_it_says_what_to_fetch(cls: type[Spec], table: Any, name: str, random: bool) -> None:
    with pytest.raises(BadRequest) as caught:
        WeightFinder().fill(cls, table)
    text = str(caught.value)
    file = next(file for _, file in published() if file.name == name)
    assert file.url in text
    assert f"ego weights get {name}" in text
    assert str(weights_folder()) in text
    assert (f"--set {cls.__module__.rpartition('.')[2]}.weights=random:0" in text) == random


def test_published_weights_are_found_by_name_and_must_be_theirs(folder: Path) -> None:
    (folder / "resnet18-f37072fd.pth").write_bytes(b"something else")
    with pytest.raises(BadRequest, match="published with f37072fd"):
        WeightFinder([folder]).fill(ResNet, {})
    named = WeightFinder([folder]).fill(ResNet, {"weights": "resnet18-f37072fd.pth"})
    assert named["weights"] == digest(folder / "resnet18-f37072fd.pth")


def test_the_published_mobilenet_needs_no_setting(shared_data: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    folder = shared_data / "weights"
    found = spec(WeightFinder([folder]), ImageModel, {})
    named = spec(
        WeightFinder([folder / "imagenet_small"]), ImageModel, {"weights": "mobilenet_v2_1.0_224_quant.tflite"}
    )
    assert found.digest == named.digest
    assert found.output == "MobilenetV2/Logits/AvgPool"
    finder = WeightFinder([folder])
    assert found.rows(finder.files)["feature"].shape == (1280,)
    present = {one.file.name: one.path for one in WeightFinder([folder / "imagenet_small"]).known() if one.path}
    assert present == {
        "mobilenet_v2_1.0_224_quant.tflite": folder / "imagenet_small" / "mobilenet_v2_1.0_224_quant.tflite"
    }


def test_what_is_wrong_otherwise_is_left_to_the_spec(folder: Path) -> None:
    finder = WeightFinder([folder])
    assert finder.fill(ResNet, {"weights": 5, "depht": 3}) == {"weights": 5, "depht": 3}
    with pytest.raises(BadRequest, match="depht"):
        spec(finder, ResNet, {"weights": "a.pt", "depht": 3})


def test_nested_tables_are_filled_too(folder: Path) -> None:
    import dataclasses

    from ego.extractors._base import Extractor, Network

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Pair(Network):
        sees: Extractor
        more: tuple[Weights, ...] = ()

    filled = WeightFinder([folder]).fill(
        Pair, {"sees": {"name": "resnet", "weights": "a.pt"}, "more": ["b.pt", "random:1"]}
    )
    assert filled["sees"] == {"name": "resnet", "weights": digest(folder / "a.pt")}
    assert filled["more"] == [digest(folder / "below" / "b.pt"), "random:1"]


def test_every_published_file_has_a_name_of_its_own_and_its_digest() -> None:
    files = [file for _, file in published()]
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert file.url.startswith("https://")
        assert file.url.endswith(file.name)
        assert file.licence
        assert file.note
        assert all(digit in "0123456789abcdef" for digit in file.sha256)
        prefix = file.name.removesuffix(".pth").rpartition("-")[2]
        assert not file.name.startswith("resnet") or file.sha256.startswith(prefix)


def test_files_of_a_finder_build_a_network(folder: Path) -> None:
    from ego.layers.resnet import ResNet as Layers

    torch.save(Layers(18, 3).state_dict(), folder / "three.pt")
    finder = WeightFinder([folder])
    made = spec(finder, ResNet, {"weights": "three.pt", "taps": ["logits"]})
    assert made.rows(finder.files)["feature"].shape == (3,)
