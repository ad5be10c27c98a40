"""Pictures as signals: their planes together, one size, clear words for what is none."""

import numpy as np
import pytest
from PIL import Image

from ego.errors import BadRequest
from ego.signals.pictures import pictures_reading


def test_planes_are_put_side_by_side(tmp_path):
    for name, value in (("x1", 10), ("x2", 20), ("y1", 30), ("y2", 40)):
        Image.fromarray(np.full((3, 5), value, np.uint8)).save(tmp_path / f"{name}.png")
    planes = [[tmp_path / f"{plane}{n}.png" for n in (1, 2)] for plane in "xy"]
    reading = pictures_reading("flow", planes, np.array([0.0, 0.5]))
    assert reading.arrays["picture"].shape == (2, 3, 5, 2)
    assert reading.arrays["picture"][:, 0, 0].tolist() == [[10, 30], [20, 40]]
    assert reading.seconds.tolist() == [[0.0, 0.0], [0.5, 0.5]]


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(BadRequest, match=r"a.png cannot be read as a picture"):
        pictures_reading("motion_maps", [[tmp_path / "a.png"]], np.zeros(1))
    Image.new("L", (3, 3)).save(tmp_path / "b.png")
    Image.new("L", (4, 3)).save(tmp_path / "c.png")
    with pytest.raises(BadRequest, match="pictures of several sizes, expected one for motion_maps"):
        pictures_reading("motion_maps", [[tmp_path / "b.png", tmp_path / "c.png"]], np.zeros(2))
