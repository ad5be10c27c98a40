import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from asking import watch
from readable import draw_number, pictures, read_number, readable_video

from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.media.encode import encode, exact_rate


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        (23.976, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (29.97002997, Fraction(30000, 1001)),
        (30, Fraction(30)),
        (30.0, Fraction(30)),
        (12.5, Fraction(25, 2)),
        (Fraction(1001, 100), Fraction(1001, 100)),
        (1.0, Fraction(1)),
    ],
)
def test_broadcast_rates_become_exact_fractions(given: float, exact: Fraction) -> None:
    assert exact_rate(given) == exact


def test_the_written_rate_is_exact(tmp_path: Path) -> None:
    path = readable_video(tmp_path / "a.mp4", fps=29.97)
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)


def test_numbers_survive_compression_and_small_sizes() -> None:
    for size in ((160, 120), (16, 16), (33, 21)):
        assert [read_number(draw_number(number, size)) for number in range(0, 4096, 37)] == list(range(0, 4096, 37))
    assert read_number(np.full((120, 160, 3), 128, np.uint8)) is None
    turned = [read_number(np.rot90(draw_number(number))) for number in range(60)]
    assert turned != list(range(60))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")])
def test_sound_is_written_beside_the_pictures(name: str, codec: str, tmp_path: Path) -> None:
    rate = 48_000
    tone = np.sin(np.arange(rate * 4) * 2 * np.pi * 440 / rate).astype(np.float32) / 2
    path = readable_video(tmp_path / name, codec=codec, sound=(np.stack([tone, tone], 1), rate))
    with av.open(str(path)) as container:
        heard = sum(frame.samples for frame in container.decode(audio=0))
        assert container.streams.audio[0].layout.name == "stereo"
    assert heard / rate == pytest.approx(4, abs=0.1)


def test_a_rotation_is_undone_by_the_decoder(tmp_path: Path, pyav: Decoder) -> None:
    for rotation in (90, 180, 270):
        turned = (np.rot90(picture, -rotation // 90) for picture in pictures(12))
        path = encode(tmp_path / f"{rotation}.mp4", turned, 15, rotation=rotation)
        assert [read_number(one.picture) for one in watch(pyav, path)] == list(range(12))


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken():
        yield from pictures(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode(tmp_path / "a.mp4", broken(), 15)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "more"),
    [
        ([], {}),
        ([draw_number(0)], {"codec": "no-such-codec"}),
        ([draw_number(0, (161, 121))], {}),
        ([draw_number(0), draw_number(1, (80, 60))], {}),
        ([draw_number(0)], {"codec": "aac"}),
    ],
)
def test_what_cannot_be_written_is_refused(frames: list[np.ndarray], more: dict, tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        encode(tmp_path / "a.mp4", frames, 15, **more)
    assert list(tmp_path.iterdir()) == []


def test_no_encoder_leaves_the_process_more_urgent_than_it_was(tmp_path):
    """SVT-AV1 makes the process that encodes real-time where it may, which then starves every other one."""
    pictures = [np.full((64, 64, 3), 20 * i, np.uint8) for i in range(8)]
    encode(tmp_path / "film.mp4", pictures, 10, codec="libsvtav1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
