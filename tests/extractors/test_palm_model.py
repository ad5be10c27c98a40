"""The palm detector's anchors and crops in closed form, and the published files on a real frame."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.extractors._palm_model import MIDDLE, WRIST, PalmModel, _origin, _through, anchors, hand_box, hand_crop
from ego.extractors._palms import Palms
from ego.fields import Weights
from ego.media.decode import Decoder, Look
from ego.pipeline.scan import find_videos, scan
from ego.sampling import Window
from ego.video import Picture, Video


def test_anchors_are_those_of_strides_8_16_and_32():
    found = anchors()
    assert found.shape == (2944, 2)
    assert found[:4].tolist() == [[0.5 / 32, 0.5 / 32]] * 2 + [[1.5 / 32, 0.5 / 32]] * 2
    assert found[2048].tolist() == [0.5 / 16, 0.5 / 16]
    assert found[-1].tolist() == [7.5 / 8, 7.5 / 8]


def palm(wrist: tuple[float, float], middle: tuple[float, float]) -> np.ndarray:
    points = np.zeros((9, 2))
    points[0], points[1] = (90, 90), (110, 110)
    points[2 + WRIST], points[2 + MIDDLE] = wrist, middle
    return points


def test_the_crop_is_turned_so_that_the_middle_finger_points_up():
    upright = hand_crop(palm((100, 110), (100, 90)))
    assert upright.tolist() == pytest.approx(np.array([[100, 98], [32, 0], [0, 32]]))
    right = hand_crop(palm((90, 100), (110, 100)))  # the fingers point right: the crop's up is the picture's right
    assert _through(right, np.array([[0.5, 0.0]]))[0] == pytest.approx([102 + 16, 100])
    assert _through(right, np.array([[1.0, 0.5]]))[0] == pytest.approx([102, 100 + 16])


def test_the_box_is_upright():
    assert hand_box(palm((90, 100), (110, 100))) == pytest.approx([90, 88, 114, 112])


def test_the_forearm_leads_to_the_border():
    assert _origin(np.array([0.5, 0.6]), np.array([0.6, 0.5])) == pytest.approx(0.1)
    assert np.isnan(_origin(np.array([0.5, 0.5]), np.array([0.5, 0.6])))


def weights(path: Path) -> Weights:
    return Weights(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


def test_both_hands_of_a_real_frame(shared_data: Path):
    folder = shared_data / "hands" / "tflite"
    palms = folder / "palm_detection_builtin_256_integer_quant.tflite"
    marks = folder / "hand_landmark_3d_256_integer_quant.tflite"
    spec = Palms(weights=weights(palms), points=weights(marks))
    picture = Picture("height", 384)
    (path,) = [one for one in find_videos([str(shared_data / "labelled_gtea_s2" / "videos")]) if "Cheese" in str(one)]
    with Decoder() as decoder:
        (video,) = scan([path], decoder)
        assert isinstance(video, Video)
        frames = decoder.frames(video, [Look(picture, Window())])
        shown = next(one.pictures[picture].copy() for one in frames if one.index == 143)
        frames.close()  # type: ignore[attr-defined]
    found = PalmModel(spec, {weights(palms): palms, weights(marks): marks}).find(shown)
    centre = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    for true in ((0.44, 0.51), (0.67, 0.53)):  # as marked by hand
        near = np.hypot(*(centre - true).T).argmin()
        assert np.hypot(*(centre[near] - true)) < 0.1
        points = found.landmarks[near]
        assert points.shape == (21, 2)
        assert np.hypot(*(points.mean(axis=0) - true)) < 0.12
    left, right = (found.origin[np.hypot(*(centre - true).T).argmin()] for true in ((0.44, 0.51), (0.67, 0.53)))
    assert left < 0.5 < right


def test_another_model_is_refused(shared_data: Path):
    marks = shared_data / "hands" / "tflite" / "hand_landmark_3d_256_integer_quant.tflite"
    model = PalmModel(Palms(weights=weights(marks), tiles=0), {weights(marks): marks})
    with pytest.raises(BadRequest, match="no palm detector"):
        model.find(np.zeros((384, 683, 3), np.uint8))
    with pytest.raises(BadRequest, match="random weights"):
        Palms(weights=Weights("random:0"))
