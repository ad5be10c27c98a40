"""`lam`: which faces look at the camera wearer, one row a face and frame (Ego4D's looking-at-me baseline)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.extractors._backbone import Precision
from ego.extractors._base import Beside, Block, Files, Rows
from ego.extractors._face_network import FaceNetwork

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class LAM(FaceNetwork):
    """`feature` is that of the frame's face alone, 256 wide, before the LSTM: the token of EgoT2's LAM model.

    `logits` and `score` judge the face in the middle of seven frames. Where it is away in some, those that are there
    are moved together, the first is repeated before them and the last after them, as the baseline pads. Trained on
    30 frames a second. `precision` is that of the convolutions.
    """

    width: ClassVar[int] = 256
    above: ClassVar[tuple[str, ...]] = ("lstm", "last_layer1", "last_layer2")

    precision: Precision = "bfloat16"

    def network(self, files: Files) -> "nn.Module":
        """ResNet-18 and LSTM."""
        from ego.extractors._weights import load
        from ego.layers.face_lstm import LookingAtMe

        return load(lambda found: LookingAtMe(), self.weights, files)

    def above_feature(self, network: "nn.Module", rows: "Tensor") -> "Tensor":
        """Of the seven rows around each (B, 7, 256)."""
        from ego.layers.face_lstm import LookingAtMe

        assert isinstance(network, LookingAtMe)
        return network.judge(rows)

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """Rows in the order of the frames, three frames late."""
        from ego.extractors._looking import looking

        return looking(blocks, self.network(files).to(device), device, self.precision)
