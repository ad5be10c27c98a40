"""Which hand each track is: from where its arm comes, where it is, and what the tracks beside it are."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ego.extractors._detector import Detections

NEAR_ARM, NEAR_HAND = 0.2, 0.25
"""How far from the middle, in widths of the frame, an arm's origin and a hand are surely of one side."""

PLACE = 0.1
"""What the place of a hand counts beside the origin of its arm."""

CHANGE_SECONDS = 0.8
"""A track becomes the other hand where that long its arm surely comes from the other side, at least."""

CROWDED = 0.5
"""How unlikely two tracks of one frame are to be the same hand, beside evidence that is sure."""

LINK_SECONDS, LINK_WAY, LINK = 0.5, 0.15, 1.0
"""A track that begins so soon and so near after another's end goes on as that one, for as much evidence in seconds."""

SWEEPS = 20


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

    def part(self, number: int, start: int, stop: int) -> "Track":
        """Some of its frames, as a track of another number."""
        here = slice(start, stop)
        return replace(
            self, number=number, frames=self.frames[here], boxes=self.boxes[here], detections=self.detections[here]
        )

    @property
    def x(self) -> NDArray[np.float64]:
        """(frames,) the middles of its boxes."""
        return np.array([(box[0] + box[2]) / 2 for box in self.boxes])

    def score(self, found: list[Detections]) -> float:
        """Mean score of its detections."""
        pairs = zip(self.frames, self.detections, strict=True)
        return float(np.mean([found[frame].scores[detection] for frame, detection in pairs if detection >= 0]))


def origins(track: Track, found: list[Detections]) -> NDArray[np.float64]:
    """(frames,) x from which its arm comes; NaN where that is not known."""
    pairs = zip(track.frames, track.detections, strict=True)
    return np.array([found[frame].origin[detection] if detection >= 0 else np.nan for frame, detection in pairs])


def evidence(track: Track, found: list[Detections]) -> NDArray[np.float64]:
    """(frames,) for the right hand where positive, within 1 + PLACE; 0 where no arm is known."""
    arm, place = np.clip((origins(track, found) - 0.5) / NEAR_ARM, -1, 1), np.clip((track.x - 0.5) / NEAR_HAND, -1, 1)
    return np.nan_to_num(arm + PLACE * place)


def cut(tracks: list[Track], found: list[Detections], fps: float) -> list[Track]:
    """The tracks, those parted whose arm first comes from one side and then from the other."""
    parted, fresh = [], max((track.number for track in tracks), default=0) + 1
    for track in tracks:
        side = switched(evidence(track, found), CHANGE_SECONDS * fps)
        starts = [0, *(np.flatnonzero(np.diff(side)) + 1), len(side)]
        for start, stop in pairwise(starts):
            part = track.part(track.number if start == 0 else fresh, int(start), int(stop))
            fresh += start > 0
            if any(detection >= 0 for detection in part.detections):
                part.end()
                parted.append(part)
    return parted


def switched(evidence: NDArray[np.float64], cost: float) -> NDArray[np.int64]:
    """(frames,) the likeliest sequence of 0 and 1 where each change costs so much evidence (Viterbi)."""
    best, came = np.zeros(2), np.zeros((len(evidence), 2), np.int64)
    for frame, here in enumerate(evidence):
        came[frame] = [int(best[1] - cost > best[0]), int(best[1] >= best[0] - cost)]
        best = np.maximum(best, best[::-1] - cost) + np.array([-here, here])
    state, states = int(best[1] >= best[0]), np.zeros(len(evidence), np.int64)
    for frame in range(len(evidence) - 1, -1, -1):
        states[frame] = state
        state = int(came[frame, state])
    return states


def sides(tracks: list[Track], found: list[Detections], fps: float) -> dict[int, int]:
    """Which hand each track is, 0 left or 1 right, for the whole of it.

    Tracks whose arm is not known are named by `voted`. The others take the names that agree best with their own
    evidence, with the tracks they go on from, and with there being one hand of each name.
    """
    quality = [track.score(found) for track in tracks]
    weight = [sure * float(evidence(track, found).sum()) for track, sure in zip(tracks, quality, strict=True)]
    known = [bool(np.isfinite(origins(track, found)).any()) for track in tracks]
    named = [
        (np.sign(each) or 1.0) if sure else voted(track, tracks)
        for track, each, sure in zip(tracks, weight, known, strict=True)
    ]
    ties = _ties(tracks, quality, fps)
    free = sorted((place for place, sure in enumerate(known) if sure), key=lambda place: abs(weight[place]))
    for _ in range(SWEEPS):
        settled = True
        for place in free:
            pull = weight[place] + sum(tie * named[other] for other, tie in ties[place])
            if pull * named[place] < 0:
                named[place], settled = -named[place], False
        if settled:
            break
    return {track.number: int(name > 0) for track, name in zip(tracks, named, strict=True)}


def voted(track: Track, tracks: list[Track]) -> float:
    """-1 left or 1 right, by place alone (Kapidis et al. 2019, 4.1).

    In the frames it shares, the track whose mean x is smaller is the left one; in the others it is that where
    its own is left of the middle. The frames vote.
    """
    there, centre, vote = set(track.frames), float(track.x.mean()), 0.0
    alone = set(there)
    for other in tracks:
        if other.frames[0] > track.frames[-1] or other.frames[-1] < track.frames[0]:
            continue
        shared = there & set(other.frames)
        if other.number != track.number and shared:
            vote += len(shared) * np.sign(centre - float(other.x.mean()))
            alone -= shared
    vote += len(alone) * np.sign(centre - 0.5)
    return 1.0 if vote >= 0 else -1.0


def _ties(tracks: list[Track], quality: list[float], fps: float) -> list[list[tuple[int, float]]]:
    """Of each track (other, how much it wants that one's name); negative where both are there at once."""
    ties: list[list[tuple[int, float]]] = [[] for _ in tracks]
    order = sorted(range(len(tracks)), key=lambda place: tracks[place].frames[0])
    for place, one in enumerate(order):
        for two in order[place + 1 :]:
            gap = tracks[two].frames[0] - tracks[one].frames[-1]
            if gap > LINK_SECONDS * fps:
                break
            tie = min(quality[one], quality[two]) * _tie(tracks[one], tracks[two], fps)
            if tie:
                ties[one].append((two, tie))
                ties[two].append((one, tie))
    return ties


def _tie(one: Track, two: Track, fps: float) -> float:
    """How much the later track `two` is the hand that `one` is; negative where both are there at once."""
    if two.frames[0] > one.frames[-1]:
        near = np.abs(two.boxes[0] - one.boxes[-1]).max() < LINK_WAY
        return LINK * fps * float(near)
    return -CROWDED * len(set(one.frames) & set(two.frames))
