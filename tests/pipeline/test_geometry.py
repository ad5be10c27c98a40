"""Geometry commutes with drawing: what is moved is what would have been drawn in the view."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ego.errors import BadRequest
from ego.gaze import heatmap
from ego.pipeline.geometry import View, move
from ego.video import WHOLE, Array, Box

POINTS, BOXES = Array((2,), "float32", "points"), Array((4,), "float32", "boxes")
MAP, MASK, FLOW = Array((0, 0), "float32", "map"), Array((0, 0), "bool", "mask"), Array((2, 0, 0), "float32", "flow")
STAM = View.of_pixels(8, 48, (224, 224), (240, 320))
MIRROR = View(WHOLE, True)
YES = np.ones(1, bool)
fractions = st.floats(0.0, 1.0, allow_subnormal=False)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view that shows at least a tenth of the frame each way."""
    edges = []
    for _ in range(2):
        low = draw(st.floats(0.0, 0.9))
        edges.append((low, draw(st.floats(low + 0.1, 1.0))))
    return View(Box(edges[0][0], edges[1][0], edges[0][1], edges[1][1]), draw(st.booleans()))


@pytest.mark.parametrize(
    ("point", "moved", "inside"),
    [((0.5, 0.5), (0.5, 0.5), True), ((0.15, 0.5), (0.0, 0.5), True), ((0.1, 0.5), (-0.0714286, 0.5), False)],
)
def test_the_papers_crop(point: tuple, moved: tuple, inside: bool) -> None:
    found = move(np.array([point]), POINTS, STAM)
    assert found.values[0] == pytest.approx(moved, abs=1e-6)
    assert bool(found.inside[0]) == inside
    mirrored = move(np.array([point]), POINTS, View(STAM.box, True))
    assert mirrored.values[0] == pytest.approx((1 - moved[0], moved[1]), abs=1e-6)
    assert bool(mirrored.inside[0]) == inside


@pytest.mark.parametrize("array", [POINTS, BOXES, MAP, MASK, FLOW])
def test_mirrored_twice_is_the_same(array: Array) -> None:
    random = np.random.default_rng(0)
    shape = tuple(side or 5 + place for place, side in enumerate(array.shape))
    values = random.uniform(0, 1, (3, *shape)).astype(np.float32)
    values = values > 0.5 if array.kind == "mask" else values
    once = move(values, array, MIRROR)
    twice = move(once.values, array, MIRROR)
    assert np.allclose(twice.values, values, atol=1e-6)
    assert not np.allclose(once.values, values, atol=1e-3)
    assert once.values.dtype == values.dtype
    assert np.all(once.inside)


