"""Rows of features drawn onto the frame they belong to, by what kind of array they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

LEFT_HAND, RIGHT_HAND, POINT, TINT = (255, 214, 60), (90, 220, 255), (70, 255, 110), (255, 60, 60)
PALETTE: tuple[Colour, ...] = (
    (255, 99, 71), (64, 190, 255), (255, 215, 0), (124, 252, 0), (218, 112, 214), (255, 165, 0), (0, 206, 209),
)  # fmt: skip
MOST_TRAILS = 600
DIMMED = 0.45
FLOW_SHARE = 0.03  # of the picture's width: a step so long has the full colour


@dataclass(frozen=True, eq=False)
class Layer:
    """The rows of one array that belong to a moment: (n, *shape) real numbers, (n, 3) times, and its kind.

    `beside` are the entry's other arrays of the same rows.
    """

    name: str
    kind: str
    rows: NDArray[Any]
    time: NDArray[np.float64]
    beside: Mapping[str, NDArray[Any]]


def overlay(picture: Pixels, layers: "list[Layer]", seconds: float) -> Pixels:
    """A copy of `picture` (h, w, 3) with the layers drawn in; what has no rows now leaves it dimmed."""
    drawn = picture.copy()
    shown = [layer for layer in layers if len(layer.rows) and layer.kind in DRAWN]
    if not shown:
        return _dim(drawn)
    for layer in shown:
        drawn = DRAWN[layer.kind](drawn, layer, seconds)
    return drawn


def flow_colours(flow: NDArray[np.float32], full: float) -> Pixels:
    """(h, w, 3) of a flow field (2, h, w): hue is the direction, white is rest, full colour a step of `full` pixels."""
    angle = np.arctan2(flow[1], flow[0])
    size = np.clip(np.hypot(flow[0], flow[1]) / max(full, 1e-6), 0, 1)
    hue = np.mod(np.rint(angle * (90 / np.pi)), 180).astype(np.uint8)
    saturation = np.rint(size * 255).astype(np.uint8)
    hsv = np.stack([hue, saturation, np.full_like(hue, 255)], axis=-1)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def _flow(picture: Pixels, layer: Layer, seconds: float) -> Pixels:
    flow = np.asarray(layer.rows[0], np.float32)
    height, width = picture.shape[:2]
    full = max(2.0, FLOW_SHARE * flow.shape[2])
    drawn = cv2.resize(flow_colours(flow, full), (width, height), interpolation=cv2.INTER_LINEAR)
    return _with_wheel(np.asarray(drawn, np.uint8), full)


def _with_wheel(picture: Pixels, full: float) -> Pixels:
    """The colour wheel in the lower right corner, with the step of its rim in pixels of the flow."""
    side = max(24, picture.shape[1] // 10)
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    field = np.stack(np.meshgrid(axis, axis))
    inside = np.hypot(field[0], field[1]) <= 1
    corner = picture[-side - 4 : -4, -side - 4 : -4]
    corner[inside] = flow_colours(field, 1.0)[inside]
    words = f"{full:.0f} px"
    place = (picture.shape[1] - side - 8 - 8 * len(words), picture.shape[0] - 8)
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (60, 60, 60), 1, cv2.LINE_AA)
    return picture


def _mask(picture: Pixels, layer: Layer, seconds: float) -> Pixels:
    height, width = picture.shape[:2]
    mask = cv2.resize(layer.rows[0].astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    drawn = _dim(picture)
    drawn[mask] = (0.6 * picture[mask] + 0.4 * np.array(TINT)).astype(np.uint8)
    return drawn


def _map(picture: Pixels, layer: Layer, seconds: float) -> Pixels:
    values = np.asarray(layer.rows[0], np.float32)
    if values.ndim != 2:
        return picture
    height, width = picture.shape[:2]
    top = float(values.max())
    heat = cv2.resize(values / top if top > 0 else values, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.cvtColor(
        cv2.applyColorMap(np.clip(heat * 255, 0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )
    return np.asarray(cv2.addWeighted(picture, 0.55, np.asarray(colours, np.uint8), 0.45, 0), np.uint8)


def _points(picture: Pixels, layer: Layer, seconds: float) -> Pixels:
    """Points of fractions: a pair for the two hands, tracks as lines up to now, others as dots."""
    rows = np.asarray(layer.rows, np.float32)
    size = np.array([picture.shape[1], picture.shape[0]], np.float32)
    if rows.ndim == 2:
        visible = layer.beside.get("type", np.ones(len(rows))) > 0
        for x, y in (rows * size)[visible]:
            cv2.circle(picture, (round(float(x)), round(float(y))), 9, POINT, 2, cv2.LINE_AA)
    elif layer.name == "landmarks" or "visible" in layer.beside:
        _hand_points(picture, rows[0] * size, layer)
    else:
        _trails(picture, rows * size, layer.time, seconds)
    return picture


def _hand_points(picture: Pixels, points: NDArray[np.float32], layer: Layer) -> None:
    visible = np.asarray(layer.beside.get("visible", np.ones((1, len(points)))))[0]
    for slot, some in enumerate(points.reshape(len(points), -1, 2)):
        if slot < len(visible) and visible[slot]:
            for x, y in some[some.any(axis=1)]:
                place, colour = (round(float(x)), round(float(y))), (LEFT_HAND, RIGHT_HAND)[slot % 2]
                cv2.circle(picture, place, 3 if len(some) > 1 else 6, colour, -1, cv2.LINE_AA)


def _trails(picture: Pixels, tracks: NDArray[np.float32], time: NDArray[np.float64], seconds: float) -> None:
    """Each track from its first point to where it is now; of very many an even choice."""
    steps = tracks.shape[1]
    chosen = slice(None, None, -(-len(tracks) // MOST_TRAILS))
    for points, (start, _, stop) in zip(tracks[chosen], time[chosen], strict=True):
        share = (seconds - start) / max(stop - start, 1e-6)
        now = min(steps, max(1, int(share * steps) + 1))
        cv2.polylines(picture, [np.rint(points[:now]).astype(np.int32)], False, POINT, 1, cv2.LINE_AA)
        x, y = points[now - 1]
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, TINT, -1, cv2.LINE_AA)


def _boxes(picture: Pixels, layer: Layer, seconds: float) -> Pixels:
    height, width = picture.shape[:2]
    scale = np.array([width, height, width, height], np.float32)
    if layer.rows.ndim == 2:  # one subject a row
        for index, box in enumerate(layer.rows):
            track = int(layer.beside["track"][index]) if "track" in layer.beside else index
            _box(picture, box * scale, PALETTE[track % len(PALETTE)], f"{track}")
        return picture
    visible = np.asarray(layer.beside.get("visible", np.ones(layer.rows.shape[:2])))[0]
    for slot, box in enumerate(layer.rows[0]):
        if visible[slot]:
            _box(picture, box * scale, (LEFT_HAND, RIGHT_HAND)[slot % 2], ("left", "right")[slot % 2])
    return picture


def _box(picture: Pixels, box: NDArray[np.float32], colour: Colour, words: str) -> None:
    left, top, right, bottom = (round(float(side)) for side in box)
    cv2.rectangle(picture, (left, top), (right, bottom), colour, 2, cv2.LINE_AA)
    place = (left + 3, max(top - 4, 10))
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)


def _dim(picture: Pixels) -> Pixels:
    return np.asarray(picture * np.float32(DIMMED), np.uint8)


DRAWN: Mapping[str, Callable[[Pixels, Layer, float], Pixels]] = {
    "flow": _flow, "mask": _mask, "map": _map, "points": _points, "boxes": _boxes,
}  # fmt: skip
"""How each kind of array is drawn; vectors and tokens have no place in a picture."""
