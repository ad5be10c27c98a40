"""Boxes of hands and tracks of faces that others found, as readings on the video's own clock.

A reading of kind `hand_boxes` holds instants with `box` (n, 4) float64, left, top, right, bottom as fractions
of the full upright frame, `score` (n,), `side` (n,) int8, -1 unknown, 0 left, 1 right, and `frames` (n,) int64:
of how many frames the file speaks, 0 where it does not say. One of kind `face_tracks` holds `box` and
`track` (n,) int64. Every box stands in the middle of its frame's time on display.
"""

import json
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ego.errors import BadRequest
from ego.signals.pickles import read_pickle
from ego.signals.protobuf import floats, messages, number
from ego.signals.table import read_lines
from ego.video import Reading

UNKNOWN, LEFT, RIGHT = -1, 0, 1
SIDES = {"left": LEFT, "l": LEFT, "0": LEFT, "right": RIGHT, "r": RIGHT, "1": RIGHT}
MOT_CELLS = 6
POINT_BOX = 0.1
"""Side of the box put around a point that comes without one, of the frame's width and height."""


class Boxed(NamedTuple):
    """One box: its frame from 0, corners in fractions, score, side and track (-1: none)."""

    frame: int
    box: tuple[float, float, float, float]
    score: float = 1.0
    side: int = UNKNOWN
    track: int = -1


def read_mot_hands(path: Path, fps: float, size: tuple[int, int]) -> Reading:
    """Hands of a MOT file: lines of frame (from 1), id, left, top, width, height in pixels, confidence, ...

    `size` is the width and height of the frames it counts pixels of.
    """
    return hand_boxes(_mot(path, size), fps)


def read_mot_faces(path: Path, fps: float, size: tuple[int, int]) -> Reading:
    """Face tracks of a MOT file, whose second column is the track; lines are as for hands."""
    return face_tracks(_mot(path, size), fps)


def read_100doh(path: Path, fps: float, first_frame: int = 1) -> Reading:
    """Hands of a JSON file in the manner of 100 Days of Hands: {"frame_000012.jpg": [{"x1": .., "hand_side": "r"}]}.

    The last digits of a name are the frame, counted from `first_frame`; x and y are fractions, or pixels
    where the object says its picture's `width` and `height`.
    """
    try:
        table = json.loads(path.read_bytes())
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadRequest(f"{path.name} is not JSON: {error}") from error
    if not isinstance(table, dict):
        raise BadRequest(f"{path.name} holds a {type(table).__name__}, expected an object: picture name -> hands")
    return hand_boxes(list(_doh(path.name, table, first_frame)), fps)


def read_epic_hands(path: Path, fps: float, least_score: float = 0.0) -> Reading:
    """Hands of EPIC-KITCHENS-100's hand-object detections: a pickled list, one serialised message a frame from 1."""
    rows = read_pickle(path)
    if not isinstance(rows, list) or not all(isinstance(row, bytes) for row in rows):
        raise BadRequest(f"{path.name} is no list of serialised detections, expected EPIC's hand-object pickles")
    found = []
    for place, row in enumerate(rows):
        fields = messages(row, f"{path.name}, item {place}")
        frame = number(fields, 2, place + 1) - 1
        for hand in fields.get(3, []):
            inner = messages(hand, f"{path.name}, item {place}")
            box = floats(messages(inner.get(1, [b""])[0], f"{path.name}, item {place}"), (1, 2, 3, 4))
            score = floats(inner, (2,))[0]
            if score >= least_score:
                found.append(Boxed(frame, (box[0], box[1], box[2], box[3]), score, number(inner, 5, 0)))
    return hand_boxes(found, fps, len(rows))


def read_georkap(
    path: Path, fps: float, size: tuple[int, int], surplus: int = 0, part_of_video: bool = False
) -> Reading:
    """Hand points of a pickle {"left": [[x, y], ...], "right": [...]} in pixels of frames of `size`.

    A point below the frame, or at (0, 0), is a hand that is not there. EGTEA's files have one `surplus` point
    at the end. The lists must be of one length; where they are `part_of_video` that says nothing of the
    video's. Around each point stands a box that has it as the corner at the fingers.
    """
    table = read_pickle(path)
    if not isinstance(table, dict) or not {"left", "right"} <= set(table):
        raise BadRequest(f"{path.name} holds no 'left' and 'right', expected a dict of two lists of points")
    points = {side: _points(table[side], f"{path.name}, {side}") for side in ("left", "right")}
    if len(points["left"]) != len(points["right"]):
        raise BadRequest(
            f"{path.name} has {len(points['left'])} points of the left hand and {len(points['right'])} of the right "
            "one, expected one of each a frame"
        )
    count = len(points["left"]) - surplus
    found = []
    for side, code in (("left", LEFT), ("right", RIGHT)):
        for frame, (x, y) in enumerate(points[side][: max(count, 0)] / np.array(size)):
            if 0 <= x <= 1 and 0 <= y <= 1 and (x, y) != (0, 0):
                # the point is a box's upper corner that faces the other hand
                left, right = (x - POINT_BOX, x) if code == LEFT else (x, x + POINT_BOX)
                found.append(Boxed(frame, (max(left, 0.0), y, min(right, 1.0), min(y + POINT_BOX, 1.0)), 1.0, code))
    return hand_boxes(found, fps, 0 if part_of_video else max(count, 0))


