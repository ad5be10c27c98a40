"""`raft`: RAFT optical flow (Teed and Deng 2020) from the authors' or torchvision's checkpoints."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._flow import Flow
from ego.extractors._published import WeightFile
from ego.layers.raft_plan import authors_names
from ego.spec import Weights

if TYPE_CHECKING:
    from torch import nn


def _torchvision(size: str, data: str, digits: str, note: str) -> WeightFile:
    name = f"raft_{size}_{data}-{digits}.pth"
    url = f"https://download.pytorch.org/models/{name}"
    return WeightFile(name, url, digits, "BSD-3-Clause (torchvision)", note, None, (("size", size),))


@dataclass(frozen=True, kw_only=True)
class RAFT(Flow):
    """RAFT flow; pictures are padded to multiples of 8 pixels and at least 128, and the flow is cut back.

    `iterations` looks at the correlations. The authors' `raft-things.pth` and torchvision's files are both read.
    """

    published: ClassVar[tuple[WeightFile, ...]] = (
        _torchvision("large", "C_T_SKHT_V2", "ff5fadd5", "FlyingChairs, FlyingThings3D, then Sintel, KITTI and HD1K"),
        _torchvision("large", "C_T_V1", "22a6c225", "FlyingChairs, FlyingThings3D: the authors' raft-things"),
        _torchvision("large", "C_T_V2", "1bb1363a", "FlyingChairs, FlyingThings3D, trained anew by torchvision"),
        _torchvision("small", "C_T_V2", "01064c6d", "FlyingChairs, FlyingThings3D, trained anew by torchvision"),
        _torchvision("small", "C_T_V1", "ad48884c", "FlyingChairs, FlyingThings3D: the authors' raft-small"),
    )

    weights: Weights
    size: Literal["large", "small"] = "large"
    iterations: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.iterations < 1:
            raise BadRequest(f"got iterations = {self.iterations} for {self.name}, expected at least 1")

    def engine(self, files: Files) -> "nn.Module":
        """The network; its parameters are named as in the authors' files."""
        from ego.extractors._flow_engines import RAFTEngine
        from ego.extractors._weights import load
        from ego.layers.raft import RAFT as Layers

        rename = partial(authors_names, size=self.size)
        model = load(lambda found: Layers(self.size, self.iterations), self.weights, files, rename=rename)
        return RAFTEngine(model)
