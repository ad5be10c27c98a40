"""Windows: which frames a row sees and when, streamed or at once, and against published arrays."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ego.errors import BadRequest
from ego.samplers import frame_by_frame
from ego.sampling import Row, Window, cutter
from ego.video import Timeline


def indices(window: Window, ticks: int) -> list[tuple[int, ...]]:
    return [row.frames for row in window.rows(Timeline.regular(ticks, 10.0))]


def test_the_drawing_in_the_module() -> None:
    assert indices(Window(4, stride=3), 9) == [(0, 1, 2, 3), (3, 4, 5, 6), (6, 7, 8, 8)]
    assert indices(Window(4, stride=3, edge="drop"), 9) == [(0, 1, 2, 3), (3, 4, 5, 6)]


def test_the_last_row_is_moved_back_to_end_with_the_video() -> None:
    def first(frames: int, window: Window) -> list[int]:
        return [row[0] for row in indices(window, frames)]

    stam = Window(16, stride=8, edge="align")
    assert [first(n, stam) for n in (16, 24, 30, 33)] == [[0], [0, 8], [0, 8, 14], [0, 8, 16, 17]]
    assert indices(Window(4, stride=9, edge="align"), 11) == [(0, 1, 2, 3), (7, 8, 9, 10)]
    assert indices(Window(4, stride=9, edge="align"), 2) == [(0, 1, 1, 1)]
    assert indices(Window(3, stride=2, interval=2, edge="align"), 8) == [(0, 2, 4), (2, 4, 6), (3, 5, 7)]


@pytest.mark.parametrize("frames", [3, 8, 9, 23, 24])
def test_each_frame_shown_twice_makes_the_blocks_of_the_gaze_protocol(frames: int) -> None:
    rows = Window(16, stride=16, fps=48.0, edge="align").rows(Timeline.regular(frames, 24.0))
    blocks = frame_by_frame(frames)
    assert len(rows) == len(blocks)
    for row, (shown, _) in zip(rows, blocks, strict=True):
        assert list(row.frames) == (shown.tolist() if frames >= 8 else [0, 0, 1, 1] + [2] * 12)


def test_a_video_shorter_than_its_window_is_padded_or_dropped() -> None:
    assert indices(Window(4), 2) == [(0, 1, 1, 1)]
    assert indices(Window(4, edge="drop"), 2) == []
    assert indices(Window(3, interval=2), 4) == [(0, 2, 3)]


def test_a_stride_longer_than_the_window_makes_no_row_of_padding_alone() -> None:
    assert indices(Window(1, stride=30), 30) == [(0,)]
    assert indices(Window(1, stride=30), 31) == [(0,), (30,)]
    assert indices(Window(2, stride=30), 31) == [(0, 1), (30, 30)]


def test_times_of_a_padded_row_end_with_the_video() -> None:
    *_, last = Window(4, stride=3).rows(Timeline.regular(8, 10.0))
    assert last.frames == (6, 7, 7, 7)
    assert last.time == pytest.approx((0.6, 0.7, 0.8))


def test_a_rate_takes_the_frame_on_display() -> None:
    rows = Window(fps=4.0).rows(Timeline.regular(30, 30.0))
    assert [row.frames[0] for row in rows] == [0, 7, 15, 22]
    assert [row.start for row in rows] == pytest.approx([0, 0.25, 0.5, 0.75])
    faster = Window(fps=20.0).rows(Timeline.regular(5, 10.0))
    assert [row.frames[0] for row in faster] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_millisecond_timestamps_do_not_double_or_miss_frames() -> None:
    stamps = np.rint(np.arange(300) * 1000 / 30).astype(int)
    rows = Window(fps=30.0).rows(Timeline(stamps, Fraction(1, 1000), 10_000))
    assert [row.frames[0] for row in rows] == list(range(300))


def test_a_file_that_starts_late_keeps_its_own_clock() -> None:
    rows = Window(2, fps=5.0, stride=2).rows(Timeline.regular(10, 10.0, start_seconds=8.333))
    assert rows[0].time == pytest.approx((8.333, 8.533, 8.733))
    assert rows[0].frames == (0, 2)


def test_spans_take_evenly_spaced_frames_in_order_of_their_starts() -> None:
    spans = np.array([[1.0, 2.0], [0.0, 1.0], [2.95, 9.0], [0.5, 0.5]])
    rows = Window(4, at="segments").rows(Timeline.regular(30, 10.0), spans)
    assert rows == [
        Row((1, 3, 6, 8), 0.0, 1.0),
        Row((5, 5, 5, 5), 0.5, 0.5),
        Row((11, 13, 16, 18), 1.0, 2.0),
        Row((29, 29, 29, 29), 2.95, 9.0),
    ]
    assert Window(4, at="segments").rows(Timeline.regular(30, 10.0), np.empty((0, 2))) == []
    with pytest.raises(BadRequest, match="segments"):
        Window(at="segments").rows(Timeline.regular(3, 10.0))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 60),
    st.sampled_from([None, 3.0, 7.5, 30.0]),
)
def test_no_frame_is_lost_and_streaming_knows_what_it_needs(
    frames: int, stride: int, interval: int, length: int, fps: float | None
) -> None:
    window = Window(frames, stride, interval, fps)
    line = Timeline.regular(length, 15.0)
    seconds = line.seconds
    cut, held, rows = cutter(window, 1e-9), {}, []
    for i in range(length):
        if cut.wants(float(seconds[i]), float(seconds[i + 1])) or i == length - 1:
            held[i] = True
        for row in cut.push(i, float(seconds[i]), float(seconds[i + 1])):
            assert all(frame in held for frame in row.frames)
            rows.append(row)
        held = {frame: True for frame in held if frame >= cut.oldest}
        assert len(held) <= window.span * 15 / min(fps or 15.0, 15.0) + stride * 15 / min(fps or 15.0, 15.0) + 1
    tail = cut.finish()
    assert all(frame in held for row in tail for frame in row.frames)
    rows += tail
    assert rows == window.rows(line)
    ticks = length if fps is None else sum(1 for k in range(10_000) if k / fps < length / 15.0 - 1e-9)
    assert len(rows) == window.count(ticks)
    if stride <= window.span and interval == 1 and fps is None:
        assert {frame for row in rows for frame in row.frames} == set(range(length))
    assert rows[-1].stop == pytest.approx(length / 15.0) or stride > window.span or interval > 1


def test_published_time_stamps_of_44_settings(shared_data: Path) -> None:
    pins = json.loads((shared_data / "references" / "vf_sampling_pins.json").read_text())
    line = Timeline.regular(355, 19.62)  # the clip those arrays were made from
    checked = 0
    for name, pinned in pins.items():
        if name.endswith("_fps"):
            continue
        kind = name.split("__")[0]
        fps = float(pins[name.replace("timestamps_ms", "fps")])
        rate = None if fps == 19.62 else fps
        # that extractor drops the tail and, for stacks, stamps the end of the window and wants one frame more
        stack, step = {"i3d": (64, 64)}.get(kind, (1, 1))
        if kind == "i3d" and "None_None" not in name.split("_timestamps")[0][-14:]:
            stack, step = (24, 12) if "_24_12_" in name else (24, 24)
        rows = Window(stack, stride=step, fps=rate, edge="drop").rows(line)
        ours = [1000 * (row.stop if kind == "i3d" else row.start) for row in rows]
        assert np.allclose(ours, pinned, atol=1e-4), name
        checked += 1
    assert checked == len(pins) / 2 == 22


@pytest.mark.parametrize(
    ("window", "overlaps"),
    [
        (Window(), False), (Window(16, 16), False), (Window(16, 15), True), (Window(8, 8, 8), True),
        (Window(8, 64, 8), False), (Window(8, 7, 8), True), (Window(7, 7, 8), False), (Window(8, 12, 8), True),
        (Window(1, 5, at="segments"), True),
    ],
)  # fmt: skip
def test_windows_overlap_where_two_rows_see_one_frame(window: Window, overlaps: bool) -> None:
    assert window.overlaps == overlaps
    if window.at == "grid":
        rows = window.rows(Timeline.regular(2000, 30))[:20]
        seen = [frame for row in rows for frame in row.frames]
        assert (len(set(seen)) < len(seen)) == overlaps
