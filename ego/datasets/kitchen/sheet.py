"""A contact sheet of films: frames side by side, plain or with their truth drawn in."""

from collections.abc import Sequence

import cv2
import numpy as np

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.paint import Painter
from ego.datasets.kitchen.sprites import Pixels

WARM_UP = 8
"""Frames drawn before the one that is shown, for the exposure to settle."""

COLOURS = {"hand": (255, 214, 60), "thing": (90, 220, 255), "gaze": (70, 255, 110), "face": (255, 120, 200)}


def sheet(films: Sequence[Film], rows: int, columns: int, width: int) -> Pixels:
    """(h, w, 3) picture of `rows` x `columns` frames each `width` pixels wide: every row a plain film, the last one
    with its truth: boxes of hands, of what they hold and of faces, points, gaze, mask and action."""
    tiles = []
    for row in range(rows):
        film = films[row % len(films)]
        moments = _moments(film, columns)
        tiles.append(np.hstack([_tile(film, moment, width, row == rows - 1) for moment in moments]))
    return np.ascontiguousarray(np.vstack(tiles))


def _moments(film: Film, count: int) -> list[int]:
    """Frames in the middle of actions, spread over the film and its verbs."""
    chosen = {one.verb: one for one in reversed(film.play.segments)}
    spread = sorted(chosen.values(), key=lambda one: one.start)
    picked = [spread[round(place)] for place in np.linspace(0, len(spread) - 1, count)]
    return [int((0.42 * one.start + 0.58 * one.stop) * film.order.fps) for one in picked]


def _tile(film: Film, moment: int, width: int, known: bool) -> Pixels:
    painter = Painter(film)
    for index in range(max(0, moment - WARM_UP), moment + 1):
        drawn = painter.frame(index)
    picture = drawn.picture.copy()
    if known:
        _mark(picture, film, moment, drawn.parts)
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _mark(picture: Pixels, film: Film, moment: int, parts: Pixels) -> None:
    """Draws a frame's truth into it."""
    arrays = truth.known(film)
    outline = cv2.morphologyEx((parts > 0).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    picture[outline > 0] = (255, 255, 255)
    held = arrays["object_boxes"][moment][arrays["object_held"][moment] >= 0]
    for kind, boxes in (
        ("hand", arrays["hand_boxes"][moment]),
        ("thing", held),
        ("face", arrays["face_boxes"][moment]),
    ):
        for box in boxes[np.isfinite(boxes).all(1)]:
            left, top, right, bottom = (int(value) for value in box)
            cv2.rectangle(picture, (left, top), (right, bottom), COLOURS[kind], 2)
    for x, y in arrays["hand_points"][moment].reshape(-1, 2):
        cv2.circle(picture, (int(x), int(y)), 3, COLOURS["hand"], -1)
    gaze = arrays["gaze"][moment] * film.order.size
    if np.isfinite(gaze).all():
        cv2.circle(picture, (int(gaze[0]), int(gaze[1])), 9, COLOURS["gaze"], 3)
    now = film.times[moment]
    words = next((f"{one.verb} {one.noun}" for one in film.play.segments if one.start <= now < one.stop), "")
    cv2.putText(picture, words, (8, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 5, cv2.LINE_AA)
    cv2.putText(picture, words, (8, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (255, 255, 255), 2, cv2.LINE_AA)
