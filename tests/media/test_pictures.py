import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from ego.media.pictures import Painter, pixels
from ego.video import Picture


def paint(frame: VideoFrame, pictures: list[Picture], rotation: int = 0) -> list[np.ndarray]:
    painter = Painter(pictures, frame.width, frame.height, rotation)
    slot = [np.zeros((height, width, 3), np.uint8) for width, height in painter.layout.sizes]
    painter.paint(frame, range(len(pictures)), slot)
    return slot


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(64, 48), (161, 121), (1, 1), (3, 500), (720, 405)])
def test_native_pixels_are_the_frame(size: tuple[int, int]) -> None:
    picture = noise(*size)
    (native,) = paint(VideoFrame.from_ndarray(picture), [Picture("native", 0)])
    assert (native == picture).all()


@pytest.mark.parametrize("size", [(64, 48), (161, 121), (2, 2), (300, 31), (720, 405)])
def test_scaling_by_way_of_planes_equals_libswscale_bilinear_on_rgb(size: tuple[int, int]) -> None:
    frame = VideoFrame.from_ndarray(noise(*size))
    (small,) = paint(frame, [Picture("squash", 24)])
    straight = frame.reformat(24, 24, interpolation="BILINEAR", threads=1)
    assert (small == pixels(straight)).all()


def test_scaling_follows_the_mathematical_antialiased_bilinear_filter() -> None:
    torch = pytest.importorskip("torch")
    rows, columns = np.mgrid[:405, :720]
    waves = np.cos(columns[..., None] / np.array([17, 23, 41]))
    smooth = (127 + 60 * np.sin(rows / 31)[..., None] + 60 * waves).astype(np.uint8)
    (small,) = paint(VideoFrame.from_ndarray(smooth), [Picture("short", 256)])
    ideal = torch.nn.functional.interpolate(
        torch.from_numpy(smooth).permute(2, 0, 1)[None].float(), size=(256, 455), mode="bilinear", antialias=True
    )[0].permute(1, 2, 0)
    assert np.abs(small - ideal.numpy()).mean() < 0.75


def test_a_picture_does_not_depend_on_who_else_rides() -> None:
    frame = VideoFrame.from_ndarray(noise(200, 112)).reformat(format="yuv420p")
    wanted = [Picture("short", 64), Picture("native", 0), Picture("squash", 50), Picture("height", 30)]
    together = paint(frame, wanted)
    for picture, shared in zip(wanted, together, strict=True):
        assert (paint(frame, [picture])[0] == shared).all()


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (270, (0, -1))])
def test_rotation_is_counter_clockwise(rotation: int, corner: tuple[int, int]) -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:10, :10] = 255  # a mark in the top left corner
    native, small = paint(VideoFrame.from_ndarray(picture), [Picture("native", 0), Picture("short", 20)], rotation)
    assert native.shape == ((60, 40, 3) if rotation in (90, 270) else (40, 60, 3))
    assert small.shape == ((30, 20, 3) if rotation in (90, 270) else (20, 30, 3))
    for upright in (native, small):
        assert upright[corner].min() > 240
        assert upright.mean() < 30


def test_full_range_and_matrix_are_respected() -> None:
    grey = av.VideoFrame(32, 32, "yuvj420p")
    for plane, value in zip(grey.planes, (235, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    (full,) = paint(grey, [Picture("native", 0)])
    limited = av.VideoFrame(32, 32, "yuv420p")
    for plane, value in zip(limited.planes, (235, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    (short,) = paint(limited, [Picture("native", 0)])
    assert abs(int(full.mean()) - 235) <= 1
    assert short.mean() > 253


def test_a_gpus_planes_give_the_same_picture() -> None:
    planar = VideoFrame.from_ndarray(noise(160, 120)).reformat(format="yuv420p")
    wanted = [Picture("native", 0), Picture("short", 50)]
    for one, other in zip(paint(planar, wanted), paint(planar.reformat(format="nv12"), wanted), strict=True):
        assert (one == other).all()
