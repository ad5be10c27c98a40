"""The part of a loaded network that lies above stored rows, as a module of its own."""

from collections.abc import Callable, Collection

import torch
from torch import nn

from ego.extractors._tapped import _autocast


class Above(nn.Module):
    """What `judge` makes of rows by the kept children of a network; their keys are the network's, under `model.`."""

    def __init__(
        self,
        network: nn.Module,
        kept: Collection[str],
        judge: Callable[..., torch.Tensor],
        array: str,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        for name in [name for name, _ in network.named_children() if name not in kept]:
            delattr(network, name)
        self.model = network
        self._judge, self._array, self._precision = judge, array, precision

    def forward(self, rows: torch.Tensor, **beside: torch.Tensor) -> dict[str, torch.Tensor]:
        """{array: (B, ...) float32} of stored rows (B, ...) and of what is shown beside them."""
        with _autocast(rows.device.type, self._precision):
            return {self._array: self._judge(self.model, rows.float(), **beside).float()}
