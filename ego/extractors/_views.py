"""Views of a picture: crops at the centre, in corners and at edges, larger or smaller ones, and mirrored ones."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ego.errors import BadRequest
from ego.video import Box, Picture

ViewBox = tuple[float, float, float, float, float]
"""Left, top, right and bottom of a view in fractions of the frame, and 1 where it is mirrored."""
ONE = ("centre",)
"""What is seen where nothing is said: no axis of views."""
PLACES = {
    "centre": (0.5, 0.5), "left": (0.0, 0.5), "right": (1.0, 0.5), "top": (0.5, 0.0), "bottom": (0.5, 1.0),
    "top_left": (0.0, 0.0), "top_right": (1.0, 0.0), "bottom_left": (0.0, 1.0), "bottom_right": (1.0, 1.0),
}  # fmt: skip
"""Shares of what is left of a picture beside the crop: 0 lies left or at the top."""
SPELT = re.compile(r"(?P<place>[a-z_]+)(?: (?P<scale>\d*\.?\d+))?(?P<flip> flipped)?")


@dataclass(frozen=True)
class View:
    """A square of a picture: where it lies, its side in crops, and whether left and right are exchanged in it."""

    across: float
    down: float
    scale: float
    flip: bool

    def cut(self, size: int, width: int, height: int) -> tuple[int, int, int]:
        """(left, top, side) in pixels of a picture of `width` x `height` for a crop of `size`."""
        side = max(1, round(size * self.scale))
        if side > min(width, height):
            raise BadRequest(f"got a view of {side} pixels in a picture of {width}x{height}, expected one within it")
        return int((width - side) * self.across), int((height - side) * self.down), side

    def box(self, picture: Picture, size: int, width: int, height: int) -> Box:
        """The part it shows of an upright frame of `width` x `height` pixels."""
        wide, tall = picture.pixels(width, height)
        left, top, side = self.cut(size, wide, tall)
        return Box(left / wide, top / tall, (left + side) / wide, (top + side) / tall)


def views_of(spelt: Sequence[str], name: str) -> tuple[View, ...]:
    """The views that texts such as `top_left`, `centre 1.1` and `right 0.8 flipped` say; others are a BadRequest."""
    if not spelt or len(set(spelt)) < len(spelt):
        raise BadRequest(f"got views {list(spelt)} for {name}, expected at least one, and none twice")
    return tuple(_view(text, name) for text in spelt)


def check_views(spelt: Sequence[str], name: str, picture: Picture, size: int) -> None:
    """Nothing, or a BadRequest where a view is not understood or reaches beyond the picture."""
    for text, view in zip(spelt, views_of(spelt, name), strict=True):
        side = round(size * view.scale)
        if not 0 < side <= picture.size:
            raise BadRequest(
                f"got the view {text!r} of {name}, {side} pixels wide in a picture of {picture.size}; set a smaller "
                "scale, or a larger picture"
            )


def described(
    spelt: Sequence[str], name: str, picture: Picture, size: int, width: int = 1, height: int = 1
) -> tuple[ViewBox, ...]:
    """Each view of an upright frame of `width` x `height` pixels, of a square one where they are not told.

    () for one view, which `Extractor.box` tells.
    """
    if len(spelt) == 1:
        return ()
    return tuple((*view.box(picture, size, width, height), float(view.flip)) for view in views_of(spelt, name))


def _view(text: str, name: str) -> View:
    found = SPELT.fullmatch(text)
    if found is None or found["place"] not in PLACES or float(found["scale"] or 1) <= 0:
        raise BadRequest(
            f"got the view {text!r} for {name}, expected one of {', '.join(PLACES)}, perhaps with a scale and "
            "`flipped`: 'top_left 0.9 flipped'"
        )
    return View(*PLACES[found["place"]], float(found["scale"] or 1), bool(found["flip"]))
