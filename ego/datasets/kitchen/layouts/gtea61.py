"""GTEA-61: raw videos with label files, and clip folders of frames, warped flow and motion maps as images.

    videos/S1_Tea_C1.mp4, labels/S1_Tea_C1.txt             frames counted from 1
    frames/S1/take_cup/1/image_00001.jpg                   flow_x/.../flow_x_00001.jpg, flow_y/...
    processed_frames2/S1/take_cup/1/rgb/rgb0001.png        .../mmaps/map0001.png
    flow_x_processed/S1/take_cup/1/flow_x_00001.png        flow_y_processed/...

Flow is the true flow less the camera's, -20 to 20 pixels as 0 to 255; motion maps are the true mask of what moves.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from ego.datasets.kitchen import flow
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.layouts._base import Action, Layout, Record, actions, record, written
from ego.datasets.kitchen.paths import through
from ego.datasets.kitchen.shoot import Shoot, film_file
from ego.datasets.kitchen.sprites import Matrix, Pixels
from ego.errors import BadRequest


class GTEA61(Layout):
    """Four subjects; the looks of S2 appear nowhere else."""

    fps: ClassVar[float] = 15.0
    social: ClassVar[float] = 0.0

    def split(self, index: int) -> str:
        """S2 tests."""
        return "test" if index % 4 == 1 else "train"

    def subject(self, index: int) -> str:
        """S1 to S4 in turn."""
        return f"S{index % 4 + 1}"

    def name(self, film: Film) -> str:
        """`S1_Tea_C1`."""
        return f"{film.cast.subject.name}_{film.recipe.capitalize()}_C{film.order.index // 4 + 1}"

    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """The video, its labels and its clip folders."""
        one = record(shoot.film, name)
        film_file(root / "videos" / f"{name}.mp4", shoot.film, _folders(shoot, one, root))
        written(root / "labels" / f"{name}.txt", "".join(_line(one, action) for action in actions(one)))

    def finish(self, records: Sequence[Record], root: Path) -> None:
        """The list of classes in the order of their numbers."""
        names = sorted({clip_class(action) for one in records for action in actions(one)})
        written(root / "classes.txt", "".join(f"{name}\n" for name in names))


def clip_class(action: Action) -> str:
    """`take_cup`."""
    return f"{action.verb}_{action.noun}"


def _line(one: Record, action: Action) -> str:
    first, last = _frames(one, action)
    return f"<{action.verb}><{action.noun}> ({first}-{last}) [1]\n"


def _frames(one: Record, action: Action) -> tuple[int, int]:
    """First and last frame of an action, both in it, counted from 1."""
    return int(action.start * one["fps"]) + 1, min(int(action.stop * one["fps"]) + 1, one["frames"])


def _folders(shoot: Shoot, one: Record, root: Path) -> Iterator[Pixels]:
    """The video's frames, those of an action written into its folders as they pass."""
    spans = [(*_frames(one, action), clip_class(action)) for action in actions(one)]
    for index, picture in enumerate(shoot.frames()):
        for number, (first, last, name) in enumerate(spans):
            if first <= index + 1 <= last:
                place = f"{one['subject']}/{name}/{one['index'] * 100 + number + 1}"
                _images(root, place, index + 2 - first, picture, _warped(shoot, index), shoot.parts)
        yield picture


def _warped(shoot: Shoot, index: int) -> Matrix:
    """(h, w, 2) what moves beyond the camera's own motion from this frame to the next; none in the last."""
    height, width = shoot.parts.shape
    if index + 1 == len(shoot.film.times):
        return np.zeros((height, width, 2))
    dense = flow.between(shoot.film, shoot.poses, index, shoot.parts).astype(float)
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    grid = np.stack([x, y], -1)
    move = shoot.film.cameras[index + 1] @ np.linalg.inv(shoot.film.cameras[index])
    return np.asarray(dense - (through(move, grid) - grid))


def _images(root: Path, place: str, number: int, picture: Pixels, moved: Matrix, parts: Pixels) -> None:
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    grey = np.clip(np.rint(127.5 + moved * 127.5 / 20), 0, 255).astype(np.uint8)
    _write(root / "frames" / place / f"image_{number:05d}.jpg", colours)
    _write(root / "processed_frames2" / place / "rgb" / f"rgb{number:04d}.png", colours)
    _write(root / "processed_frames2" / place / "mmaps" / f"map{number:04d}.png", (parts > 0).astype(np.uint8) * 255)
    for axis, letter in enumerate("xy"):
        _write(root / f"flow_{letter}" / place / f"flow_{letter}_{number:05d}.jpg", grey[..., axis])
        _write(root / f"flow_{letter}_processed" / place / f"flow_{letter}_{number:05d}.png", grey[..., axis])


def _write(path: Path, picture: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), picture):
        raise BadRequest(f"{path} cannot be written; see whether the disk is full")
