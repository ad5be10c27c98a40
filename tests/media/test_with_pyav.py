import os
from pathlib import Path

import numpy as np
import pytest
from asking import NATIVE, Seen, video, watch
from readable import draw_number, pictures, read_number, readable_video

from ego.errors import BadVideo
from ego.media.decode import Decoder, Look
from ego.media.encode import encode
from ego.sampling import Window
from ego.video import Picture

MUTATED = {  # 300 in all
    "h264.mp4": (90, {"gop": 12}),
    "h264.mkv": (90, {"gop": 12}),
    "mpeg4.avi": (60, {"codec": "mpeg4"}),
    "vp9.webm": (30, {"codec": "libvpx-vp9"}),
    "h264.ts": (30, {"gop": 12}),
}

PAYLOAD_IS_CHECKED = ("h264.mp4", "h264.mkv", "mpeg4.avi")
"""Where a frame that reads as another's number would be a mistake of ours.

VP9 and HEVC decode any bits to some picture without a word, and a transport stream that loses a stated
time leaves it to be guessed: there only crashes, hangs and disorder can be asked for.
"""


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    place, other, length = (int(rng.integers(1, high)) for high in (len(data), len(data), 400))
    kind = rng.choice(["flip", "cut", "splice", "drop"], p=[0.55, 0.1, 0.2, 0.15])
    if kind == "flip":
        for _ in range(int(rng.integers(1, 9))):
            changed[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del changed[place:]
    elif kind == "splice":
        changed[place : place + length] = data[other : other + length]
    else:
        del changed[place : place + length]
    return bytes(changed)


@pytest.mark.parametrize("name", MUTATED)
def test_no_frame_of_a_damaged_file_comes_at_another_frames_time(name: str, tmp_path: Path) -> None:
    many, how = MUTATED[name]
    data = readable_video(tmp_path / name, **how).read_bytes()
    rng = np.random.default_rng(sum(name.encode()))
    path = tmp_path / f"damaged-{name}"
    accepted = unreadable = 0
    with Decoder("auto", stall_seconds=10) as decoder:
        truth = {one.pts: read_number(one.picture) for one in watch(decoder, tmp_path / name)}
        decoder.probe(str(tmp_path / name))
        pid = decoder._child.pid
        for _ in range(many):
            path.write_bytes(mutate(data, rng))
            seen, refusal = attempt(decoder, path)
            assert "\n" not in refusal
            assert "signal" not in refusal, "the decoding program crashed"
            if refusal:
                continue
            accepted += 1
            numbers = [read_number(one.picture) for one in seen]
            assert [one.pts for one in seen] == sorted({one.pts for one in seen})
            unreadable += numbers.count(None)
            if name in PAYLOAD_IS_CHECKED:
                # a flipped bit in the container's own time table says another time, and nobody can know better
                known = [
                    (one.pts, n) for one, n in zip(seen, numbers, strict=True) if n is not None and one.pts in truth
                ]
                wrong = [(pts, n) for pts, n in known if n != truth[pts]]
                assert not wrong
        assert decoder._child.pid == pid
    if name in PAYLOAD_IS_CHECKED:
        assert unreadable <= 0.01 * 60 * max(accepted, 1)


def attempt(decoder: Decoder, path: Path) -> tuple[list[Seen], str]:
    """The frames, and the reason if the video is refused."""
    try:
        return watch(decoder, path), ""
    except BadVideo as refusal:
        return [], str(refusal)


def damaged(path: Path, frames: int, at: float) -> Path:
    """A video of noise-free numbers with one packet's payload spoilt at this share of the file."""
    data = bytearray(readable_video(path, frames=frames, gop=3, b_frames=0, size=(320, 240)).read_bytes())
    place = int(len(data) * at)
    data[place : place + 40] = bytes(40)
    path.write_bytes(data)
    return path


def test_a_little_damage_is_counted_and_much_is_refused(tmp_path: Path, pyav: Decoder) -> None:
    long = damaged(tmp_path / "long.mkv", 900, 0.6)
    numbers = [read_number(one.picture) for one in watch(pyav, long)]
    assert 0 < pyav.decoded.frames_corrupt <= 9
    readable = [number for number in numbers if number is not None]
    assert readable == sorted(set(readable))
    with pytest.raises(BadVideo, match="corrupt or missing, at most 1% are accepted"):
        watch(pyav, damaged(tmp_path / "short.mkv", 60, 0.6))


def test_a_file_without_timestamps_is_refused(tmp_path: Path, pyav: Decoder) -> None:
    raw = readable_video(tmp_path / "raw.h264", fps=25)
    with pytest.raises(BadVideo, match="no picture with a timestamp"):
        watch(pyav, raw)


def test_a_truncated_file_is_refused(tmp_path: Path, shared_data: Path, pyav: Decoder) -> None:
    sources = {
        "t.mkv": shared_data / "nasty" / "decord" / "flipping_a_pancake.mkv",
        "t.avi": shared_data / "nasty" / "mmaction2" / "tests_data_test.avi",
        "t.mp4": shared_data / "nasty" / "mmaction2" / "tests_data_test.mp4",
        "fast.mp4": readable_video(tmp_path / "whole.mp4", frames=200, options={"movflags": "faststart"}),
    }
    for name, source in sources.items():
        data = source.read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) * 7 // 10])
        with pytest.raises(BadVideo):
            watch(pyav, tmp_path / name)


