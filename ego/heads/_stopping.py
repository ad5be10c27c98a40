"""Which epoch is kept, and when training ends early, by the loss on clips that are held out."""

import math
from typing import Any

from torch import Tensor, nn


class Stopping:
    """Keeps the weights of the epoch with the least loss; `over` after `patience` epochs without a lesser one."""

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._least, self._epoch, self._waited = math.inf, 0, 0
        self._kept: dict[str, Tensor] = {}

    @property
    def over(self) -> bool:
        """Whether enough epochs went by without a lesser loss; never with a patience of 0."""
        return bool(self._patience) and self._waited >= self._patience

    def see(self, epoch: int, loss: float, module: nn.Module) -> None:
        """Takes in an epoch; a loss that is not a number is no lesser one."""
        if loss < self._least:
            self._least, self._epoch, self._waited = loss, epoch, 0
            self._kept = {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
        else:
            self._waited += 1

    def give(self, module: nn.Module) -> None:
        """Makes the kept epoch's weights the module's; none seen yet: they stay."""
        if self._kept:
            module.load_state_dict(self._kept)

    def state(self) -> dict[str, Any]:
        """What was seen so far."""
        return {"least": self._least, "epoch": self._epoch, "waited": self._waited, "kept": self._kept}

    def load(self, state: dict[str, Any]) -> None:
        """Puts back what was seen."""
        self._least, self._epoch, self._waited = state["least"], state["epoch"], state["waited"]
        self._kept = dict(state["kept"])
