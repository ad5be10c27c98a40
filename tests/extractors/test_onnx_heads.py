"""Detectors of every usual layout: small graphs that always give the same boxes, read back where they were drawn."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ego.errors import BadRequest
from ego.extractors._onnx_boxes import OnnxBoxes
from ego.extractors._onnx_heads import BoxModel, anchored, cells, fitted, grid, told
from ego.fields import Weights

SIZE = (64, 64)
WIDE, TALL = 128, 64  # frames: twice as wide as the model's picture, letterboxed to 64 x 32 with 16 rows above
TRUTH = np.array([16.0, 20.0, 32.0, 40.0])  # corners in the model's picture
IN_FRAME = [16 / 64, (20 - 16) / 32, 32 / 64, (40 - 16) / 32]


def model(path: Path, outputs: dict[str, np.ndarray]) -> Path:
    """A graph that takes a picture and gives these arrays, whatever it is shown."""
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
    ]
    constants = [numpy_helper.from_array(np.zeros((), np.float32), "nothing")]
    infos = []
    for name, value in outputs.items():
        constants.append(numpy_helper.from_array(value.astype(np.float32)[None], f"{name}_value"))
        nodes.append(helper.make_node("Add", [f"{name}_value", "zero"], [name]))
        infos.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *value.shape]))
    source = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIZE[1], SIZE[0]])
    graph = helper.make_graph(nodes, "boxes", [source], infos, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, str(path))
    return path


def found(path: Path, outputs: dict[str, np.ndarray], **fields: Any) -> Any:
    made = model(path / "boxes.onnx", outputs)
    weights = Weights(f"sha256:{hashlib.sha256(made.read_bytes()).hexdigest()}")
    return BoxModel(OnnxBoxes(weights=weights, **fields), made).find(np.zeros((TALL, WIDE, 3), np.uint8))


def centre(box: np.ndarray) -> list[float]:
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]


def yolov5() -> dict[str, np.ndarray]:
    rows = np.zeros((252, 7))  # 3 anchors at each of the 84 cells
    rows[10] = [*centre(TRUTH), 0.9, 0.1, 0.8]
    rows[11] = [*centre(TRUTH + 1), 0.9, 0.1, 0.7]  # the same hand, once more
    return {"output": rows}


def yolov8() -> dict[str, np.ndarray]:
    rows = np.zeros((6, 84))
    rows[:, 5] = [*centre(TRUTH), 0.0, 0.72]
    return {"output": rows}


def end_to_end() -> dict[str, np.ndarray]:
    rows = np.zeros((30, 6))
    rows[3] = [*TRUTH, 0.72, 1]
    return {"output": rows}


def ssd() -> dict[str, np.ndarray]:
    boxes, scores = np.zeros((40, 4)), np.tile([1.0, 0, 0], (40, 1))
    boxes[7], scores[7] = TRUTH / 64, [0.28, 0.0, 0.72]
    return {"scores": scores, "boxes": boxes}


def ssd_coded() -> dict[str, np.ndarray]:
    own = anchored([(16, 12, 20)], SIZE)
    logits, codes = np.tile([12.0, 0, 0], (len(own), 1)), np.zeros((len(own), 4))
    cx, cy, w, h = centre(TRUTH)
    x, y, wide, tall = own[9]
    codes[9] = [(cx - x) / wide / 0.1, (cy - y) / tall / 0.1, np.log(w / wide) / 0.2, np.log(h / tall) / 0.2]
    logits[9] = np.log([0.28, 1e-9, 0.72])
    return {"boxes": codes, "scores": logits}


def dfl() -> dict[str, np.ndarray]:
    rows = np.zeros((cells(SIZE, (8, 16, 32, 64)), 2 + 32))
    place = 64 + 1 * 4 + 1  # stride 16, cell (1, 1): at (16, 16)
    rows[place, 1] = 0.72
    for side, away in enumerate((0, -0.25, 1, 1.5)):  # in strides; what lies before the cell cannot be said
        whole, part = divmod(max(away, 0), 1)
        weights = np.full(8, -50.0)
        weights[int(whole)] = np.log(1 - part + 1e-12)
        weights[int(whole) + 1] = np.log(part + 1e-12)
        rows[place, 2 + 8 * side : 10 + 8 * side] = weights
    return {"output": rows}


def rtmdet() -> dict[str, np.ndarray]:
    near = {f"cls_{s}": np.full((2, 64 // s, 64 // s), -20.0) for s in (8, 16)}
    far = {f"far_{s}": np.zeros((4, 64 // s, 64 // s)) for s in (8, 16)}
    near["cls_8"][1, 3, 2] = np.log(0.72 / 0.28)  # at (16, 24)
    far["far_8"][:, 3, 2] = [0, 4, 16, 16]
    return near | far


@pytest.mark.parametrize(
    ("outputs", "fields", "top"),
    [
        (yolov5(), {}, 20),
        (yolov8(), {}, 20),
        (end_to_end(), {}, 20),
        (ssd(), {}, 20),
        (ssd_coded(), {"anchors": ((16, 12, 20),)}, 20),
        (dfl(), {}, 16),
        (rtmdet(), {}, 20),
    ],
    ids=["yolov5", "yolov8", "end_to_end", "ssd", "ssd_coded", "dfl", "rtmdet"],
)
def test_a_known_box_is_read_back(outputs: dict[str, np.ndarray], fields: dict[str, Any], top: int, tmp_path: Path):
    one = found(tmp_path, outputs, left=0, right=1, **fields)
    assert one.scores == pytest.approx([0.72], abs=1e-4)
    assert one.boxes[0] == pytest.approx([IN_FRAME[0], (top - 16) / 32, *IN_FRAME[2:]], abs=1e-4)
    assert one.origin.tolist() == [1.0]  # class 1 is the right hand


def test_the_order_of_outputs_does_not_matter_where_strides_alternate(tmp_path: Path):
    outputs = rtmdet()
    mixed = {name: outputs[name] for name in ("cls_8", "far_8", "cls_16", "far_16")}
    assert found(tmp_path, mixed).boxes[0] == pytest.approx(IN_FRAME, abs=1e-6)


def test_only_the_classes_asked_for(tmp_path: Path):
    assert len(found(tmp_path, yolov8(), classes=(0,)).boxes) == 0
    assert len(found(tmp_path, yolov8(), classes=(1,)).boxes) == 1
    with pytest.raises(BadRequest, match="has 2 classes"):
        found(tmp_path, yolov8(), classes=(2,))


def test_squashed_frames(tmp_path: Path):
    one = found(tmp_path, yolov8(), fit="squash")
    assert one.boxes[0] == pytest.approx(TRUTH / 64, abs=1e-6)


def test_shapes_of_no_family(tmp_path: Path):
    with pytest.raises(BadRequest, match="laid out as none that is known"):
        found(tmp_path, {"output": np.zeros((2, 3, 4, 5))})
    with pytest.raises(BadRequest, match="not laid out as dfl"):
        found(tmp_path, yolov5(), layout="dfl")
    assert told([np.zeros((25200, 85))], (640, 640)) == "yolov5"
    assert told([np.zeros((84, 8400))], (640, 640)) == "yolov8"


def test_letterbox_and_grid():
    picture = np.full((50, 100, 3), 255, np.uint8)
    shown, scale, shift = fitted(picture, (60, 60), letterbox=True)
    assert shown.shape == (60, 60, 3)
    assert (shown[15:45] == 255).all()
    assert (shown[:15] == 114).all()
    assert (np.array([100, 50]) * scale + shift).tolist() == [60, 45]
    assert grid((20, 10), 8, 0.5).tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
