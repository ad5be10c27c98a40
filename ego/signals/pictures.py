"""Signals kept as numbered pictures beside a video: warp flow and motion maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.video import Reading


def pictures_reading(kind: str, planes: Sequence[Sequence[Path]], seconds: NDArray[np.float64]) -> Reading:
    """Grey pictures as a reading: array `picture` (n, height, width, planes) uint8, item i at seconds[i].

    `planes` holds the files of each plane (flow has x and y), n each; pictures of several sizes and
    what cannot be read are a BadRequest.
    """
    loaded = [[_grey(path) for path in files] for files in planes]
    sizes = {picture.shape for files in loaded for picture in files}
    if len(sizes) > 1:
        raise BadRequest(f"{planes[0][0].parent} holds pictures of several sizes, expected one for {kind}")
    rows = [np.stack([files[i] for files in loaded], axis=-1) for i in range(len(seconds))]
    pictures = np.stack(rows) if rows else np.empty((0, 0, 0, len(planes)), np.uint8)
    return Reading(kind, np.repeat(seconds, 2).reshape(-1, 2), {"picture": pictures})


def _grey(path: Path) -> NDArray[np.uint8]:
    """(height, width) of a picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"), np.uint8)
    except (OSError, UnidentifiedImageError) as error:
        raise BadRequest(f"{path} cannot be read as a picture: {error}") from error
