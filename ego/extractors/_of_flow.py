"""What backbones share that are shown optical flow: a held extractor gives the fields, whose centre is cropped."""

from abc import ABC
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.extractors._backbone import Backbone, check_crop
from ego.extractors._base import Extractor
from ego.spec import late
from ego.video import Picture

if TYPE_CHECKING:
    from torch import nn

BOUND_PIXELS = 20.0
"""Where flow is cut (Carreira and Zisserman 2017)."""


@dataclass(frozen=True, kw_only=True)
class OfFlow(Backbone, ABC):
    """A backbone that may see the flow of an extractor instead of the frames: one field for each frame of its window.

    The last frame of a video begins no field: it is shown the one before. Crop and maps are of the flow's picture.
    """

    sees: Extractor | None = late(None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sees is None:
            return
        own = next(one.default for one in fields(self) if one.name == "picture")
        if self.picture != own:
            raise BadRequest(f"got a picture for {self.name}, which sees {self.sees.name}; set sees.picture instead")
        if self.sees.window.fps != self.window.fps:
            raise BadRequest(
                f"got {self.window.fps} frames a second for {self.name} and {self.sees.window.fps} for "
                f"{self.sees.name}, which it sees; set window.fps and sees.window.fps to the same"
            )

    def check_picture(self) -> None:
        """Nothing, or a BadRequest where the crop may reach beyond the frames or the flow's picture."""
        picture = self.shown
        if self.sees is None or picture.fit in ("short", "squash"):
            check_crop(self.name, picture, self.size)
        elif picture.fit == "height" and picture.size < self.size:
            raise BadRequest(
                f"got a crop of {self.size} from flow {picture.size} pixels high for {self.name}; "
                "set sees.picture.size or size"
            )

    @property
    def shown(self) -> Picture:
        """The picture whose centre it sees: its own, or that of the flow."""
        return self.picture if self.sees is None else picture_of(self.sees)

    def needs(self) -> dict[str, Picture | Extractor]:
        """The frames, uncropped, or the flow."""
        return {"frames": self.picture} if self.sees is None else {"flow": self.sees}

    def prepare(self) -> "nn.Module":
        """The module that turns frames, or flow (B, T, 2, h, w) in pixels, into the network's float32 input."""
        from ego.extractors._tapped import Flow

        return self.prepare_frames() if self.sees is None else Flow(self.size, BOUND_PIXELS)

    def prepare_frames(self) -> "nn.Module":
        """The module that turns frames (B, T, H, W, 3) uint8 into the network's float32 input."""
        raise BadRequest(f'got no flow for {self.name}; name one, such as sees = {{ name = "tvl1" }}')


def picture_of(extractor: Extractor) -> Picture:
    """The picture of an extractor of flow: the first it asks for, itself or through what it holds."""
    for need in extractor.needs().values():
        if isinstance(need, Picture):
            return need
        if isinstance(need, Extractor):
            return picture_of(need)
    raise BadRequest(f"got {extractor.name}, which sees no frames, as a flow; name one such as tvl1 or warp_flow")
