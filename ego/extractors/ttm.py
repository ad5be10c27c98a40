"""`ttm`: which faces talk to the camera wearer, one row a face and frame (Ego4D's talking-to-me baseline)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ego.errors import BadRequest
from ego.extractors._backbone import Precision
from ego.extractors._base import Block, Files, Rows
from ego.extractors._face_network import ListeningFaceNetwork

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


def _without_front_end(found: dict[str, Any]) -> dict[str, Any]:
    return {key: x for key, x in found.items() if not key.startswith("audio_encoder.torchfb.")}


@dataclass(frozen=True, kw_only=True)
class TTM(ListeningFaceNetwork):
    """`feature` is that of the frame's face alone, 256 wide, before the LSTM: the token of EgoT2's TTM model.

    `logits` and `score` are of the whole piece, the same in all its rows. A tick without the face is black, and the
    sound ends where the last tick begins, as in the baseline. The defaults are the baseline's: 30 frames a second,
    pieces of 150, sound scaled to 0.1. `precision` is that of the convolutions over faces.
    """

    width: ClassVar[int] = 256
    above: ClassVar[tuple[str, ...]] = ("lstm", "audio_encoder", "last_layer1", "last_layer2")

    fps: float = 30.0
    piece_seconds: float = 5.0
    loudness: float = 0.1
    precision: Precision = "bfloat16"

    def network(self, files: Files) -> "nn.Module":
        """ResNet-18 with LSTM, and SE-ResNet; the filters of the sound that some files hold are computed instead."""
        from ego.extractors._weights import load
        from ego.layers.face_lstm import TalkingToMe

        return load(lambda found: TalkingToMe(), self.weights, files, rename=_without_front_end)

    def above_feature(self, network: "nn.Module", rows: "Tensor", sound: "Tensor | None" = None) -> "Tensor":
        """Of pieces (B, T, 256) with their sound (B, samples) in [-1, 1]."""
        from ego.layers.audio_frontend import LogMel, scaled_to
        from ego.layers.face_lstm import TalkingToMe

        assert isinstance(network, TalkingToMe)
        if sound is None:
            raise BadRequest(f"got no sound for the tail of {self.name}, which hears; give it as sound=")
        spectra = LogMel().to(rows.device)(scaled_to(sound, self.loudness) if self.loudness else sound)
        return network.judge(rows, spectra)

    def samples(self, ticks: int) -> int:
        """One tick's less than are seen, but not nothing."""
        return super().samples(max(ticks - 1, 1))

    def seen(self, network: "nn.Module", blocks: Iterator[Block], device: str) -> Iterator[Rows]:
        """(256,) a face, so that no pictures wait."""
        from ego.extractors._face_cuts import lam
        from ego.extractors._looking import features

        for rows in lam(blocks):
            found = features(network.get_submodule("video_encoder"), rows.arrays["feature"], device, self.precision)
            yield Rows({**rows.arrays, "feature": found}, rows.time, rows.source)

    def judge(
        self, network: "nn.Module", seen: "Tensor", there: "NDArray[np.bool_]", sound: "Tensor"
    ) -> "tuple[Tensor, Tensor]":
        """The features as they are, and one judgement for all."""
        import numpy as np
        import torch

        from ego.extractors._looking import features
        from ego.layers.face_lstm import TalkingToMe

        assert isinstance(network, TalkingToMe)
        if not there.all():
            nobody = np.zeros((1, 224, 224, 3), np.uint8)
            black = torch.from_numpy(features(network.video_encoder, nobody, str(seen.device), self.precision))
            seen = torch.where(torch.from_numpy(there).to(seen.device)[:, None], seen, black.to(seen.device))
        return seen, self.above_feature(network, seen[None], sound).expand(len(seen), 2)
