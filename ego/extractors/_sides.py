"""Detections of a whole video become two hands: tracks, which of them is left, and their rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ego.extractors._base import Beside, Block, Files, Rows
from ego.extractors._boxes import areas, suppress
from ego.extractors._detector import Detections, Shot
from ego.extractors._sort import Sort

if TYPE_CHECKING:
    from ego.extractors.hands import Hands

SORT_HEIGHT = 256.0
"""SORT's noise is in pixels: of frames of this height, as the authors' were, whatever the video's."""


@dataclass
class Track:
    """One track: in which frames, its boxes there, and the detection behind each (-1 where predicted)."""

    number: int
    frames: list[int] = field(default_factory=list)
    boxes: list[NDArray[np.float64]] = field(default_factory=list)
    detections: list[int] = field(default_factory=list)
    shown: bool = False

    def end(self) -> None:
        """Forgets what was only predicted after the last detection."""
        while self.detections and self.detections[-1] < 0:
            self.frames.pop(), self.boxes.pop(), self.detections.pop()


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
    tracks = tracked(hands, found, 1 / float(np.median(time[:, 2] - time[:, 0])), aspect)
    yield Rows(_slots(hands, found, tracks), time, np.concatenate(sources))


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


def sides(tracks: list[Track], found: list[Detections]) -> dict[int, int]:
    """Which hand each track is, 0 left or 1 right, for the whole of it.

    Where it is known from where its arm comes, that decides. Else its frames vote: in those it shares, the
    track whose mean x is smaller is the left one, in the others it is that where its own is left of the middle.
    """
    centre = {track.number: _centre(track) for track in tracks}
    there = {track.number: set(track.frames) for track in tracks}
    named = {}
    for track in tracks:
        number, origin = track.number, _origin(track, found)
        if np.isfinite(origin):
            named[number] = int(origin >= 0.5)
            continue
        vote, alone = 0.0, set(there[number])
        for other in tracks:
            shared = there[number] & there[other.number]
            if other.number != number and shared:
                vote += len(shared) * np.sign(centre[number] - centre[other.number])
                alone -= shared
        vote += len(alone) * np.sign(centre[number] - 0.5)
        named[number] = int(vote >= 0)
    sure = {track.number: _score(track, found) * len(track.frames) for track in tracks}
    return _parted(named, there, {track.number: _from(track, found) for track in tracks}, sure)


def _parted(
    named: dict[int, int], there: dict[int, set[int]], start: dict[int, float], sure: dict[int, float]
) -> dict[int, int]:
    """The names, but of two tracks of one name that share most of the shorter one the inner, less sure one loses it."""
    parted = dict(named)
    for one in named:
        for other in named:
            shared = len(there[one] & there[other])
            if start[one] >= start[other] or 2 * shared <= min(len(there[one]), len(there[other])):
                continue
            outer, inner = (one, other) if parted[one] == 0 else (other, one)  # `one` comes from further left
            if parted[one] == parted[other] and sure[inner] < sure[outer]:
                parted[inner] = 1 - parted[inner]
    return parted


def _from(track: Track, found: list[Detections]) -> float:
    """x from which it comes, or of its boxes where that is not known."""
    origin = _origin(track, found)
    return origin if np.isfinite(origin) else _centre(track)


def _centre(track: Track) -> float:
    """Mean x of its boxes."""
    return float(np.mean([(box[0] + box[2]) / 2 for box in track.boxes]))


def _origin(track: Track, found: list[Detections]) -> float:
    """Mean x from which its arm comes; NaN where no detection of it knows."""
    pairs = zip(track.frames, track.detections, strict=True)
    places = np.array([found[frame].origin[detection] for frame, detection in pairs if detection >= 0])
    known = places[np.isfinite(places)]
    return float(known.mean()) if len(known) else float("nan")


def _score(track: Track, found: list[Detections]) -> float:
    """Mean score of its detections."""
    pairs = zip(track.frames, track.detections, strict=True)
    return float(np.mean([found[frame].scores[detection] for frame, detection in pairs if detection >= 0]))


def _slots(hands: "Hands", found: list[Detections], tracks: list[Track]) -> dict[str, NDArray[np.generic]]:
    """The arrays of all frames; of two tracks that are the same hand the better one is kept."""
    count = len(found)
    boxes, landmarks = np.zeros((count, 2, 4)), np.zeros((count, 2, 21, 2))
    score, number, best = np.zeros((count, 2)), np.full((count, 2), -1), np.zeros((count, 2))
    named = sides(tracks, found)
    for track in tracks:
        side, quality = named[track.number], _score(track, found)
        for frame, box, detection in zip(track.frames, track.boxes, track.detections, strict=True):
            if quality <= best[frame, side]:
                continue
            best[frame, side], boxes[frame, side], number[frame, side] = quality, box, track.number
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
