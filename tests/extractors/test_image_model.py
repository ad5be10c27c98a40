"""`image_model` shows any ONNX or TFLite model what it was made for and gives back its feature."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors._graph import Input, Quantised
from ego.extractors._seen import arranged, scaled
from ego.extractors.image_model import ImageModel
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

Make = Callable[..., tuple[ImageModel, dict[Weights, Path]]]
Noise = Callable[[int, int], torch.Tensor]
POOL = "MobilenetV2/Logits/AvgPool"
DINING_TABLE = 533  # of 1001 classes: ImageNet's after a background class


@pytest.fixture
def mobilenet(shared_data: Path) -> Path:
    pytest.importorskip("ai_edge_litert")
    return shared_data / "weights" / "imagenet_small" / "mobilenet_v2_1.0_224_quant.tflite"


@pytest.fixture(scope="session")
def gtea(shared_data: Path) -> torch.Tensor:
    """Three real frames, 5, 6 and 7 seconds into a video, squashed to 224: (3, 1, 224, 224, 3)."""
    with av.open(str(shared_data / "labelled_gtea_s2" / "videos" / "S2_Cheese_C1.mp4")) as video:
        kept = [frame for i, frame in enumerate(video.decode(video=0)) if i in (75, 90, 105)]
    pictures = [one.reformat(224, 224, format="rgb24", interpolation="BILINEAR").to_ndarray() for one in kept]
    return torch.from_numpy(np.stack(pictures))[:, None]


def test_the_file_says_the_fields(mobilenet: Path, made: Make) -> None:
    spec, files = made(mobilenet)
    assert (spec.output, spec.size, spec.scaling, spec.layout) == (POOL, 224, "byte", "nhwc")
    assert spec.needs() == {"frames": Picture("squash", 224)}
    array = spec.rows(files)["feature"]
    assert (array.shape, array.dtype, array.kind) == ((1280,), "float16", "vector")
    spelled, _ = made(mobilenet, output=POOL, size=224, scaling="byte", layout="nhwc", picture=Picture("squash", 224))
    assert spelled.digest == spec.digest


@pytest.mark.parametrize("name", ["mobilenet_v2_1.0_224_quant.tflite", "tf2_mobilenet_v2_1.0_224_ptq.tflite"])
def test_a_table_is_seen_on_a_real_frame(name: str, mobilenet: Path, gtea: torch.Tensor, made: Make) -> None:
    output = "Identity" if name.startswith("tf2") else "MobilenetV2/Predictions/Softmax"
    spec, files = made(mobilenet.parent / name, output=output)
    found = spec.build(files)(gtea)["feature"]
    assert found.shape == (3, 1001)
    assert (found.sum(dim=1) <= 1.01).all()
    assert found[1].argmax() == DINING_TABLE


def test_the_five_likeliest_classes_of_a_real_picture(mobilenet: Path, shared_data: Path, made: Make) -> None:
    with av.open(str(shared_data / "references" / "video_features" / "sample" / "v_GGSY1Qvo990.mp4")) as video:
        frame = next(frame for i, frame in enumerate(video.decode(video=0)) if i == 75)
    picture = frame.reformat(224, 224, format="rgb24", interpolation="BILINEAR").to_ndarray()
    spec, files = made(mobilenet, output="MobilenetV2/Predictions/Softmax")
    best = spec.build(files)(torch.from_numpy(picture)[None, None])["feature"][0].topk(5)
    # somebody lifts weights: barbell (423) and dumbbell (544) after a background class; the fifth is one step of 8 bits
    assert best.indices[:2].tolist() == [423, 544]
    assert set(best.indices[:4].tolist()) == {423, 544, 871, 676}
    assert 732 in best.indices
    assert best.values[:2].tolist() == pytest.approx([0.926, 0.039], abs=0.03)


def test_the_feature_of_a_real_frame(mobilenet: Path, gtea: torch.Tensor, made: Make) -> None:
    spec, files = made(mobilenet)
    found = spec.build(files)(gtea)["feature"]
    assert found.dtype == torch.float32
    steps = found / 0.023528477177023888  # the pool's own scale: what came out were integers
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert found.mean().item() == pytest.approx(0.4614, rel=0.02)
    assert found.std().item() == pytest.approx(0.6498, rel=0.02)
    assert (found == 0).float().mean().item() == pytest.approx(0.2656, abs=0.02)


def test_a_cut_model_gives_what_the_whole_one_gives(mobilenet: Path, gtea: torch.Tensor, made: Make) -> None:
    from ai_edge_litert.interpreter import Interpreter

    with pytest.warns(UserWarning, match="preserve_all_tensors"):
        whole = Interpreter(model_path=str(mobilenet), num_threads=1, experimental_preserve_all_tensors=True)
    whole.allocate_tensors()
    pool = next(one for one in whole.get_tensor_details() if one["name"] == POOL)
    spec, files = made(mobilenet)
    found = spec.build(files)(gtea)["feature"].numpy()
    for frame, row in zip(gtea, found, strict=True):
        whole.set_tensor(whole.get_input_details()[0]["index"], frame.numpy())
        whole.invoke()
        scale, zero = pool["quantization"]
        assert np.array_equal(
            (whole.get_tensor(pool["index"]).reshape(-1).astype(np.float32) - zero) * np.float32(scale), row
        )


def test_a_signed_model_has_the_same_feature_by_default(mobilenet: Path, gtea: torch.Tensor, made: Make) -> None:
    spec, files = made(mobilenet.parent / "tf2_mobilenet_v2_1.0_224_ptq.tflite")
    found = spec.build(files)(gtea)["feature"]
    assert found.shape == (3, 1280)
    assert found.min() == 0  # an average of ReLU6 maps
    assert found.mean().item() == pytest.approx(0.4829, rel=0.02)


@pytest.mark.parametrize("threads", [1, 3])
def test_any_batch_and_any_thread_gives_the_same_row(
    mobilenet: Path, gtea: torch.Tensor, threads: int, made: Make
) -> None:
    spec, files = made(mobilenet)
    network = spec.build(files)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = network(gtea)["feature"]
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(lambda i: network(gtea[i : i + 1])["feature"], [0, 1, 2] * 4))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(row[0], whole[i % 3]) for i, row in enumerate(rows))


def test_a_grey_level_of_noise_stays_within_the_tolerance(mobilenet: Path, gtea: torch.Tensor, made: Make) -> None:
    spec, files = made(mobilenet)
    network = spec.build(files)
    random = np.random.Generator(np.random.PCG64(0))
    noisy = gtea.numpy() + random.choice([-1, 0, 0, 0, 0, 0, 0, 1], gtea.shape)
    found, moved = network(gtea)["feature"], network(torch.from_numpy(noisy.clip(0, 255).astype(np.uint8)))["feature"]
    distance = ((found - moved).norm(dim=1) / found.norm(dim=1)).max().item()
    assert 0.01 < distance < spec.tolerance == 0.3


def test_a_name_that_is_no_tensor_lists_them(mobilenet: Path, tiny_onnx: Path, made: Make) -> None:
    with pytest.raises(BadRequest, match=f"no tensor 'AvgPool'.*66 tensors.*{POOL}"):
        made(mobilenet, output="AvgPool")
    with pytest.raises(BadRequest, match=r"no tensor 'pool'.*10 tensors.*pooled"):
        made(tiny_onnx, output="pool")


def test_the_default_output_is_the_pool_before_the_classifier(tiny_onnx: Path, made: Make) -> None:
    spec, files = made(tiny_onnx)
    assert (spec.output, spec.size, spec.scaling, spec.layout) == ("pooled", 16, "imagenet", "nchw")
    assert spec.rows(files)["feature"].shape == (8,)


def test_colours_may_be_turned(tiny_onnx: Path, made: Make, noise: Noise) -> None:
    shown = noise(2, 16)
    bgr, files = made(tiny_onnx, colours="bgr", scaling="unit")
    rgb, _ = made(tiny_onnx, scaling="unit")
    assert torch.equal(bgr.build(files)(shown)["feature"], rgb.build(files)(shown.flip(-1))["feature"])
    assert bgr.digest != rgb.digest


def test_a_short_picture_is_cropped_at_its_centre(mobilenet: Path, made: Make, noise: Noise) -> None:
    spec, files = made(mobilenet, picture={"fit": "short"})
    assert spec.needs()["frames"] == Picture("short", 256)
    assert spec.box(512, 256) == pytest.approx((144 / 512, 1 / 16, 368 / 512, 15 / 16))
    shown = noise(1, 256)
    inside, _ = made(mobilenet)
    assert torch.equal(spec.build(files)(shown)["feature"], inside.build(files)(shown[:, :, 16:240, 16:240])["feature"])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": 128}, "which takes 224x224"),
        ({"window": Window(frames=2)}, "frames=1"),
        ({"picture": Picture("short", 200)}, "crop of 224"),
        ({"layout": "nchw"}, "laid out as nchw"),
        ({"scaling": "percent"}, "scaling"),
    ],
)
def test_fields_that_cannot_be(mobilenet: Path, fields: dict[str, Any], words: str, made: Make) -> None:
    with pytest.raises(BadRequest, match=words):
        made(mobilenet, **fields)


def test_random_weights_have_no_graph() -> None:
    with pytest.raises(BadRequest, match="expected a file"):
        ImageModel(weights=Weights("random:0"))


def test_without_a_file_the_size_must_be_said() -> None:
    unknown = ImageModel(weights=Weights("sha256:" + "0" * 64))
    with pytest.raises(BadRequest, match="no size"):
        unknown.needs()


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x01\x12\x03abc", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 40])
def test_other_files_are_refused(content: bytes, tmp_path: Path, made: Make) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BadRequest, match=r"model\.onnx"):
        made(path)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
def test_truncated_models_are_refused(
    kept: float, tiny_onnx: Path, mobilenet: Path, tmp_path: Path, made: Make
) -> None:
    for source in (tiny_onnx, mobilenet):
        whole = source.read_bytes()
        path = tmp_path / f"cut{source.suffix}"
        path.write_bytes(whole[: int(len(whole) * kept)])
        with pytest.raises(BadRequest, match=path.name):
            shape(path, made)


def shape(path: Path, made: Make) -> tuple[int, ...]:
    spec, files = made(path)
    return spec.rows(files)["feature"].shape


def test_every_scaling() -> None:
    shown = np.array([[[[0, 51, 255]]]], np.uint8)
    real = Input("nhwc", 1, 1, "float32", Quantised(0, 0))

    def of(scaling: Any, taken: Input = real) -> Any:
        return scaled(shown, scaling, taken).reshape(-1).tolist()

    assert of("byte") == [0, 51, 255]
    assert of("unit") == pytest.approx([0, 0.2, 1])
    assert of("symmetric") == pytest.approx([-1, -0.6, 1])
    assert of("imagenet") == pytest.approx([-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225], rel=1e-5)
    assert of("byte", Input("nhwc", 1, 1, "uint8", Quantised(1 / 128, 128))) == [0, 51, 255]
    assert of("byte", Input("nhwc", 1, 1, "int8", Quantised(1 / 128, 0))) == [-128, -77, 127]
    assert of("symmetric", Input("nhwc", 1, 1, "int8", Quantised(1 / 64, 3))) == [-61, -35, 67]
    assert of("unit", Input("nhwc", 1, 1, "uint8", Quantised(1 / 512, 0))) == [0, 102, 255]  # held at the end


def test_rows_are_channels_first_and_without_idle_axes() -> None:
    maps = np.arange(24).reshape(1, 2, 3, 4)
    assert np.array_equal(arranged(maps, "nhwc"), maps.transpose(0, 3, 1, 2))
    assert arranged(maps, "nchw") is maps
    assert arranged(np.zeros((5, 1, 1, 7)), "nhwc").shape == (5, 7)
    assert arranged(np.zeros((5, 7, 1, 1)), "nchw").shape == (5, 7)
    assert arranged(np.zeros((5, 1)), "nchw").shape == (5, 1)
    assert arranged(np.zeros((5, 9, 4)), "nhwc").shape == (5, 9, 4)
