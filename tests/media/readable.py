"""Videos that can be read: every picture carries its own number in large black and white blocks."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.media.encode import encode

BITS = 12
COLUMNS, ROWS = 4, 4  # 12 bits of the number, 4 of its check sum


def draw_number(number: int, size: tuple[int, int] = (160, 120)) -> NDArray[np.uint8]:
    """A picture (height, width, 3) of `size` = (width, height) that says `number`, 0 to 4095."""
    width, height = size
    bits = _bits(number)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey = np.where(bits.reshape(ROWS, COLUMNS)[rows][:, columns], 220, 35).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def read_number(picture: NDArray[np.uint8]) -> int | None:
    """The number a picture says; None where its blocks are not clearly black or white or do not add up."""
    height, width = picture.shape[:2]
    means = np.empty((ROWS, COLUMNS))
    for row in range(ROWS):
        for column in range(COLUMNS):
            top, bottom = (row + 0.25) * height / ROWS, (row + 0.75) * height / ROWS
            left, right = (column + 0.25) * width / COLUMNS, (column + 0.75) * width / COLUMNS
            block = picture[int(top) : max(int(bottom), int(top) + 1), int(left) : max(int(right), int(left) + 1)]
            means[row, column] = block.mean()
    if ((means > 100) & (means < 155)).any():
        return None
    bits = means.ravel() > 128
    number = int((bits[:BITS] * (1 << np.arange(BITS))).sum())
    return number if (_bits(number) == bits).all() else None


def pictures(frames: int, size: tuple[int, int] = (160, 120)) -> Iterator[NDArray[np.uint8]]:
    """The pictures 0 to `frames` - 1."""
    return (draw_number(number, size) for number in range(frames))


def readable_video(
    path: Path,
    frames: int = 60,
    fps: Fraction | float = 15,
    size: tuple[int, int] = (160, 120),
    codec: str = "libx264",
    gop: int = 12,
    **more: Any,
) -> Path:
    """Writes a video whose frame i says i; `more` goes to `ego.media.encode.encode`."""
    return encode(path, pictures(frames, size), fps, codec=codec, gop=gop, **more)


def _bits(number: int) -> NDArray[np.bool_]:
    check = (number * 7 + number // 16 * 5 + number // 256 * 3 + 9) % 16
    value = number | check << BITS
    return np.array([(value >> bit) & 1 for bit in range(BITS + 4)], bool)
