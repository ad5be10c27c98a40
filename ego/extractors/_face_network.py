"""What the networks of face tracks share: rows of faces, and, where they hear, pieces of tracks with their sound."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ego.errors import BadRequest
from ego.extractors._backbone import check_one_frame
from ego.extractors._base import Beside, Block, Extractor, Files, Rows, Tracker
from ego.extractors._listening import RATE
from ego.extractors.faces import Faces
from ego.extractors.sound import Waveform
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Array, Picture, Signal, Sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


TENTHS = Waveform(Window(fps=10.0))
FASTEST = 60.0
"""Ticks a second: shorter ones have too little sound for one spectrum."""


@dataclass(frozen=True, kw_only=True)
class FaceNetwork(Tracker):
    """A network that follows each held face through the native picture; one row a face and frame."""

    lag_seconds: ClassVar[float | None] = None
    width: ClassVar[int]
    """How many numbers `feature` has."""
    above: ClassVar[tuple[str, ...]]
    """The modules of the network above `feature`."""

    window: Window = Window()
    weights: Weights
    faces: Faces = Faces()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_frame(self.name, self.window)
        if self.faces.window != self.window:
            raise BadRequest(f"got two windows, of {self.name} and of its faces, expected one; set both alike")

    def needs(self) -> dict[str, Picture | Sound | Signal | Extractor]:
        """The faces, and the frame as it is."""
        return {"frames": Picture("native", 0), "faces": self.faces}

    def rows(self, files: Files) -> dict[str, Array]:
        """`feature`, `logits` (2,) of no and yes, `score` (), the share of yes after a softmax, and `track` ()."""
        return {
            "feature": Array((self.width,)),
            "logits": Array((2,), "float32"),
            "score": Array((), "float32"),
            "track": Array((), "int32"),
        }

    @abstractmethod
    def network(self, files: Files) -> "nn.Module":
        """The network with its weights, in eval mode."""

    def tail(self, tap: str, files: Files) -> "nn.Module":
        """The network above stored rows of `feature`, trainable: forward(rows, ...) -> {"logits": (B, 2)}.

        What it is given is that of `above_feature`. Its parameters lie under `model.`, named as in the published file.
        """
        if tap != "feature":
            raise BadRequest(f"got tap {tap!r} of {self.name}, expected `feature`: what lies above it is the judgement")
        from ego.extractors._above import Above

        return Above(self.network(files), self.above, self.above_feature, "logits").eval()

    @abstractmethod
    def above_feature(self, network: "nn.Module", rows: "Tensor") -> "Tensor":
        """Logits (B, 2) of stored features."""


@dataclass(frozen=True, kw_only=True)
class ListeningFaceNetwork(FaceNetwork):
    """Judges each face together with the sound of the same seconds, a piece of its track at a time.

    A piece ends where the face is away for more than two frames, and after `piece_seconds`. The network sees it at
    `fps`: at each tick the frame on display. A row is given what belongs to the tick in the middle of its frame.
    `loudness` is the root mean square that a piece's sound is scaled to; 0 leaves it as recorded.
    """

    fps: float
    piece_seconds: float
    loudness: float
    sound: Waveform = TENTHS

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.fps <= FASTEST or self.piece_seconds < 1 / self.fps or self.loudness < 0:
            raise BadRequest(
                f"got fps {self.fps:g}, piece_seconds {self.piece_seconds:g} and loudness {self.loudness:g} for "
                f"{self.name}, expected a rate above 0 and at most {FASTEST:g}, "
                "pieces of at least one tick and a loudness of at least 0"
            )
        if self.sound.window.span != self.sound.window.stride or self.sound.window.interval != 1:
            raise BadRequest(
                f"got a sound.window for {self.name} whose rows overlap or leave gaps; set stride = frames"
            )

    def needs(self) -> dict[str, Picture | Sound | Signal | Extractor]:
        """The faces, the frame as it is, and the sound."""
        return {**super().needs(), "sound": self.sound}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """Rows in the order of the frames, each when the pieces of all faces in its frame have ended."""
        from ego.extractors._face_pieces import judged

        return judged(self, blocks, self.network(files).to(device), device)

    def samples(self, ticks: int) -> int:
        """How many samples of sound go with so many ticks."""
        return round(ticks / self.fps * RATE)

    @abstractmethod
    def seen(self, network: "nn.Module", blocks: Iterator[Block], device: str) -> Iterator[Rows]:
        """What is kept of each face until its piece ends: rows of `feature` and `track` in the order of the frames."""

    @abstractmethod
    def judge(
        self, network: "nn.Module", seen: "Tensor", there: "NDArray[np.bool_]", sound: "Tensor"
    ) -> "tuple[Tensor, Tensor]":
        """Features (ticks, width) and logits (ticks, 2) of a piece.

        `seen` is (ticks, ...), the last seen where the face is not `there`; `sound` is (1, samples) in [-1, 1].
        """


@dataclass(frozen=True, kw_only=True)
class ActiveSpeaker(ListeningFaceNetwork):
    """Tells from TalkNet's grey windows around a face, and from the cepstra, in which frames it speaks."""

    above: ClassVar[tuple[str, ...]] = ("lossAV",)

    def above_feature(self, network: "nn.Module", rows: "Tensor") -> "Tensor":
        """Of rows (B, width), each for itself: what lies below has seen the whole piece."""
        logits: Tensor = network.get_submodule("lossAV")(rows)
        return logits

    def seen(self, network: "nn.Module", blocks: Iterator[Block], device: str) -> Iterator[Rows]:
        """(112, 112) bytes a face."""
        from ego.extractors._face_cuts import asd

        return asd(blocks)

    def judge(
        self, network: "nn.Module", seen: "Tensor", there: "NDArray[np.bool_]", sound: "Tensor"
    ) -> "tuple[Tensor, Tensor]":
        """While a face is away, it is taken to be as it was; sound as recorded is in steps of 16 bits."""
        from ego.layers.audio_frontend import Mfcc, scaled_to

        scaled = scaled_to(sound, self.loudness) if self.loudness else sound * 32768
        cepstra = Mfcc(self.fps, len(seen)).to(seen.device)(scaled).float()
        speaking = network(seen[None], cepstra)
        return speaking.feature[0], speaking.logits[0]


def published_keys(found: dict[str, Any]) -> dict[str, Any]:
    """The tensors of a published active-speaker file under their modules' names, without the weights of its loss."""
    return {key.removeprefix("model."): x for key, x in found.items() if not key.endswith(".criterion.weight")}
