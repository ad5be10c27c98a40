"""Which hand a track is: where its arm comes from, when that changes, and what is beside it."""

import numpy as np
import pytest

from ego.extractors._detector import Detections
from ego.extractors._identity import Track, cut, evidence, sides, switched, voted

FPS = 30.0
Place = tuple[float, float]


class Scene:
    """Detections of a video, filled track by track."""

    def __init__(self, frames: int) -> None:
        self.found = [Detections.make(np.zeros((0, 4)), np.zeros(0)) for _ in range(frames)]
        self.tracks: list[Track] = []

    def add(self, start: int, places: list[Place], score: float = 0.9) -> Track:
        """A track of (x, origin of the arm) from a frame on."""
        track = Track(len(self.tracks) + 1)
        for frame, (x, origin) in enumerate(places, start):
            before, box = self.found[frame], np.array([x - 0.05, 0.4, x + 0.05, 0.6])
            self.found[frame] = Detections.make(
                np.vstack([before.boxes, box]), np.append(before.scores, score), np.append(before.origin, origin)
            )
            track.frames.append(frame)
            track.boxes.append(box)
            track.detections.append(len(before.boxes))
        self.tracks.append(track)
        return track

    def sides(self) -> list[int]:
        named = sides(self.tracks, self.found, FPS)
        return [named[track.number] for track in self.tracks]


def test_an_arm_from_the_left_stays_the_left_one_when_it_crosses():
    scene = Scene(40)
    scene.add(0, [(0.4 + 0.01 * frame, 0.3) for frame in range(40)])  # alone, on the whole in the right half
    assert scene.sides() == [0]
    scene.add(0, [(0.3, 0.7)] * 40)  # the right arm crosses it
    assert scene.sides() == [0, 1]


def test_a_weak_track_does_not_rename_a_sure_one():
    scene = Scene(40)
    scene.add(0, [(0.35, 0.3)] * 40)
    scene.add(5, [(0.2, 0.2)] * 12, score=0.3)
    scene.add(20, [(0.1, 0.1)] * 15, score=0.3)
    assert scene.sides()[0] == 0


def test_of_two_at_once_from_one_side_the_less_sure_one_is_the_other_hand():
    scene = Scene(30)
    scene.add(0, [(0.3, 0.25)] * 30)
    scene.add(0, [(0.5, 0.46)] * 30)
    assert scene.sides() == [0, 1]
    alone = Scene(30)
    alone.add(0, [(0.5, 0.46)] * 30)
    assert alone.sides() == [0]


def test_a_track_goes_on_as_the_one_that_ended_there():
    scene = Scene(60)
    scene.add(0, [(0.6, 0.75)] * 30)
    scene.add(33, [(0.55, 0.47)] * 20)
    assert scene.sides() == [1, 1]
    far = Scene(60)
    far.add(0, [(0.8, 0.75)] * 30)
    far.add(33, [(0.55, 0.47)] * 20)
    assert far.sides() == [1, 0]


def test_a_track_that_went_over_to_the_other_arm_is_parted():
    scene = Scene(60)
    scene.add(0, [(0.5, 0.2)] * 32 + [(0.52, 0.8)] * 28)
    first, second = cut(scene.tracks, scene.found, FPS)
    assert (first.frames, second.frames) == (list(range(32)), list(range(32, 60)))
    assert first.number != second.number
    named = sides([first, second], scene.found, FPS)
    assert (named[first.number], named[second.number]) == (0, 1)


def test_a_glance_of_evidence_parts_nothing():
    scene = Scene(60)
    scene.add(0, [(0.5, 0.2)] * 30 + [(0.5, 0.8)] * 6 + [(0.5, 0.2)] * 24)
    assert [track.frames for track in cut(scene.tracks, scene.found, FPS)] == [list(range(60))]


def test_what_was_only_predicted_before_a_change_is_forgotten():
    scene = Scene(60)
    track = scene.add(0, [(0.5, 0.2)] * 30 + [(0.5, 0.8)] * 30)
    track.detections[26:30] = [-1] * 4
    first, second = cut(scene.tracks, scene.found, FPS)
    assert first.detections[-1] >= 0
    assert second.frames[-1] == 59


@pytest.mark.parametrize("cost", [0.5, 1.5, 4.0])
def test_the_likeliest_sequence_is_the_best_of_all(cost: float):
    random = np.random.default_rng(3)
    for _ in range(20):
        seen = random.normal(0, 1, 8)
        every = np.array(list(np.ndindex(*[2] * 8)))
        worth = (seen * (2 * every - 1)).sum(axis=1) - cost * np.abs(np.diff(every, axis=1)).sum(axis=1)
        assert switched(seen, cost).tolist() == every[worth.argmax()].tolist()


def test_arms_nobody_knows_are_named_by_place_and_give_no_evidence():
    scene = Scene(20)
    nan = float("nan")
    one = scene.add(0, [(0.6, nan)] * 10)
    two = scene.add(0, [(0.8, nan)] * 10)
    assert evidence(one, scene.found).tolist() == [0.0] * 10
    assert (voted(one, scene.tracks), voted(two, scene.tracks)) == (-1.0, 1.0)
    assert scene.sides() == [0, 1]
    assert cut(scene.tracks, scene.found, FPS) == scene.tracks
