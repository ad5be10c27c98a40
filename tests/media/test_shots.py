from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from readable import draw_number

from ego.errors import BadVideo
from ego.media.shots import Clock, Shot, Tally, nominal_step, timed

BASE = Fraction(1, 10)


def frame(pts: int | None, lasts: int = 1) -> Any:
    made = av.VideoFrame.from_ndarray(draw_number(0))
    made.pts, made.duration = pts, lasts
    return made


def shots(*times: int, lasts: int = 1) -> list[Shot]:
    return [Shot(pts, lasts, frame(pts)) for pts in times]


def packet(pts: int | None, dts: int | None = None) -> Any:
    made = Packet(b"data")
    made.pts, made.dts = pts, dts
    return made


def test_each_shot_is_shown_until_the_next_and_the_last_for_its_own_duration() -> None:
    found = [(one.pts, stop, last) for one, stop, last in timed(shots(0, 1, 5, lasts=3), BASE, None)]
    assert found == [(0, 1, False), (1, 5, False), (5, 8, True)]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ((0.0, 10.0), [0, 1, 2, 3]),
        ((0.1, 0.2), [1]),
        ((0.15, 0.25), [1, 2]),
        ((0.0, 0.05), [0]),
        ((0.35, 9.0), [3]),
        ((0.4, 9.0), []),
        ((-2.0, 0.0), []),
    ],
)
def test_a_part_holds_what_is_on_display_within_it(part: tuple[float, float], expected: list[int]) -> None:
    found = list(timed(shots(0, 1, 2, 3), BASE, part))
    assert [one.pts for one, _, _ in found] == expected
    assert [last for _, _, last in found] == [False] * (len(expected) - 1) + [True] * bool(expected)


def test_a_still_of_hours_is_damage() -> None:
    with pytest.raises(BadVideo, match="shown for"):
        list(timed(shots(0, 1, 10**9), BASE, None))
    with pytest.raises(BadVideo, match="shown for"):
        list(timed(shots(0, 1, lasts=10**9), BASE, None))


def test_stated_times_are_kept_and_disorder_has_none() -> None:
    clock = Clock("mov,mp4", 1)
    assert [clock.stamp(frame(pts)) for pts in (5, 6, 6, 4, 9, 7, 10)] == [5, 6, None, None, 9, None, 10]


def test_gaps_between_stated_times_are_filled_with_durations() -> None:
    clock = Clock("mpeg", 3)
    assert [clock.stamp(frame(pts, 3)) for pts in (None, 100, None, None, 109, None)] == [None, 100, 103, 106, 109, 112]


def test_a_stated_time_that_contradicts_the_filled_ones_is_not_taken_for_the_frame() -> None:
    clock = Clock("mpeg", 3)
    assert [clock.stamp(frame(pts, 3)) for pts in (100, None, 120, 123)] == [100, 103, None, 123]


def test_nothing_stated_is_no_time() -> None:
    clock = Clock("h264", 1)
    assert [clock.stamp(frame(None)) for _ in range(3)] == [None, None, None]


def test_silent_losses_are_counted_from_the_first_picture_on() -> None:
    tally = Tally()
    for pts in (4, 1, 2, 7, 5, 6):  # 1 and 2 lead a key frame at 4 and cannot be decoded
        tally.see(packet(pts))
    for pts in (4, 5, 7):
        tally.show(pts)
    assert tally.lost == 1
    tally.see(packet(None))
    assert tally.lost == 1


def test_the_nominal_step_is_the_rate_in_the_streams_units() -> None:
    class Stream:
        average_rate = Fraction(30000, 1001)
        guessed_rate = None

    assert nominal_step(Stream(), Fraction(1, 30000)) == 1001  # type: ignore[arg-type]
    Stream.average_rate = None  # type: ignore[assignment]
    assert nominal_step(Stream(), Fraction(1, 30000)) == 0  # type: ignore[arg-type]


def test_the_drawn_picture_is_grey() -> None:
    assert np.ptp(draw_number(5), axis=2).max() == 0
