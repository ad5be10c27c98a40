"""`light_asd`: which faces speak, by a network of a million parameters (Liao et al. 2023), one row a face and frame."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.extractors._base import Files
from ego.extractors._face_network import ActiveSpeaker, published_keys
from ego.extractors._published import WeightFile

if TYPE_CHECKING:
    from torch import nn

PUBLISHED = "https://github.com/Junhua-Liao/Light-ASD/raw/ed38c232de5efe0261dbd68627c0ade7cdfe14eb/weight"


def _file(name: str, sha256: str, note: str) -> WeightFile:
    return WeightFile(name, f"{PUBLISHED}/{name}", sha256, "MIT (the repository that publishes it)", note, 4_175_289)


@dataclass(frozen=True, kw_only=True)
class LightASD(ActiveSpeaker):
    """`feature` is the output of the GRU, 128 wide; shown 25 frames a second and sound as recorded, as in training."""

    width: ClassVar[int] = 128
    published: ClassVar[tuple[WeightFile, ...]] = (
        _file(
            "finetuning_TalkSet.model",
            "efc375833887eefa9d209dc92810e18519b04c3c73ea35a549f2a7f40b7d94d5",
            "AVA-ActiveSpeaker, then TalkSet: for videos of any kind",
        ),
        _file(
            "pretrain_AVA_CVPR.model",
            "d44bc3ea7baa8e0946fa3921311714a630ed8b90a1928fab0dbe30d918909317",
            "AVA-ActiveSpeaker: films",
        ),
    )

    fps: float = 25.0
    piece_seconds: float = 10.0
    loudness: float = 0.0

    def network(self, files: Files) -> "nn.Module":
        """Light-ASD with its two classifiers."""
        from ego.extractors._weights import load
        from ego.layers.light_asd import LightASD as Layers

        return load(lambda found: Layers(), self.weights, files, rename=published_keys)
