"""The truth agrees with the pixels: camera, flow, mask, hands, gaze, faces."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ego.datasets.kitchen import flow, paths
from ego.datasets.kitchen.film import Film, Order, direct
from ego.datasets.kitchen.paint import Drawn, Painter
from ego.datasets.kitchen.shoot import Shoot
from ego.datasets.kitchen.sprites import Pixels

SIZE = (456, 256)


@pytest.fixture(scope="module")
def film() -> Film:
    return direct(Order(3, 0, "train", 8.0, 30.0, SIZE, social=0.0))


@pytest.fixture(scope="module")
def drawn(film: Film) -> list[Drawn]:
    return list(Painter(film).frames())


@pytest.fixture(scope="module")
def known(film: Film) -> dict[str, NDArray[Any]]:
    shoot = Shoot(film)
    for _ in shoot.frames():
        pass
    return shoot.arrays


def grey(picture: Pixels) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.2), np.float32)


def carried(film: Film, drawn: list[Drawn], index: int, step: int) -> tuple[float, float]:
    """Mean difference of the background `step` frames apart: moved by the true camera, and left where it was."""
    move = film.cameras[index + step] @ np.linalg.inv(film.cameras[index])
    here, there = drawn[index], drawn[index + step]
    moved = cv2.warpPerspective(grey(here.picture), move, SIZE)
    seen = cv2.warpPerspective((here.parts == 0).astype(np.uint8), move, SIZE) & (there.parts == 0)
    seen = cv2.erode(seen.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    target = grey(there.picture)
    return float(np.abs(moved - target)[seen].mean()), float(np.abs(grey(here.picture) - target)[seen].mean())


def fastest(film: Film, step: int) -> list[int]:
    """Frames from which the head moves most until `step` frames later."""
    middle = np.array(SIZE) / 2
    moved = [
        np.hypot(*(paths.through(film.cameras[i + step] @ np.linalg.inv(film.cameras[i]), middle) - middle))
        for i in range(len(film.cameras) - step)
    ]
    return [int(index) for index in np.argsort(moved)[-5:]]


def test_the_camera_carries_the_background_from_frame_to_frame(film: Film, drawn: list[Drawn]) -> None:
    for index in fastest(film, 5):
        moved, left = carried(film, drawn, index, 5)
        assert moved < 4.5
        assert moved < 0.6 * left


def test_flow_is_the_cameras_where_nothing_moves_and_its_own_where_a_hand_does(film: Film, drawn: list[Drawn]) -> None:
    poses = Painter(film).poses
    index = int(np.argmax(np.hypot(*np.diff(film.hands[:, film.cast.subject.leads, :2], axis=0).T)))
    dense = flow.between(film, poses, index, drawn[index].parts).astype(float)
    still, hand = drawn[index].parts == 0, (drawn[index].parts >= 1) & (drawn[index].parts <= 24)
    y, x = np.nonzero(still)
    grid = np.stack([x, y], 1).astype(float)
    move = film.cameras[index + 1] @ np.linalg.inv(film.cameras[index])
    assert np.abs(dense[still] - (paths.through(move, grid) - grid)).max() < 0.02
    background = np.median(dense[still], 0)
    assert np.linalg.norm(dense[hand] - background, axis=1).max() > 3.0


def test_flow_carries_a_hands_pixels(film: Film) -> None:
    """Drawn without lens and noise, what a pixel of the palm shows is found again where flow says."""
    painter = Painter(film)
    painter._lens.take = lambda index, picture, parts: picture  # type: ignore[method-assign]
    errors, still = [], []
    for index in range(24, 200, 11):
        here, there = painter.frame(index), painter.frame(index + 1)
        dense = flow.between(film, painter.poses, index, here.parts).astype(np.float32)
        hand = (here.parts >= 1) & (here.parts <= 24)
        hand = cv2.erode(hand.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        if hand.sum() > 200:
            y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
            back = cv2.remap(grey(there.picture), x + dense[..., 0], y + dense[..., 1], cv2.INTER_LINEAR)
            inside = hand & (x + dense[..., 0] < SIZE[0] - 1) & (y + dense[..., 1] < SIZE[1] - 1)
            errors.append(np.abs(back - grey(here.picture))[inside].mean())
            still.append(np.abs(grey(there.picture) - grey(here.picture))[inside].mean())
    assert len(errors) > 5
    assert np.mean(errors) < 2.0
    assert np.max(still) > 2 * np.mean(errors)


def test_the_mask_is_what_moves(film: Film, drawn: list[Drawn], known: dict[str, NDArray[Any]]) -> None:
    mask = np.unpackbits(known["mask"], axis=2)[:, :, : SIZE[0]].astype(bool)
    assert mask.shape == (len(film.times), SIZE[1], SIZE[0])
    np.testing.assert_array_equal(mask[40], drawn[40].parts > 0)
    assert 0.005 < mask.mean() < 0.4


def hands_seen(known: dict[str, NDArray[Any]]) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    for points, boxes, visible in zip(known["hand_points"], known["hand_boxes"], known["hand_visible"], strict=True):
        for side in range(2):
            if np.isfinite(boxes[side]).all():
                yield points[side][:7][visible[side][:7]], boxes[side]


def test_visible_points_lie_in_their_hands_box(known: dict[str, NDArray[Any]]) -> None:
    pairs = list(hands_seen(known))
    assert sum(len(points) for points, _ in pairs) > 500
    for points, (left, top, right, bottom) in pairs:
        assert ((points >= (left - 1, top - 1)) & (points <= (right + 1, bottom + 1))).all()


def test_the_left_hand_is_left_of_the_right_most_of_the_time(known: dict[str, NDArray[Any]]) -> None:
    palms = known["hand_points"][:, :, 1, 0]
    assert (palms[:, 0] < palms[:, 1]).mean() > 0.9


def test_hands_are_drawn_where_their_points_are(drawn: list[Drawn], known: dict[str, NDArray[Any]]) -> None:
    for index in range(0, len(drawn), 20):
        for side in range(2):
            x, y = known["hand_points"][index, side, 1]
            if known["hand_visible"][index, side, 1]:
                assert 1 + 12 * side <= drawn[index].parts[int(y), int(x)] <= 12 + 12 * side


@pytest.mark.parametrize("seed", range(4))
def test_gaze_reaches_the_target_some_hundred_milliseconds_before_the_hand(seed: int) -> None:
    film = direct(Order(seed, 1, "train", 40.0, 30.0, SIZE, social=0.0))
    leads = []
    for arrives, side, at in film.play.arrivals:
        window = np.flatnonzero((film.times > arrives - 1.2) & (film.times <= arrives))
        near = np.hypot(*(film.gaze[window] - at).T) < 30
        hand = np.hypot(*(film.hands[window, side, :2] - at).T) < 12
        if near.any() and hand.any() and not near[0]:
            leads.append(film.times[window[np.argmax(hand)]] - film.times[window[np.argmax(near)]])
    assert len(leads) > 5
    assert 0.1 < np.median(leads) < 0.7
    assert np.mean(np.array(leads) > 0) > 0.9


def test_fixations_hold_still_and_saccades_are_quick(film: Film) -> None:
    speed = np.hypot(*np.diff(film.gaze, axis=0).T) * 30
    kind = film.gaze_type[1:]
    assert np.median(speed[kind == paths.FIXATION]) < 40
    assert np.percentile(speed[kind == paths.SACCADE], 90) > 300
    assert 0.02 < (kind == paths.SACCADE).mean() < 0.3
    assert (film.gaze_type == paths.UNTRACKED).any()


def test_faces_look_at_the_cook_exactly_when_said(known: dict[str, NDArray[Any]]) -> None:
    film = next(
        one for one in (direct(Order(5, i, "train", 10.0, 30.0, SIZE, social=1.0)) for i in range(9)) if one.people
    )
    person = film.people[0]
    calm = np.ones(len(film.times), bool)
    for turn in np.flatnonzero(np.diff(person.looking.astype(int))):
        calm[max(0, turn - 8) : turn + 9] = False
    assert np.abs(person.aside[calm & person.looking]).max(initial=0) < 0.1
    assert np.abs(person.aside[calm & ~person.looking]).min(initial=1) > 0.9
    assert known["face_boxes"].shape[1] == 0
