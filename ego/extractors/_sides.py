"""Detections of a whole video become two hands: tracks, which of them is left, and their rows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ego.extractors._base import Beside, Block, Files, Rows
from ego.extractors._boxes import areas, suppress
from ego.extractors._detector import Detections, Shot
from ego.extractors._identity import Track, cut, sides
from ego.extractors._sort import Sort

if TYPE_CHECKING:
    from ego.extractors.hands import Hands

SORT_HEIGHT = 256.0
"""SORT's noise is in pixels: of frames of this height, as the authors' were, whatever the video's."""


def follow_hands(hands: "Hands", blocks: Iterator[Block], beside: Beside, files: Files) -> Iterator[Rows]:
    """The rows of one video, once it has ended."""
    times: list[NDArray[np.float64]] = []
    sources: list[NDArray[np.int64]] = []

    def shots() -> Iterator[Shot]:
        for block in blocks:
            times.append(block.time)
            sources.append(block.source)
            for picture, (start, _, stop) in zip(block.pictures["frames"], block.time, strict=True):
                yield Shot(picture, float(start), float(stop))

    found = [_plausible(hands, one) for one in hands.detector.detect(shots(), beside, files)]
    if not found:
        return
    time = np.concatenate(times)
    aspect = beside.width / beside.height if beside.width and beside.height else 1.0
    fps = 1 / float(np.median(time[:, 2] - time[:, 0]))
    tracks = cut(tracked(hands, found, fps, aspect), found, fps)
    yield Rows(_slots(hands, found, tracks, sides(tracks, found, fps)), time, np.concatenate(sources))


def _plausible(hands: "Hands", found: Detections) -> Detections:
    boxes = found.boxes
    kept = (found.scores >= hands.least_score) & (areas(boxes) <= hands.most_area) & (boxes[:, 3] >= hands.reach)
    found = found.take(kept)
    return found.take(suppress(found.boxes, found.scores, hands.nms))


def tracked(hands: "Hands", found: list[Detections], fps: float, aspect: float) -> list[Track]:
    """The tracks worth keeping; a box is predicted only between two detections of its track."""
    scale = np.tile([SORT_HEIGHT * aspect, SORT_HEIGHT], 2)
    sort, tracks = Sort(round(hands.max_age_seconds * fps), hands.min_hits, hands.iou), dict[int, Track]()
    for frame, one in enumerate(found):
        live = sort.update(one.boxes * scale)
        for number, box, detection, shown in zip(
            live.ids.tolist(), live.boxes / scale, live.detection.tolist(), live.shown.tolist(), strict=True
        ):
            track = tracks.setdefault(number, Track(number))
            track.frames.append(frame)
            track.boxes.append(np.clip(box, 0, 1))
            track.detections.append(detection)
            track.shown |= shown
    for track in tracks.values():
        track.end()
    return [
        track
        for track in tracks.values()
        if track.shown and sum(detection >= 0 for detection in track.detections) >= hands.least_frames
    ]


def _slots(
    hands: "Hands", found: list[Detections], tracks: list[Track], named: dict[int, int]
) -> dict[str, NDArray[np.generic]]:
    """The arrays of all frames; of two tracks that are the same hand the better one is kept, what is predicted last."""
    count = len(found)
    boxes, landmarks = np.zeros((count, 2, 4)), np.zeros((count, 2, 21, 2))
    score, number, best = np.zeros((count, 2)), np.full((count, 2), -1), np.full((count, 2), -1.0)
    for track in tracks:
        side, quality = named[track.number], track.score(found)
        for frame, box, detection in zip(track.frames, track.boxes, track.detections, strict=True):
            worth = quality - (detection < 0)
            if worth <= best[frame, side]:
                continue
            best[frame, side], boxes[frame, side], number[frame, side] = worth, box, track.number
            score[frame, side] = found[frame].scores[detection] if detection >= 0 else 0.0
            landmarks[frame, side] = found[frame].landmarks[detection] if detection >= 0 else 0.0
    visible = number >= 0
    arrays: dict[str, NDArray[np.generic]] = {
        "boxes": boxes.astype(np.float32),
        "points": np.where(visible[..., None], corners(boxes, hands.inset), 0).astype(np.float32),
        "score": score.astype(np.float32),
        "visible": visible,
        "track": number.astype(np.int32),
    }
    return arrays | ({"landmarks": landmarks.astype(np.float32)} if hands.detector.landmarks else {})


def corners(boxes: NDArray[np.float64], inset: float) -> NDArray[np.float64]:
    """(..., 2, 2) the corner at the fingers: top right of the left hand's box, top left of the right one's."""
    size = boxes[..., 2:] - boxes[..., :2]
    x = np.stack([boxes[..., 0, 2] - inset * size[..., 0, 0], boxes[..., 1, 0] + inset * size[..., 1, 0]], axis=-1)
    return np.stack([x, boxes[..., 1] + inset * size[..., 1]], axis=-1)
