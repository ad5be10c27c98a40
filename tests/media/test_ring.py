import os

import numpy as np
import pytest

from ego.media.ring import Layout, Ring


@pytest.fixture
def descriptor():
    number = os.memfd_create("ring-test")
    yield number
    os.close(number)


def test_what_one_side_writes_the_other_reads(descriptor: int) -> None:
    writer, reader = Ring(descriptor, writable=True), Ring(descriptor, writable=False)
    layout = Layout(((5, 3), (1, 1), (40, 30)))
    for ring in (writer, reader):
        ring.reserve(layout, 4)
    rng = np.random.default_rng(0)
    kept = []
    for slot in range(4):
        for view in writer.views(slot):
            view[:] = rng.integers(0, 256, view.shape)
        kept.append([view.copy() for view in writer.views(slot)])
    for slot in range(4):
        for view, expected in zip(reader.views(slot), kept[slot], strict=True):
            assert (view == expected).all()
    assert [view.shape for view in reader.views(0)] == [(3, 5, 3), (1, 1, 3), (30, 40, 3)]


def test_the_reader_cannot_write(descriptor: int) -> None:
    ring = Ring(descriptor, writable=False)
    ring.reserve(Layout(((4, 4),)), 2)
    with pytest.raises(ValueError, match="read-only"):
        ring.views(0)[0][:] = 1


def test_pictures_held_from_the_video_before_stay_readable_when_the_ring_changes(descriptor: int) -> None:
    ring = Ring(descriptor, writable=True)
    ring.reserve(Layout(((100, 100),)), 8)
    held = ring.views(7)[0]
    ring.reserve(Layout(((4, 4),)), 2)
    ring.reserve(Layout(((500, 500),)), 8)
    assert held.sum() == 0


@pytest.mark.parametrize(("sizes", "expected"), [(((4000, 3000),), 2), (((100, 100),), 128), ((), 128)])
def test_a_ring_has_at_least_two_slots_and_not_too_many(sizes: tuple[tuple[int, int], ...], expected: int) -> None:
    assert Layout(sizes).slots(64 << 20) == expected
