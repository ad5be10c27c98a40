"""The default output is the pool that all goes through, and the input is told by its shape."""

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.extractors._graph import Input, Node, Quantised, dequantise, feature_of, picture_input, quantise

PLAIN = Quantised(0.0, 0)
STEM = Node(("picture",), ("map",))
POOL = Node(("map",), ("pooled",), pools=True)
CLASSES = Node(("pooled", "weights"), ("classes",))


def test_the_pool_before_the_classifier() -> None:
    assert feature_of([STEM, POOL, CLASSES], "picture", "classes") == "pooled"


def test_a_pool_with_a_way_around_it_is_no_feature() -> None:
    gate = Node(("map", "squeezed"), ("gated",))
    squeeze = Node(("map",), ("squeezed",), pools=True)
    nodes = [STEM, squeeze, gate, Node(("gated",), ("pooled",), pools=True), CLASSES]
    assert feature_of(nodes, "picture", "classes") == "pooled"
    assert feature_of([STEM, squeeze, gate], "picture", "gated") == "gated"


def test_the_last_of_several_pools() -> None:
    second = [Node(("pooled",), ("wide",)), Node(("wide",), ("again",), pools=True), Node(("again",), ("classes",))]
    assert feature_of([STEM, POOL, *second], "picture", "classes") == "again"


def test_without_a_pool_it_is_the_output() -> None:
    assert feature_of([STEM, Node(("map",), ("classes",))], "picture", "classes") == "classes"
    assert feature_of([STEM, POOL], "picture", "pooled") == "pooled"


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ([1, 3, 224, 192], None, ("nchw", 224, 192)),
        ([0, 224, 192, 3], None, ("nhwc", 224, 192)),
        ([1, 3, 0, 0], None, ("nchw", 0, 0)),
        ([1, 3, 3, 3], None, ("nchw", 3, 3)),
        ([1, 3, 3, 3], "nhwc", ("nhwc", 3, 3)),
        ([0, 0, 0, 0], "nchw", ("nchw", 0, 0)),
    ],
)
def test_inputs_that_are_pictures(shape: list[int], layout: "str | None", expected: tuple[str, int, int]) -> None:
    assert picture_input("m", shape, "float32", PLAIN, layout) == Input(*expected, "float32", PLAIN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "layout"),
    [([1, 1, 28, 28], None), ([1, 80, 3000], None), ([8, 3, 224, 224], None), ([1, 3, 8, 8], "nhwc"), ([0] * 4, None)],
)
def test_inputs_that_are_not(shape: list[int], layout: "str | None") -> None:
    with pytest.raises(BadRequest, match="expected one RGB picture"):
        picture_input("m", shape, "float32", PLAIN, layout)  # type: ignore[arg-type]


def test_numbers_survive_being_quantised() -> None:
    quantised = Quantised(1 / 16, -5)
    real = np.arange(-6, 6, 1 / 16, dtype=np.float32)
    stored = quantise(real, "int8", quantised)
    assert stored.dtype == np.int8
    assert np.array_equal(dequantise(stored, quantised), real)
    assert dequantise(stored, PLAIN) is stored
