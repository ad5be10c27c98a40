"""Folders of pictures decode as videos: the right frame at the right time, gaps and damage counted."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ego.errors import BadVideo
from ego.media.decode import Decoder, Look
from ego.media.with_folder import CONTAINER, read_folder_header
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Picture, Video

NATIVE = Picture("native", 0)


def draw(folder: Path, numbers: range | list[int], size: tuple[int, int] = (64, 48), suffix: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        Image.fromarray(np.full((size[1], size[0], 3), number, np.uint8)).save(folder / f"f_{number:05d}.{suffix}")
    return folder


def video(folder: Path, decoder: Decoder, rate: float = 15.0) -> Video:
    (found,) = scan([folder], decoder, rates={str(folder): rate})
    assert isinstance(found, Video), found
    return found


@pytest.fixture(scope="module")
def decoder():
    with Decoder() as one:
        yield one


def frames(one: Video, decoder: Decoder) -> list[tuple[int, float, float, int]]:
    """(index, start, stop, the grey value) of each frame."""
    look = Look(NATIVE, Window(frames=1))
    return [(f.index, f.start, f.stop, int(f.pictures[NATIVE][0, 0, 0])) for f in decoder.frames(one, [look])]


def test_each_picture_stands_at_its_number_over_the_rate(tmp_path, decoder):
    one = video(draw(tmp_path / "S1/open/1", range(1, 31)), decoder, 30000 / 1001)
    assert one.name == "S1/open/1"
    assert one.header.container == CONTAINER
    assert one.header.time_base == Fraction(1001, 30000)
    assert one.header.seconds_from_header == pytest.approx(30 * 1001 / 30000)
    shown = frames(one, decoder)
    assert [value for *_, value in shown] == list(range(1, 31))
    assert shown[29][1:3] == pytest.approx((29 * 1001 / 30000, 30 * 1001 / 30000))
    assert decoder.decoded.frames_corrupt == 0


def test_a_part_is_what_is_on_display_in_its_seconds(tmp_path, decoder):
    one = video(draw(tmp_path / "a", range(0, 40)), decoder, 10)
    assert [value for *_, value in frames(one.cut(1.05, 1.35), decoder)] == [10, 11, 12, 13]


def test_before_a_gap_the_picture_stays_and_the_gap_counts_as_lost(tmp_path, decoder):
    numbers = [n for n in range(200) if n != 57]
    shown = frames(video(draw(tmp_path / "a", numbers), decoder, 10), decoder)
    assert len(shown) == 199
    assert shown[56][1:3] == pytest.approx((5.6, 5.8))
    assert shown[57][1] == pytest.approx(5.8)
    assert decoder.decoded.frames_corrupt == 1


def test_many_gaps_are_refused(tmp_path, decoder):
    one = video(draw(tmp_path / "a", [n for n in range(100) if n % 10 != 5]), decoder)
    with pytest.raises(BadVideo, match="'a' is damaged: 10 of 100 frames are corrupt or missing"):
        frames(one, decoder)


def test_damaged_pictures_are_refused(tmp_path, decoder):
    folder = draw(tmp_path / "a", range(20), suffix="jpg")
    one = video(folder, decoder)
    (folder / "f_00007.jpg").write_bytes(b"")
    with pytest.raises(BadVideo, match="'a' is damaged: 1 of 20 frames are corrupt or missing"):
        frames(one, decoder)


def test_another_size_is_refused(tmp_path, decoder):
    folder = draw(tmp_path / "a", range(10))
    one = video(folder, decoder)
    draw(folder, [7], size=(32, 32))
    with pytest.raises(BadVideo, match=r"'a' changes its picture size at f_00007.png from 64x48 to 32x32"):
        frames(one, decoder)


def test_the_first_picture_must_be_one(tmp_path):
    folder = draw(tmp_path / "a", range(3))
    (folder / "f_00000.png").write_bytes(b"no picture")
    with pytest.raises(BadVideo, match=r"'f_00000.png' cannot be read as a picture"):
        read_folder_header(str(folder), 15)
    with pytest.raises(BadVideo, match="got 0 pictures a second, expected a rate above 0"):
        read_folder_header(str(folder), 0.0)


def test_decord_opens_no_folder(tmp_path):
    with Decoder("decord") as other, pytest.raises(BadVideo, match="decord opens no folder of pictures"):
        frames(video(draw(tmp_path / "a", range(3)), other), other)
