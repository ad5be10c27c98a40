"""`farneback`: flow by polynomial expansion (Farneback 2003) as OpenCV has it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._flow import Flow

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Farneback(Flow):
    """Farneback flow: `levels` of a pyramid, each `scale` times the finer one, `iterations` on each.

    Neighbourhoods of `poly_n` pixels are expanded under a Gaussian of `poly_sigma`; displacements are averaged over
    `window_size` pixels, under a Gaussian where `gaussian`, else a box.
    """

    scale: float = 0.5
    levels: int = 5
    window_size: int = 15
    iterations: int = 3
    poly_n: int = 5
    poly_sigma: float = 1.2
    gaussian: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.scale < 1 or self.poly_sigma <= 0:
            raise BadRequest(
                f"got scale = {self.scale:g} and poly_sigma = {self.poly_sigma:g} for {self.name}, expected a scale "
                "between 0 and 1 and a poly_sigma above 0"
            )
        if min(self.levels, self.iterations) < 1 or self.window_size < 2 or not 3 <= self.poly_n <= 31:
            raise BadRequest(
                f"got levels = {self.levels}, iterations = {self.iterations}, window_size = {self.window_size} and "
                f"poly_n = {self.poly_n} for {self.name}, expected at least 1, 1, 2 and 3 to 31"
            )

    def engine(self, files: Files) -> "nn.Module":
        """OpenCV's, in one thread; on a GPU the frames come back to the CPU."""
        import cv2

        from ego.extractors import _flow_engines as engines

        flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if self.gaussian else 0
        method = engines.Farneback(
            self.scale, self.levels, self.window_size, self.iterations, self.poly_n, self.poly_sigma, flags
        )
        return engines.OpenCVEngine(lambda: method)
