"""Frames with maps and points: the map lies where it is of, and every moment has its row."""

from types import SimpleNamespace

import numpy as np
from PIL import Image

from ego.report.exhibits import heat, sheet


def test_a_map_lies_over_its_part_of_the_frame_and_the_rest_is_dimmed():
    frame = np.full((40, 80, 3), 100, np.uint8)
    found = heat(frame, np.array([[0.0, 1.0]], np.float32), (0.25, 0.0, 0.75, 1.0))
    assert (found[:, :20] == 50).all()
    assert (found[:, 60:] == 50).all()
    assert found[20, 21].tolist() == [50, 50, 50 + round(0.3 * 128)]  # JET begins dark blue
    assert found[20, 58].tolist() == [50 + round(0.3 * 128), 50, 50]  # and ends dark red
    flat = heat(frame, np.ones((2, 2), np.float32), (0, 0, 1, 1))
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1


def test_a_row_for_each_moment_and_a_column_for_each_map(tmp_path):
    frame = np.zeros((90, 160, 3), np.uint8)
    one = SimpleNamespace(words="take", frame=frame, box=(0, 0, 1, 1), maps={"look": np.eye(7, dtype=np.float32)},
                          points={"look": (0.5, 0.5)}, truth={"look": (0.25, 0.5)})  # fmt: skip
    other = SimpleNamespace(words="put", frame=frame, box=(0, 0, 1, 1), maps={}, points={}, truth={})
    sizes = []
    for number, shown in enumerate(([one], [one, other], [other])):
        sheet(shown, tmp_path / f"{number}.png")
        with Image.open(tmp_path / f"{number}.png") as picture:
            sizes.append(picture.size)
    assert sizes[0][0] == sizes[1][0] == 2 * sizes[2][0]
    assert abs(sizes[1][1] - 2 * sizes[0][1]) <= 1


def test_several_points_bear_their_names(tmp_path):
    frame = np.zeros((90, 160, 3), np.uint8)
    one = SimpleNamespace(words="take", frame=frame, box=(0, 0, 1, 1), maps={}, points={"hands left": (0.2, 0.5)},
                          truth={"hands left": (0.3, 0.5)})  # fmt: skip
    both = SimpleNamespace(**{**vars(one), "points": {"hands left": (0.2, 0.5), "hands right": (0.9, 0.5)}})
    sheet([one], tmp_path / "one.png")
    sheet([both], tmp_path / "both.png")
    white = []
    for name in ("one", "both"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            seen = np.asarray(picture.convert("L"))
        white.append(int((seen[seen.shape[0] // 2 :] > 250).sum()))
    assert white[1] > white[0] + 50  # the outlines of the letters on the black frame