@settings(max_examples=60, deadline=None)
@given(views(), views(), fractions, fractions)
def test_a_view_of_a_view_is_a_view(outer: View, inner: View, x: float, y: float) -> None:
    box = np.array([[min(x, 0.7), min(y, 0.6), min(x, 0.7) + 0.2, min(y, 0.6) + 0.3]])
    for values, array in ((np.array([[x, y]]), POINTS), (box, BOXES)):
        steps = move(move(values, array, outer).values, array, inner)
        assert steps.values == pytest.approx(move(values, array, outer.then(inner)).values, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(fractions, fractions, st.integers(0, 9), st.integers(0, 9), st.integers(3, 5), st.booleans(), st.floats(0.7, 4))
def test_a_cut_heatmap_is_the_heatmap_of_the_moved_point(
    x: float, y: float, left: int, top: int, side: int, flip: bool, sigma: float
) -> None:
    view = View.of_pixels(top, left, (side, side), (14, 14), flip)
    drawn = heatmap(np.array([[x, y]]), YES, (14, 14), sigma)
    point = move(np.array([[x, y]]), POINTS, view).values
    cut = move(drawn, MAP, view, (side, side)).values
    assert np.allclose(cut, heatmap(point, YES, (side, side), sigma), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(views(), fractions, fractions)
def test_a_resized_heatmap_is_nearly_the_one_drawn_at_that_size(view: View, x: float, y: float) -> None:
    drawn = heatmap(np.array([[x, y]]), YES, (56, 56), 12.0)
    moved = move(drawn, MAP, view, (20, 20)).values[0]
    at = move(np.array([[x, y]]), POINTS, view).values
    down, across = ((np.arange(20) + 0.5) / 20 - at[0, axis] for axis in (1, 0))
    wide = (12 / 56) / np.array([view.box.bottom - view.box.top, view.box.right - view.box.left])
    expected = np.exp(-((down[:, None] / wide[0]) ** 2 + (across[None] / wide[1]) ** 2) / 2)
    assert np.abs(moved - expected).max() < 0.05  # at the frame's edge the outermost cell goes on


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(1, 4), st.booleans(), st.tuples(*[st.integers(0, 30)] * 4))
def test_a_cut_mask_is_the_mask_of_the_moved_box(
    left: int, top: int, zoom: int, flip: bool, edges: tuple[int, int, int, int]
) -> None:
    x, y, width, height = edges
    view = View.of_pixels(top, left, (20, 20), (40, 40), flip)
    box = np.array([[x, y, min(x + width, 40), min(y + height, 40)]]) / 40
    moved = move(filled(box, 40), MASK, view, (20 * zoom, 20 * zoom))
    assert np.array_equal(moved.values, filled(move(box, BOXES, view).values, 20 * zoom))


def filled(boxes: np.ndarray, side: int) -> np.ndarray:
    """(n, side, side) which cells have their centre in a box."""
    at = (np.arange(side) + 0.5) / side
    left, top, right, bottom = (boxes[:, one, None] + 1e-9 for one in range(4))
    return ((at >= top) & (at < bottom))[:, :, None] & ((at >= left) & (at < right))[:, None]


@settings(max_examples=60, deadline=None)
@given(views(), st.tuples(*[st.floats(-2, 2)] * 6))
def test_moved_flow_is_the_flow_of_the_moved_pictures(view: View, numbers: tuple[float, ...]) -> None:
    """A pixel at p goes to p + A p + b; seen anew both ends move, and their difference is the flow there."""
    matrix, shift = np.array(numbers[:4]).reshape(2, 2) / 40, np.array(numbers[4:])
    old, new = np.array([40, 30]), np.array([25, 35])  # width, height
    field = affine(centres(old), old, matrix, shift)
    moved = move(field[None], FLOW, view, (35, 25)).values[0]
    low, span = np.array(view.box[:2]), np.array(view.box[2:]) - np.array(view.box[:2])
    seen = centres(new).astype(float)
    seen[..., 0] = 1 - seen[..., 0] if view.flip else seen[..., 0]
    where = low + seen * span
    expected = affine(where, old, matrix, shift) * (new / (span * old) * (-1 if view.flip else 1, 1))[:, None, None]
    within = ((where > 0.5 / old) & (where < 1 - 0.5 / old)).all(axis=-1)  # elsewhere the outermost pixel goes on
    assert np.abs((moved - expected)[:, within]).max(initial=0.0) < 1e-3


def centres(size: np.ndarray) -> np.ndarray:
    """(height, width, 2) the middle of each pixel in fractions."""
    width, height = size
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return np.stack([x, y], axis=-1)


def affine(at: np.ndarray, size: np.ndarray, matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(2, height, width) how far each place moves, in pixels of a picture of `size`."""
    return np.moveaxis((at * size) @ matrix.T + shift, -1, 0).astype(np.float32)


def test_the_hands_change_sides_in_a_mirror() -> None:
    points = np.array([[[0.2, 0.5], [0.9, 0.4]]])
    found = move(points, Array((2, 2), "float32", "points"), View(Box(0.0, 0.0, 0.5, 1.0), True), sides=True)
    assert found.values[0] == pytest.approx(np.array([[-0.8, 0.4], [0.6, 0.5]]))
    assert found.inside.tolist() == [[False, True]]
    track = move(np.array([[3, 7]]), Array((2,), "int32"), MIRROR, sides=True)
    assert track.values.tolist() == [[7, 3]]
    assert track.inside is None
    landmarks = np.random.default_rng(0).uniform(0, 1, (4, 2, 21, 2))
    hands = Array((2, 21, 2), "float32", "points")
    mirrored = move(landmarks, hands, MIRROR, sides=True)
    assert np.allclose(mirrored.values[:, 0, :, 0], 1 - landmarks[:, 1, :, 0])
    assert np.allclose(move(mirrored.values, hands, MIRROR, sides=True).values, landmarks)
    assert np.array_equal(
        move(landmarks, hands, STAM, sides=True).values[:, 0], move(landmarks[:, 0], POINTS, STAM).values
    )


def test_what_has_no_place_stays() -> None:
    tokens = np.arange(12.0).reshape(2, 3, 2)
    found = move(tokens, Array((3, 2), "float32", "tokens"), View(STAM.box, True))
    assert found.values is tokens
    assert found.inside is None


def test_what_a_cropped_map_does_not_show_is_told() -> None:
    """A map of the middle square of a wide frame, seen whole: nothing is known at its sides."""
    found = move(np.ones((1, 4, 4), np.float32), MAP, View(), (4, 8), shown=Box(0.25, 0.0, 0.75, 1.0))
    assert found.values[0, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert found.inside[0].tolist() == [False, False, True, True, True, True, False, False]
    by_array = move(np.ones((4, 4), np.float32), Array((4, 4), kind="map", box=(0.25, 0.0, 0.75, 1.0)), View(), (4, 8))
    assert np.array_equal(by_array.values, found.values[0])


def test_boxes_beside_the_view_are_marked() -> None:
    boxes = np.array([[0.0, 0.0, 0.1, 0.1], [0.1, 0.1, 0.3, 0.3], [0.4, 0.4, 0.6, 0.6]])
    found = move(boxes, BOXES, View(Box(0.2, 0.2, 0.7, 0.7)))
    assert found.inside.tolist() == [False, True, True]
    assert found.values[2] == pytest.approx([0.4, 0.4, 0.8, 0.8])
    assert (found.values[:, 2] > found.values[:, 0]).all()


@pytest.mark.parametrize("array", [POINTS, BOXES, MAP, MASK, FLOW])
def test_tensors_move_like_arrays(array: Array) -> None:
    shape = tuple(side or 6 for side in array.shape)
    values = np.random.default_rng(0).uniform(0, 1, (3, *shape)).astype(np.float32)
    values = values > 0.5 if array.kind == "mask" else values
    view = View(STAM.box, True)
    plain, tensor = move(values, array, view, (9, 7)), move(torch.from_numpy(values), array, view, (9, 7))
    assert isinstance(tensor.values, torch.Tensor)
    assert np.allclose(tensor.values.numpy(), plain.values, atol=1e-6)
    assert np.array_equal(tensor.inside.numpy(), plain.inside)


def test_views_and_sides_that_mean_nothing_are_refused() -> None:
    with pytest.raises(BadRequest, match="left < right"):
        View(Box(0.5, 0.0, 0.5, 1.0))
    with pytest.raises(BadRequest, match="left and right"):
        move(np.zeros((1, 3, 2)), Array((3, 2), kind="points"), MIRROR, sides=True)