def hand_boxes(found: Sequence[Boxed], fps: float, frames: int = 0) -> Reading:
    """Boxes as a reading of kind `hand_boxes`; `frames` is how many the file speaks of, 0 where it does not say."""
    said = np.full(len(found), frames, np.int64)
    side = np.array([one.side for one in found], np.int8)
    score = np.array([one.score for one in found], np.float64)
    return _reading("hand_boxes", found, fps, {"score": score, "side": side, "frames": said})


def face_tracks(found: Sequence[Boxed], fps: float) -> Reading:
    """Boxes as a reading of kind `face_tracks`."""
    return _reading("face_tracks", found, fps, {"track": np.array([one.track for one in found], np.int64)})


def _reading(kind: str, found: Sequence[Boxed], fps: float, arrays: dict[str, Any]) -> Reading:
    if not (math.isfinite(fps) and fps > 0):
        raise BadRequest(f"got a rate of {fps} for boxes, expected frames a second above 0")
    boxes = np.array([one.box for one in found], np.float64).reshape(-1, 4)
    if not np.isfinite(boxes).all() or (boxes[:, :2] > boxes[:, 2:]).any():
        raise BadRequest(f"got {kind} that are not finite or whose left is right of their right")
    seconds = (np.array([one.frame for one in found], np.float64) + 0.5) / fps
    if (seconds < 0).any():
        raise BadRequest(f"got {kind} before the first frame; from which number are its frames counted?")
    order = np.argsort(seconds, kind="stable")
    held = {"box": np.clip(boxes, 0, 1), **arrays}
    return Reading(kind, np.repeat(seconds[order], 2).reshape(-1, 2), {name: one[order] for name, one in held.items()})


def _mot(path: Path, size: tuple[int, int]) -> list[Boxed]:
    found = []
    for place, line in enumerate(read_lines(path, "a MOT file"), 1):
        cells = [cell.strip() for cell in line.split(",")]
        if not line.strip():
            continue
        if len(cells) < MOT_CELLS:
            raise BadRequest(f"{path.name}, line {place}: got {len(cells)} cells, expected at least {MOT_CELLS}")
        try:
            frame, track, left, top, wide, tall, *more = (float(cell) for cell in cells)
        except ValueError:
            if place == 1:
                continue  # a header
            raise BadRequest(f"{path.name}, line {place}: got {line[:60]!r}, expected numbers") from None
        if frame != int(frame) or frame < 1:
            raise BadRequest(f"{path.name}, line {place}: got frame {cells[0]}, expected a whole number from 1")
        box = (left / size[0], top / size[1], (left + wide) / size[0], (top + tall) / size[1])
        found.append(Boxed(int(frame) - 1, box, more[0] if more and more[0] >= 0 else 1.0, UNKNOWN, int(track)))
    return found


def _doh(name: str, table: dict[str, Any], first_frame: int) -> Iterator[Boxed]:
    for picture, hands in table.items():
        digits = re.findall(r"\d+", Path(picture).stem)
        if not digits or not isinstance(hands, list):
            raise BadRequest(f"{name}: got {picture!r}, expected a picture's name with its frame, and a list of hands")
        for hand in hands:
            try:
                corners = [float(hand[key]) for key in ("x1", "y1", "x2", "y2")]
                scale = [float(hand.get("width", 1)), float(hand.get("height", 1))]
                score = float(hand.get("score", 1.0))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise BadRequest(f"{name}, {picture}: got {hand!r:.80}, expected x1, y1, x2 and y2") from error
            if max(corners) <= 1:
                scale = [1.0, 1.0]
            box = (corners[0] / scale[0], corners[1] / scale[1], corners[2] / scale[0], corners[3] / scale[1])
            side = SIDES.get(str(hand.get("hand_side", "")).lower(), UNKNOWN)
            yield Boxed(int(digits[-1]) - first_frame, box, score, side)


def _points(given: Any, where: str) -> Any:
    try:
        points = np.asarray(given, np.float64).reshape(-1, 2)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{where}: got no list of [x, y]") from error
    if not np.isfinite(points).all():
        raise BadRequest(f"{where}: got points that are not finite")
    return points
