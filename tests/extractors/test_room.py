"""What stands still behind what moves: the room, and what has been in it for a while."""

from collections.abc import Iterator

import numpy as np

from ego.extractors._room import Room, View, apart

FPS, FRAMES = 10.0, 60
BOARD, HAND = np.s_[60:80, 30:60], np.s_[60:80, 70:90]
ARRIVES = 20


def frames() -> Iterator[np.ndarray]:
    """A grey room with a board; from frame 20 on something of the board's colour lies beside it."""
    for frame in range(FRAMES):
        picture = np.full((90, 120, 3), 120, np.uint8)
        picture[BOARD] = (200, 160, 110)
        if frame >= ARRIVES:
            picture[HAND] = (200, 160, 110)
        yield picture


def watched() -> list[View]:
    """All views, where what came was seen to be an arm."""
    views = []
    for number, view in enumerate(Room(FPS, 3.0, 0.5).views(frames())):
        if number >= ARRIVES:
            view.free[HAND] = 0
        views.append(View(view.pixels, view.step, view.free, view.room, view.known, view.lasting))
    return views


def test_what_was_there_before_lasts_and_a_hand_that_came_to_rest_does_not():
    views = watched()
    assert (views[0].lasting == 0).all()  # nothing is known yet
    assert (views[30].lasting[62:78, 32:58] == 1).all()
    assert (views[30].lasting[62:78, 72:88] == 0).all()
    assert (views[50].lasting[62:78, 72:88] == 0).all()


def test_shadows_part_colours_less_than_hues_do():
    grey = np.full((1, 1, 3), 128, np.uint8)
    darker, redder = grey - np.array([10, 0, 0], np.uint8), grey + np.array([0, 10, 0], np.uint8)
    assert apart(grey, darker).item() == np.float32(6)
    assert apart(grey, redder).item() == np.float32(16)
