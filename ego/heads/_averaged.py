"""A running mean of weights, as what is trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Averaged:
    """The mean of a module's parameters over steps, each step's share falling by `decay` with every later one.

    It begins with the initial weights: mean = decay * mean + (1 - decay) * weights. Buffers are not averaged.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._mean = {name: one.detach().clone() for name, one in module.named_parameters() if one.requires_grad}

    def update(self, module: nn.Module) -> None:
        """Takes in the weights after a step."""
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if name in self._mean:
                    self._mean[name].lerp_(parameter, 1 - self._decay)

    def give(self, module: nn.Module) -> None:
        """Makes the mean the module's weights."""
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if name in self._mean:
                    parameter.copy_(self._mean[name])

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[None]:
        """The module has the mean as its weights for a while."""
        own = {name: one.detach().clone() for name, one in module.named_parameters() if name in self._mean}
        self.give(module)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in module.named_parameters():
                    if name in own:
                        parameter.copy_(own[name])

    def state(self) -> dict[str, Tensor]:
        """The mean by parameter."""
        return self._mean

    def load(self, state: dict[str, Tensor]) -> None:
        """Puts a mean back."""
        for name, mean in self._mean.items():
            mean.copy_(state[name])
