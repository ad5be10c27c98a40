"""The truth of a video at every frame, in pixels, and the one file that keeps it.

`truth/<video>.npz` holds, for T frames of w x h pixels, n things, p people and k actions:

    size           (2,)          w and h
    seconds        (T,)          when the frame is shown
    camera         (T, 3, 3)     homography from the still room (units, 960 x 560) to the frame's pixels;
                                 camera[t + 1] @ inv(camera[t]) moves the background from frame t to t + 1
    mask           (T, h, w/8)   bits of the moving-object mask (numpy.unpackbits(..., axis=2)[:, :, :w])
    hand_points    (T, 2, 8, 2)  left, right: wrist, palm, five finger tips, grasp; seen or not
    hand_visible   (T, 2, 8)     in the picture and not behind a thing or the other hand
    hand_boxes     (T, 2, 4)     left, top, right, bottom around palm and fingers, cut at the frame; NaN: out of it
    gaze           (T, 2)        fractions of the frame, NaN where untracked
    gaze_type      (T,)          0 untracked, 1 fixation, 2 saccade, 3 unknown, 4 truncated
    object_names   (n,)          what stands on the counter or is held
    object_boxes   (T, n, 4)     as of the hands
    object_held    (T, n)        -1 in no hand, 0 in the left, 1 in the right
    segments       (k, 3)        start, stop and point of no return in seconds; NaN where nothing changes
    segment_classes (k, 3)       verb, noun and action, as places in grammar.VERBS, NOUNS and ACTIONS
    segment_hand   (k,)          the hand that acts
    face_boxes     (T, p, 4)     as of the hands
    face_looking, face_talking, face_to_wearer   (T, p)

With `--flow`, `flow/<video>.npy` is (T - 1, h, w, 2) float16: how far each pixel of frame t moves until t + 1.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen import items, paths, people, room
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.grammar import ACTIONS, NOUNS, VERBS
from ego.datasets.kitchen.poses import HAND, Poses
from ego.datasets.kitchen.sprites import Matrix, Pixels

Arrays = dict[str, NDArray[Any]]
FINGER = 7.0
"""Half the thickness of a finger and a little more, in units."""


def known(film: Film) -> Arrays:
    """All truth that needs no drawing; see the module for names and shapes."""
    points = np.stack([paths.through(camera, one) for camera, one in zip(film.cameras, film.points, strict=True)])
    width, height = film.order.size
    gaze = np.stack([paths.through(camera, one) for camera, one in zip(film.cameras, film.gaze, strict=True)])
    gaze = np.where((film.gaze_type == paths.UNTRACKED)[:, None], np.nan, gaze / (width, height))
    return {
        "size": np.array(film.order.size, np.int32),
        "seconds": film.times,
        "camera": film.cameras,
        "hand_points": points.astype(np.float32),
        "hand_boxes": _hand_boxes(film, points),
        "gaze": gaze.astype(np.float32),
        "gaze_type": film.gaze_type,
        **_objects(film),
        **_segments(film),
        **_faces(film),
    }


def _cut(low: Matrix, high: Matrix, size: tuple[int, int]) -> NDArray[np.float32]:
    """Boxes (..., 4) cut at the frame; those of which less than 2 pixels are left are NaN."""
    boxes = np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)], -1).astype(np.float32)
    gone = (boxes[..., 2] - boxes[..., 0] < 2) | (boxes[..., 3] - boxes[..., 1] < 2)
    boxes[gone] = np.nan
    return boxes


def _hand_boxes(film: Film, points: Matrix) -> NDArray[np.float32]:
    margin = FINGER * film.scale * film.cast.subject.hand * 1.15
    span = points[:, :, :7]
    return _cut(span.min(2) - margin, span.max(2) + margin, film.order.size)


def _objects(film: Film) -> Arrays:
    poses, names = Poses(film), list(film.play.rests)
    boxes = np.empty((len(film.times), len(names), 4), np.float32)
    held = np.full((len(film.times), len(names)), -1, np.int8)
    outlines = [_outline(film, noun) for noun in names]
    to_pixels = np.diag([1 / film.scale, 1 / film.scale, 1.0])
    for index, camera in enumerate(film.cameras):
        for number, noun in enumerate(names):
            corners = (poses.item(noun, index)[:2] @ outlines[number]).T
            seen = paths.through(camera @ to_pixels, corners)
            boxes[index, number] = _cut(seen.min(0), seen.max(0), film.order.size)
            side = poses.side(noun, index)
            held[index, number] = -1 if side is None else side
    return {"object_names": np.array(names), "object_boxes": boxes, "object_held": held}


def _outline(film: Film, noun: str) -> Matrix:
    """(3, 16) the outline of a thing's sprite about its anchor, in the sprite's pixels."""
    sprite = items.sprite(noun, np.random.default_rng(0), film.scale)
    rows, columns = np.nonzero(sprite.rgba[..., 3] > 100)
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    dots = np.stack([columns - sprite.anchor[0], rows - sprite.anchor[1]], 1).astype(float)
    chosen = dots[np.argmax(dots @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)]
    return np.vstack([chosen.T, np.ones(16)])


def _segments(film: Film) -> Arrays:
    segments = film.play.segments
    spans = [(one.start, one.stop, np.nan if one.pnr is None else one.pnr) for one in segments]
    classes = [(VERBS.index(one.verb), NOUNS.index(one.noun), ACTIONS.index((one.verb, one.noun))) for one in segments]
    return {
        "segments": np.array(spans, float).reshape(-1, 3),
        "segment_classes": np.array(classes, np.int16).reshape(-1, 3),
        "segment_hand": np.array([one.side for one in segments], np.int8),
    }


def _faces(film: Film) -> Arrays:
    count, frames = len(film.people), len(film.times)
    boxes = np.empty((frames, count, 4), np.float32)
    to_wearer = np.zeros((frames, count), bool)
    half = np.array(people.FACE)
    for number, one in enumerate(film.people):
        for index, camera in enumerate(film.cameras):
            middle = one.centre[index]
            corners = middle + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
            corners[:, 1] = np.minimum(corners[:, 1], room.BACK)
            seen = paths.through(camera, corners)
            boxes[index, number] = _cut(seen.min(0), seen.max(0), film.order.size)
        for turn in one.turns:
            if turn.to_wearer:
                to_wearer[:, number] |= (film.times >= turn.start) & (film.times < turn.stop)
    empty = np.zeros((frames, 0), bool)
    return {
        "face_boxes": boxes,
        "face_looking": np.stack([one.looking for one in film.people], 1) if count else empty,
        "face_talking": np.stack([one.talking(film.times) for one in film.people], 1) if count else empty,
        "face_to_wearer": to_wearer,
    }


def visible(points: Matrix, parts: Pixels) -> NDArray[np.bool_]:
    """(2, 8) whether each point of each hand is in the picture and its own hand is what is seen there."""
    height, width = parts.shape
    at = np.floor(points).astype(int)
    inside = (at[..., 0] >= 0) & (at[..., 0] < width) & (at[..., 1] >= 0) & (at[..., 1] < height)
    at = np.clip(at, 0, (width - 1, height - 1))
    seen = parts[at[..., 1], at[..., 0]].astype(int)
    first = HAND + 12 * np.arange(2)[:, None]
    own = (seen >= first) & (seen < first + 12)
    own[:, 7] = True  # nothing is drawn at the point that grasps
    return np.asarray(inside & own)


def save(path: Path, arrays: Arrays) -> None:
    """Writes the arrays as one npz file that appears whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            about = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            about.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(about, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    beside.replace(path)


def load(path: Path) -> Arrays:
    """The arrays of a truth file by name."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
