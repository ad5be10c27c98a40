"""What anyone's own PyTorch networks share: how they are shown pictures, and which answer is kept."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ego.errors import BadRequest
from ego.extractors._backbone import Precision, check_crop, crop_box, kind_of
from ego.extractors._base import Files, Network, Shared
from ego.sampling import Window
from ego.spec import Weights
from ego.video import WHOLE, Array, Box, Picture

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TensorModel(Network):
    """A row is one answer of a network that takes one tensor of pictures.

    It is shown ((bytes * `factor`) - `mean`) / `std` of the centre crop of `size`, its axes in the order of
    `layout`: batch, time, channel, height, width (`auto`: bchw for windows of one frame, else bcthw). `output`
    names an entry of the dictionary that it gives, or the place in a tuple; "" is the first.
    """

    window: Window = Window()
    picture: Picture = Picture("short", 256)
    size: int = 224
    factor: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    colours: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["auto", "bchw", "bhwc", "btchw", "bcthw", "bthwc"] = "auto"
    output: str = ""
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_crop(self.name, self.picture, self.size)
        if min(self.std) <= 0:
            raise BadRequest(f"got std {list(self.std)} for {self.name}, expected each above 0")
        if "t" not in self._layout and self.window.frames != 1:
            raise BadRequest(
                f"got a window of {self.window.frames} frames for {self.name} with layout {self.layout}, which shows "
                "one; name one with a t"
            )

    @abstractmethod
    def network(self, files: Files) -> "nn.Module":
        """The network in eval mode: a tensor of pictures in, a tensor, a tuple or a dictionary of them out."""

    def needs(self) -> dict[str, Picture]:
        """The frames, uncropped."""
        return {"frames": self.picture}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature`: float16, or the network's own integers; its shape is found by running one grey window."""
        shape, dtype = _measured(self, tuple((one, files[one]) for one in self._held_weights()))
        kind = kind_of(shape)
        stored = "float16" if "float" in dtype else dtype
        return {"feature": Array(shape, stored, kind, box=self.box(1, 1) if kind == "map" else WHOLE)}  # type: ignore[arg-type]

    def box(self, width: int, height: int) -> Box:
        """The centre crop's part of the upright frame."""
        return crop_box(self.picture, self.size, self.size, width, height)

    def shared(self) -> Shared:
        """Whole rows."""
        return self.on_any_grid()

    def build(self, files: Files) -> "nn.Module":
        """(B, T, H, W, 3) uint8 -> (B, *shape); the network lies under `model.`."""
        from ego.extractors._scaled import Answered, Scaled

        scaled = Scaled(self.size, self.factor, self.mean, self.std, self._layout, self.colours == "bgr")
        return Answered(self.network(files), scaled, self.output, self.precision).eval()

    @property
    def _layout(self) -> str:
        if self.layout != "auto":
            return self.layout
        return "bchw" if self.window.frames == 1 else "bcthw"

    def _held_weights(self) -> tuple[Weights, ...]:
        found = getattr(self, "weights", None)
        return (found,) if isinstance(found, Weights) and found.seed is None else ()


@lru_cache(maxsize=16)
def _measured(spec: TensorModel, files: tuple[tuple[Weights, Path], ...]) -> tuple[tuple[int, ...], str]:
    import torch

    grey = torch.full((1, spec.window.frames, spec.size, spec.size, 3), 128, dtype=torch.uint8)
    with torch.inference_mode():
        try:
            row = spec.build(dict(files))(grey)["feature"]
        except (RuntimeError, ValueError, AssertionError, TypeError) as error:
            if isinstance(error, BadRequest):
                raise
            last = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise BadRequest(
                f"the network of {spec.name} does not run on one window of {spec.window.frames} frames of {spec.size} "
                f"pixels laid out as {spec._layout} ({last[:160]}); set window.frames, size and layout as it was made"
            ) from error
    return tuple(row.shape[1:]), str(row.dtype).removeprefix("torch.")
