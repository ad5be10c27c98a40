"""How decoded sound is laid on the clock, sample by sample."""

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from ego.errors import BadVideo
from ego.media.recital import BLOCK, Resampler, Row, gathered, one_channel

RATE = 48_000
PIECE = 960  # 20 ms


def laid(row: Row, pieces: list[tuple[float | None, np.ndarray]]) -> np.ndarray:
    """All that a row makes of pieces that each begin at a second."""
    made = [
        row.lay(samples, None if second is None else Fraction(round(second * RATE), RATE), "a.mp4")
        for second, samples in pieces
    ]
    return np.concatenate(list(itertools.chain.from_iterable(made)))


def ramp(first: int, count: int = PIECE) -> np.ndarray:
    """Samples that say their own number."""
    return np.arange(first + 1, first + count + 1, dtype=np.float32)


def test_the_row_begins_at_a_whole_second() -> None:
    row = Row(RATE, Fraction(1, RATE))
    found = laid(row, [(8.25, ramp(0)), (None, ramp(PIECE))])
    assert row.second == 8
    assert row.starts_at == 8.25
    assert row.ends_at == 8.25 + 2 * PIECE / RATE
    assert not found[: RATE // 4].any()
    assert np.array_equal(found[RATE // 4 :], ramp(0, 2 * PIECE))


def test_before_the_clock_begins() -> None:
    row = Row(RATE, Fraction(1, RATE))
    found = laid(row, [(-0.02, ramp(0)), (0.0, ramp(PIECE))])
    assert row.second == -1
    assert np.array_equal(found[RATE - PIECE :], ramp(0, 2 * PIECE))


def test_a_lost_packet_is_silence_of_its_length() -> None:
    found = laid(Row(RATE, Fraction(1, 1000)), [(0.0, ramp(0)), (0.04, ramp(2 * PIECE))])
    assert np.array_equal(found, np.concatenate([ramp(0), np.zeros(PIECE), ramp(2 * PIECE)]))


def test_what_comes_twice_is_kept_once() -> None:
    found = laid(Row(RATE, Fraction(1, RATE)), [(0.0, ramp(0)), (0.01, ramp(PIECE // 2)), (0.0, ramp(0))])
    assert np.array_equal(found, ramp(0, PIECE + PIECE // 2))


def test_stamps_rounded_to_milliseconds_move_nothing() -> None:
    stamps = [round(k * 1024 / 44_100, 3) for k in range(2000)]
    row = Row(44_100, Fraction(1, 1000))
    pieces = [(row.lay(ramp(k * 1024, 1024), Fraction(str(when)), "a.mkv")) for k, when in enumerate(stamps)]
    found = np.concatenate(list(itertools.chain.from_iterable(pieces)))
    assert np.array_equal(found, ramp(0, 2000 * 1024))


def test_a_slow_clock_is_followed_within_two_milliseconds() -> None:
    """Stamps 0.01 % longer than the samples say: after ten minutes 60 ms."""
    row = Row(RATE, Fraction(1, RATE))
    worst = 0.0
    for number in range(30_000):
        second = number * PIECE / RATE * 1.0001
        list(row.lay(np.ones(PIECE, np.float32), Fraction(round(second * RATE), RATE), "a.mp4"))
        worst = max(worst, abs(row.ends_at - second - PIECE / RATE))
    assert worst < 0.002


def test_a_silence_of_hours_is_a_damaged_clock() -> None:
    with pytest.raises(BadVideo, match=r"'a.mp4' are damaged: it would be silent for 7200 s"):
        laid(Row(RATE, Fraction(1, RATE)), [(0.0, ramp(0)), (7200.02, ramp(0))])


@pytest.mark.parametrize("form", ["u8", "u8p", "s16", "s16p", "s32", "s32p", "flt", "fltp", "dbl", "dblp"])
def test_every_sample_format_is_a_mean_of_channels(form: str) -> None:
    left, right = np.array([0.5, -0.5, 0.25]), np.array([0.5, 0.0, -0.25])
    kind = {"u": np.uint8, "s16": np.int16, "s32": np.int32, "f": np.float32, "d": np.float64}
    dtype = next(dtype for name, dtype in kind.items() if form.startswith(name))
    both = np.stack([left, right])
    if np.issubdtype(dtype, np.integer):
        both = both * 2 ** (np.dtype(dtype).itemsize * 8 - 1) + (128 if dtype is np.uint8 else 0)
    data = np.ascontiguousarray(both if form.endswith("p") else both.T.reshape(1, -1)).astype(dtype)
    frame = av.AudioFrame.from_ndarray(data, format=form, layout="stereo")
    frame.sample_rate = RATE
    assert one_channel(frame) == pytest.approx([0.5, -0.25, 0.0])


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_the_length_and_the_place(rate: int) -> None:
    samples = np.zeros(rate * 3, np.float32)
    samples[round(1.25 * rate)] = 1
    resampler = Resampler(rate, 16_000)
    made = [piece for first in range(0, len(samples), 999) for piece in resampler.push(samples[first : first + 999])]
    found = np.concatenate(made + resampler.finish())
    assert len(found) == 48_000
    assert found.argmax() == 20_000


@pytest.mark.parametrize("length", [1, 1024, BLOCK, 3 * BLOCK])
def test_gathering_loses_nothing_and_says_which_is_the_last(length: int) -> None:
    found = list(gathered(ramp(k * length, length) for k in range(40)))
    assert np.array_equal(np.concatenate([piece for piece, _ in found]), ramp(0, 40 * length))
    assert [last for _, last in found] == [False] * (len(found) - 1) + [True]
    assert all(len(piece) >= BLOCK for piece, last in found if not last)
    assert list(gathered(iter([]))) == []
