"""`torch_model`: a network as one file of PyTorch, TorchScript (.pt) or exported (.pt2)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._tensor_model import TensorModel
from ego.spec import Weights

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class TorchModel(TensorModel):
    """The graph and its weights are in the file, so its bytes alone say what is computed.

    A TorchScript file is a program in TorchScript's own language, which knows tensors and no Python. An
    exported file is read in parts: a pickle, a name that is not an operator of PyTorch, or an expression that
    is not arithmetic in it is refused before PyTorch sees the file.
    """

    takes_random: ClassVar[bool] = False

    weights: Weights

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights.seed is not None:
            raise BadRequest(f"got {self.weights} for {self.name}, expected a file: a network's graph is in it")

    def network(self, files: Files) -> "nn.Module":
        """The network of the file; an exported one cannot be trained."""
        from ego.extractors._torch_file import load

        return load(files[self.weights])