def test_a_change_of_picture_size_is_refused(tmp_path: Path, pyav: Decoder) -> None:
    small = readable_video(tmp_path / "a.ts").read_bytes()
    large = readable_video(tmp_path / "b.ts", size=(320, 240), pts=list(range(4000, 8000, 66))[:60]).read_bytes()
    path = tmp_path / "both.ts"
    path.write_bytes(small + large)
    with pytest.raises(BadVideo, match=r"changes its picture size|corrupt"):
        watch(pyav, path)


def test_threads_change_nothing_but_speed(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", pictures(80, (320, 240)), 30, gop=40, b_frames=3)
    seen = []
    for threads in (1, 3):
        with Decoder("pyav", threads=threads) as decoder:
            seen.append(watch(decoder, path))
    for one, other in zip(*seen, strict=True):
        assert one.pts == other.pts
        assert (one.picture == other.picture).all()


def test_the_last_frame_lasts_as_long_as_the_container_says(tmp_path: Path, pyav: Decoder) -> None:
    path = encode(tmp_path / "a.mkv", pictures(3), 10, pts=[0, 100, 250])
    frames = [(one.start, one.stop) for one in pyav.frames(video(path), [Look(NATIVE, Window())])]
    assert frames[:2] == [(0.0, 0.1), (0.1, 0.25)]
    assert frames[2][0] == 0.25
    assert 0.3 <= frames[2][1] <= 0.4


def test_one_picture_is_a_video(tmp_path: Path, either: Decoder) -> None:
    path = encode(tmp_path / "one.mp4", [draw_number(7)], 15)
    (frame,) = watch(either, path)
    assert read_number(frame.picture) == 7
    assert (frame.start, frame.stop) == (0.0, pytest.approx(1 / 15, abs=0.001))


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 3)])
def test_tiny_pictures_of_any_shape(size: tuple[int, int], tmp_path: Path, pyav: Decoder) -> None:
    drawn = [np.full((size[1], size[0], 3), 20 * number, np.uint8) for number in range(10)]
    path = encode(tmp_path / "a.mkv", drawn, 15, codec="ffv1", pixel_format="bgr0")
    for picture in (NATIVE, Picture("short", 4), Picture("squash", 16)):
        seen = watch(pyav, path, picture)
        assert [one.picture.shape for one in seen] == [(*reversed(picture.pixels(*size)), 3)] * 10
        assert [int(one.picture.mean()) for one in seen] == pytest.approx([20 * n for n in range(10)], abs=2)


def test_a_name_that_is_no_text_is_no_obstacle(tmp_path: Path, pyav: Decoder) -> None:
    path = readable_video(tmp_path / "a.mp4").rename(tmp_path / os.fsdecode(b"caf\xe9 \xff.mp4"))
    assert len(watch(pyav, path)) == 60
    path.write_bytes(b"")
    with pytest.raises(BadVideo) as caught:
        watch(pyav, path)
    str(caught.value).encode()  # can be printed
