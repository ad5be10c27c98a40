"""ONNX models are pruned to the wanted tensor and give what the whole model gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.image_model import ImageModel
from ego.spec import Weights
from ego.video import Picture

Make = Callable[..., tuple[ImageModel, dict[Weights, Path]]]
Noise = Callable[[int, int], torch.Tensor]


def test_an_onnx_tensor_is_what_the_whole_model_computes(tiny_onnx: Path, made: Make, noise: Noise) -> None:
    import onnxruntime

    shown = noise(5, 16)
    session = onnxruntime.InferenceSession(tiny_onnx.read_bytes(), providers=["CPUExecutionProvider"])
    real = (shown[:, 0].numpy() / np.float32(255) - np.float32([0.485, 0.456, 0.406])) / np.float32(
        [0.229, 0.224, 0.225]
    )
    expected = session.run(None, {"picture": real.transpose(0, 3, 1, 2).astype(np.float32)})[0]
    spec, files = made(tiny_onnx, output="probabilities")
    assert np.allclose(spec.build(files)(shown)["feature"].numpy(), expected, atol=1e-6)
    maps, files = made(tiny_onnx, output="map")
    array = maps.rows(files)["feature"]
    assert (array.shape, array.kind) == ((8, 8, 8), "map")
    pooled, files = made(tiny_onnx, output="squeezed")
    mean = maps.build(files)(shown)["feature"].mean(dim=(2, 3))
    assert torch.allclose(pooled.build(files)(shown)["feature"], mean, atol=1e-5)


def test_a_fixed_batch_of_one_is_run_one_by_one(shared_data: Path, made: Make, noise: Noise) -> None:
    pytest.importorskip("onnxruntime")
    spec, files = made(
        shared_data / "weights" / "yunet" / "yunet_n_320_320.onnx", output="obj_8", colours="bgr", scaling="byte"
    )
    shown = noise(3, 320)
    found = spec.build(files)(shown)["feature"]
    assert found.shape == (3, 1600)
    assert torch.equal(found[1:2], spec.build(files)(shown[1:2])["feature"])


def test_a_model_that_is_not_square(shared_data: Path, made: Make) -> None:
    pytest.importorskip("onnxruntime")
    spec, files = made(shared_data / "weights" / "ultraface" / "version-RFB-320.onnx", output="boxes")
    assert spec.size == (240, 320)
    assert spec.needs()["frames"] == Picture("squash", 320)
    assert spec.box(1280, 720) == pytest.approx((0, 0.125, 1, 0.875))
    assert spec.rows(files)["feature"].kind == "tokens"


def test_a_free_size_is_what_is_asked(shared_data: Path, made: Make) -> None:
    pytest.importorskip("onnxruntime")
    path = shared_data / "weights" / "yunet" / "yunet_n_dynamic.onnx"
    assert made(path)[0].size == 224
    spec, files = made(path, size=[160, 160], output="cls_8")
    assert spec.size == 160
    assert spec.rows(files)["feature"].shape == (400,)


def test_a_model_in_several_files_is_refused(tiny_onnx: Path, tmp_path: Path, made: Make) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(tiny_onnx)
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(BadRequest, match="save it as one file"):
        made(tmp_path / "split.onnx")


def test_a_quantised_tensor_comes_out_as_numbers(tiny_onnx: Path, tmp_path: Path, made: Make, noise: Noise) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    model = onnx.load(tiny_onnx)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.float32(0.01), "scale"), numpy_helper.from_array(np.uint8(7), "zero")]
    )
    model.graph.node.append(helper.make_node("QuantizeLinear", ["probabilities", "scale", "zero"], ["stored"]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("stored", onnx.TensorProto.UINT8, ["batch", 5]))
    onnx.save(model, tmp_path / "quantised.onnx")
    spec, files = made(tmp_path / "quantised.onnx", output="stored")
    real, _ = made(tmp_path / "quantised.onnx", output="probabilities")
    shown = noise(3, 16)
    found, exact = spec.build(files)(shown)["feature"], real.build(files)(shown)["feature"]
    assert found.dtype == torch.float32
    assert (found - exact).abs().max() <= 0.00501
    assert spec.rows(files)["feature"].dtype == "float16"


def test_integers_that_are_classes_stay_integers(tiny_onnx: Path, tmp_path: Path, made: Make) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import helper

    model = onnx.load(tiny_onnx)
    model.graph.node.append(helper.make_node("ArgMax", ["probabilities"], ["class"], axis=1, keepdims=0))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("class", onnx.TensorProto.INT64, ["batch"]))
    onnx.save(model, tmp_path / "class.onnx")
    spec, files = made(tmp_path / "class.onnx", output="class")
    array = spec.rows(files)["feature"]
    assert (array.shape, array.dtype) == ((1,), "int64")
