"""`talknet`: which faces speak, one row a face and frame (Tao et al. 2021), as Ego4D's port and EgoT2 run it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.extractors._base import Files
from ego.extractors._face_network import ActiveSpeaker, published_keys

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TalkNet(ActiveSpeaker):
    """`feature` is the output of audio-visual self-attention, 256 wide: the token of EgoT2's ASD model.

    The defaults are those of Ego4D's port: 30 frames a second, pieces of 300, sound scaled to 0.1. Files trained on
    AVA-ActiveSpeaker were shown 25 a second and sound as recorded: `fps = 25.0`, `loudness = 0.0`.
    """

    width: ClassVar[int] = 256

    fps: float = 30.0
    piece_seconds: float = 10.0
    loudness: float = 0.1

    def network(self, files: Files) -> "nn.Module":
        """TalkNet with its three classifiers."""
        from ego.extractors._weights import load
        from ego.layers.talknet import TalkNet as Layers

        return load(lambda found: Layers(), self.weights, files, rename=published_keys)
