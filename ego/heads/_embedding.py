"""Heads that make one vector of a clip, and of it the scores of each task."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from math import prod

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.layers.linear import Linear


class Embedding(nn.Module, ABC):
    """`embed` gives (B, `width`); dropout and a linear layer a task, `layers.of_<task>`, follow."""

    def __init__(self, width: int, dropout: float, outputs: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.width = width
        self.outputs = dict(outputs)
        self.dropout = nn.Dropout(dropout)
        self.layers = apart(outputs, lambda name: Linear(width, prod(outputs[name])))

    @abstractmethod
    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width), before dropout."""

    def attention_maps(self, features: Tensors, masks: Tensors) -> Tensor | None:
        """(B, S, h, w) how much each place of each step of the leading map counts; None where the head does not say."""
        return None

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) scores of each task asked for."""
        own = [name for name in tasks if name in self.outputs]
        return self.scores(self.embed(features, masks), own) if own else {}

    def scores(self, hidden: Tensor, tasks: Iterable[str]) -> dict[str, Tensor]:
        """(..., *shape) of the tasks from vectors (..., width)."""
        hidden = self.dropout(hidden)
        return {name: self.layers[slot(name)](hidden).unflatten(-1, self.outputs[name]) for name in tasks}


def apart(names: Iterable[str], make: Callable[[str], nn.Module]) -> nn.ModuleDict:
    """A module for each name, whose first values depend on torch's generator and its name, not on the other names.

    So that a task begins alike whatever is learnt beside it.
    """
    start = int(torch.randint(2**62, (), device="cpu").item())
    found = nn.ModuleDict()
    for name in names:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(int.from_bytes(sha256(f"{start}:{name}".encode()).digest()[:7], "big"))
            found[slot(name)] = make(name)
    return found
