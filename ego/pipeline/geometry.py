"""Any array moved into any part of the frame by its kind: one function for stored crops and for augmentation.

A `View` is a box of the full upright frame, perhaps mirrored. Points and boxes become fractions of the view, maps and
masks are cut and resized, flow is cut, resized and its vectors with it; in a mirrored view x runs the other way, the x
of flow changes its sign and what belongs to the left hand belongs to the right one.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.video import WHOLE, Array, Box

Size = tuple[int, int]

ON_PIXELS = ("map", "mask", "flow")


@dataclass(frozen=True)
class View:
    """What is shown of the full upright frame: a box, and whether left and right are exchanged in it."""

    box: Box = WHOLE
    flip: bool = False

    def __post_init__(self) -> None:
        if not (self.box.left < self.box.right and self.box.top < self.box.bottom):
            raise BadRequest(f"got a view of the box {tuple(self.box)}, expected left < right and top < bottom")

    @classmethod
    def of_pixels(cls, top: int, left: int, size: Size, frame: Size, flip: bool = False) -> "View":
        """The view of a crop of `size` (height, width) at row `top` and column `left` of a frame (height, width)."""
        height, width = frame
        edges = (left / width, top / height, (left + size[1]) / width, (top + size[0]) / height)
        return cls(Box(*edges), flip)

    def then(self, inner: "View") -> "View":
        """What `inner` shows of this view, as a view of the full frame."""
        left, top, right, bottom = inner.box
        if self.flip:
            left, right = 1 - right, 1 - left
        wide, tall = self.box.right - self.box.left, self.box.bottom - self.box.top
        x, y = self.box.left, self.box.top
        box = Box(x + left * wide, y + top * tall, x + right * wide, y + bottom * tall)
        return View(box, self.flip != inner.flip)


@dataclass(frozen=True)
class Moved:
    """An array in a view, and where it is inside.

    `inside` says of each point whether it is in the view, of each box whether any of it is, and of a map, mask or
    flow which of its cells (height, width) lie in what the array showed; None for kinds without a place.
    """

    values: Any
    inside: Any


def move(
    values: Any, array: Array, view: View, size: Size | None = None, shown: Box | None = None, sides: bool = False
) -> Moved:
    """The rows of an array, (n, *shape) or (*shape), as they are in a view; numpy or torch, as they came.

    Maps, masks and flow come out at `size` (height, width; default: theirs) by bilinear interpolation between the
    centres of cells, masks by the nearest cell; what the array does not show is 0. `shown` is the part of the frame
    they show (default: `array.box`). `sides` says that the first axis of a row is (left, right).
    """
    place = values.ndim - len(array.shape)
    if sides and (not array.shape or array.shape[0] != 2):
        raise BadRequest(f"got an array of {array.shape} with sides, expected two of them: left and right")
    inside: Any = None
    if array.kind == "points":
        values, inside = _points(values, view)
    elif array.kind == "boxes":
        values, inside = _boxes(values, view)
    elif array.kind in ON_PIXELS:
        values, inside = _on_pixels(values, array.kind, view, size, Box(*(shown or array.box)))
    if sides and view.flip:
        values = _reversed(values, place)
        inside = _reversed(inside, place) if array.kind in ("points", "boxes") else inside
    return Moved(values, inside)


def _points(values: Any, view: View) -> tuple[Any, Any]:
    x, y = _across(values[..., 0], view), _down(values[..., 1], view)
    return _stacked(x, y), (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)


def _boxes(values: Any, view: View) -> tuple[Any, Any]:
    left, right = _across(values[..., 0], view), _across(values[..., 2], view)
    if view.flip:
        left, right = right, left
    top, bottom = _down(values[..., 1], view), _down(values[..., 3], view)
    return _stacked(left, top, right, bottom), (left < 1) & (right > 0) & (top < 1) & (bottom > 0)


def _across(x: Any, view: View) -> Any:
    moved = (x - view.box.left) / (view.box.right - view.box.left)
    return 1 - moved if view.flip else moved


def _down(y: Any, view: View) -> Any:
    return (y - view.box.top) / (view.box.bottom - view.box.top)


def _on_pixels(values: Any, kind: str, view: View, size: Size | None, shown: Box) -> tuple[Any, Any]:
    height, width = values.shape[-2:]
    tall, wide = size or (height, width)
    across = Line(wide, (view.box.left, view.box.right), width, (shown.left, shown.right), view.flip)
    down = Line(tall, (view.box.top, view.box.bottom), height, (shown.top, shown.bottom), False)
    inside = _like(down.inside[:, None] & across.inside[None, :], values)
    if kind == "mask":
        picked = values[..., _like(down.nearest, values), :][..., _like(across.nearest, values)]
        return picked & inside if _is_bool(picked) else picked * inside, inside
    moved = _like(down.weights, values) @ _real(values) @ _like(across.weights.T, values)
    if kind == "flow":
        scale = np.array([across.scale, down.scale], np.float32).reshape(2, 1, 1)
        moved = moved * _like(scale, values)
    return moved, inside


class Line:
    """One axis of a picture seen anew: `count` cells over `seen` instead of `held` cells over `shown` of the frame."""

    def __init__(
        self, count: int, seen: tuple[float, float], held: int, shown: tuple[float, float], flip: bool
    ) -> None:
        centres = seen[0] + (np.arange(count) + 0.5) / count * (seen[1] - seen[0])
        centres = centres[::-1] if flip else centres
        places = (centres - shown[0]) / (shown[1] - shown[0]) * held - 0.5  # in cells held, 0 at the first's centre
        self.inside: NDArray[np.bool_] = (places > -0.5 - 1e-9) & (places < held - 0.5 + 1e-9)
        self.nearest: NDArray[np.int64] = np.clip(np.floor(places + 0.5 + 1e-9), 0, held - 1).astype(np.int64)
        self.scale = (count / (seen[1] - seen[0])) / (held / (shown[1] - shown[0])) * (-1 if flip else 1)
        """New pixels an old one is long; negative where the axis runs the other way."""
        self.weights = self._weights(np.clip(places, 0, held - 1), held)

    def _weights(self, places: NDArray[np.float64], held: int) -> NDArray[np.float32]:
        """(count, held) what each held cell adds to each new one."""
        places = np.where(np.abs(places - np.rint(places)) < 1e-9, np.rint(places), places)
        low = np.minimum(np.floor(places).astype(np.int64), max(held - 2, 0))
        rest = places - low
        weights = np.zeros((len(places), held))
        rows = np.arange(len(places))
        np.add.at(weights, (rows, low), 1 - rest)
        np.add.at(weights, (rows, np.minimum(low + 1, held - 1)), rest)
        return np.asarray(weights * self.inside[:, None], np.float32)


def _torch(values: Any) -> Any:
    """The torch module where these are its tensors, else None; it is not loaded for numpy's sake."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(values, torch.Tensor) else None


def _like(plain: NDArray[Any], values: Any) -> Any:
    """A numpy array as what `values` are, where they are."""
    torch = _torch(values)
    return plain if torch is None else torch.as_tensor(np.ascontiguousarray(plain), device=values.device)


def _real(values: Any) -> Any:
    torch = _torch(values)
    return values.astype(np.float32) if torch is None else values.float()


def _is_bool(values: Any) -> bool:
    return str(values.dtype) in ("bool", "torch.bool")


def _stacked(*parts: Any) -> Any:
    torch = _torch(parts[0])
    return np.stack(parts, axis=-1) if torch is None else torch.stack(parts, dim=-1)


def _reversed(values: Any, axis: int) -> Any:
    torch = _torch(values)
    return np.flip(values, axis) if torch is None else torch.flip(values, (axis,))
