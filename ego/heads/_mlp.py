"""The module of `mlp`."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.heads._chain import Layers, Settling
from ego.heads._embedding import Embedding
from ego.heads._linear import means, scale
from ego.layers.linear import Linear


class MLPModule(Embedding, Settling):
    """Masked means side by side, each on its scale, through hidden layers, then a linear layer a task."""

    def __init__(
        self,
        norm: str,
        hidden: Sequence[int],
        dropout: float,
        widths: Mapping[str, int],
        outputs: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__(hidden[-1], dropout, outputs)
        self._widths = dict(widths)
        self.norms = nn.ModuleDict({slot(name): scale(norm, width) for name, width in widths.items()})
        sizes = (sum(widths.values()), *hidden)
        self.hidden = nn.Sequential()
        for before, after in pairwise(sizes):
            if len(self.hidden):
                self.hidden.append(nn.Dropout(dropout))
            self.hidden.extend([Linear(before, after), nn.GELU()])

    @property
    def chain(self) -> Layers:
        """The layers above what `settle` gives."""
        hidden = [f"hidden.{place}" for place, one in enumerate(self.hidden) if isinstance(one, Linear)]
        outputs = {name: (f"layers.{slot(name)}", shape) for name, shape in self.outputs.items()}
        return Layers(tuple(hidden), outputs)

    def settle(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) the means side by side, each on its scale: what nothing is learnt of."""
        return means(features, masks, self._widths, self.norms)

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) what the last hidden layer says."""
        found: Tensor = self.hidden(self.settle(features, masks))
        return found
