"""Identity and arithmetic of videos: sizes, casts, parts, readings, timelines."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ego.errors import BadRequest, BadVideo
from ego.video import Array, Clip, Picture, Reading, Timeline, Video


@pytest.mark.parametrize(
    ("picture", "frame", "pixels"),
    [
        (Picture("short", 256), (720, 405), (455, 256)),
        (Picture("short", 256), (405, 720), (256, 455)),
        (Picture("height", 240), (640, 480), (320, 240)),
        (Picture("squash", 224), (720, 405), (224, 224)),
        (Picture("native", 0), (720, 405), (720, 405)),
        (Picture("short", 256), (1, 1), (256, 256)),
        (Picture("height", 2), (1, 4000), (1, 2)),
    ],
)
def test_a_picture_knows_its_pixel_size(picture: Picture, frame: tuple[int, int], pixels: tuple[int, int]) -> None:
    assert picture.pixels(*frame) == pixels


def test_a_native_picture_has_no_size() -> None:
    with pytest.raises(BadRequest, match="native"):
        Picture("native", 5)
    with pytest.raises(BadRequest, match="short"):
        Picture("short", 0)


def test_a_cast_divides_by_the_scale_and_refuses_what_does_not_fit() -> None:
    flow = Array((2,), "int8", "flow", scale=20 / 127)
    stored = flow.cast(np.array([[-20.0, 10.0]], np.float32))
    assert stored.dtype == np.int8
    assert stored.tolist() == [[-127, 64]]
    for bad in (25.0, np.nan, np.inf):
        with pytest.raises(BadVideo, match="int8"):
            flow.cast(np.array([bad]))
    assert Array().cast(np.array([1e30], np.float32))[0] == np.inf


def test_a_part_is_a_video_of_its_own() -> None:
    video = Video("0" * 64, "kitchen", "/somewhere/kitchen.mp4")
    part = video.cut(3.0, 5.0)
    assert part.digest != video.digest
    assert part.digest == video.cut(3, 5).digest
    assert (part.name, part.part) == ("kitchen@3-5", (3.0, 5.0))
    assert part.digest != video.cut(3.0, 6.0).digest
    with pytest.raises(BadRequest):
        video.cut(5.0, 3.0)


def test_where_a_video_lies_is_not_its_identity() -> None:
    assert Video("0" * 64, "a", "/one") == Video("0" * 64, "b", "/two")


def test_a_clip_lies_in_time() -> None:
    with pytest.raises(BadRequest, match="start"):
        Clip(Video("0" * 64, "a", "a"), ((2.0, 1.0),))


def test_a_reading_is_known_by_its_arrays() -> None:
    seconds = np.array([[0.0, 0.0], [0.1, 0.1]])
    one = Reading("gaze", seconds, {"point": np.array([[1.0, 2.0], [3.0, 4.0]])})
    assert one.digest == Reading("gaze", seconds.copy(), {"point": one.arrays["point"].copy()}).digest
    assert one.digest != Reading("gaze", seconds + 0.1, one.arrays).digest
    assert one.digest != Reading("hands", seconds, one.arrays).digest
    assert one.digest != Reading("gaze", seconds, {"point": one.arrays["point"].astype(np.float32)}).digest
    with pytest.raises(BadRequest, match="rows"):
        Reading("gaze", seconds, {"point": np.zeros((3, 2))})
    with pytest.raises(BadRequest, match="finite"):
        Reading("gaze", np.array([[0.0, np.nan]]))


def test_the_frame_on_display_is_the_last_that_began() -> None:
    line = Timeline(np.array([0, 33, 67, 100]), Fraction(1, 1000), 133)
    assert line.frame_at(np.array([-1.0, 0.0, 0.0334, 2 / 30, 0.0999, 5.0])).tolist() == [0, 0, 1, 2, 3, 3]
    assert line.seconds.tolist() == pytest.approx([0, 0.033, 0.067, 0.1, 0.133])
    with pytest.raises(BadRequest, match="increase"):
        Timeline(np.array([0, 5, 5]), Fraction(1, 10), 9)
    with pytest.raises(BadRequest, match="increase"):
        Timeline(np.array([0, 5]), Fraction(1, 10), 5)


@given(st.integers(1, 500), st.floats(1, 240), st.floats(0, 100))
def test_a_regular_timeline_shows_frame_k_at_k_over_fps(frames: int, fps: float, start: float) -> None:
    line = Timeline.regular(frames, fps, start)
    assert len(line) == frames
    middles = start + (np.arange(frames) + 0.5) / fps
    assert line.frame_at(middles).tolist() == list(range(frames))
