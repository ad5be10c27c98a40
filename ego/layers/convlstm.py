"""The ConvLSTM of Ego-RNN and SparNet: no peepholes, no norm (Shi et al. 2015; Sudhakaran and Lanz 2018)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
GATES = "ifco"


class ConvLSTM(nn.Module):
    """Convolutions of the input (`conv_i_xx` ..., with bias) and of the state (`conv_i_hh` ..., without) for each gate.

    i, f, o = sigmoid and g = tanh of their sums; c' = f * c + i * g; h' = o * tanh(c'). Weights begin Xavier normal,
    biases at 0.
    """

    def __init__(self, inputs: int, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.channels, self._padding = channels, kernel // 2
        for gate in GATES:
            self.add_module(f"conv_{gate}_xx", nn.Conv2d(inputs, channels, kernel, padding=self._padding))
            self.add_module(f"conv_{gate}_hh", nn.Conv2d(channels, channels, kernel, padding=self._padding, bias=False))
        xavier(self)

    def forward(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> State:
        """(h, c) after the steps x (B, S, C, height, width); those whose mask (B, S) is false change nothing."""
        last = self._start(x) if state is None else state
        for one in self.unroll(x, mask, last):
            last = one
        return last

    def unroll(self, x: Tensor, mask: Tensor | None = None, state: State | None = None) -> Iterator[State]:
        """(h, c) after every step."""
        h, c = self._start(x) if state is None else state
        driven = F.conv2d(x.flatten(0, 1), self._weight("xx"), self._bias(), padding=self._padding)
        recurrent = self._weight("hh")
        for step, own in enumerate(driven.view(*x.shape[:2], *driven.shape[1:]).unbind(1)):
            i, f, g, o = (own + F.conv2d(h, recurrent, padding=self._padding)).chunk(4, dim=1)
            new_c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            new_h = torch.sigmoid(o) * torch.tanh(new_c)
            h, c = (new_h, new_c) if mask is None else kept(mask[:, step], (new_h, new_c), (h, c))
            yield h, c

    def _start(self, x: Tensor) -> State:
        zeros = x.new_zeros(len(x), self.channels, *x.shape[3:])
        return zeros, zeros

    def _weight(self, side: str) -> Tensor:
        return torch.cat([self.get_parameter(f"conv_{gate}_{side}.weight") for gate in GATES])

    def _bias(self) -> Tensor:
        return torch.cat([self.get_parameter(f"conv_{gate}_xx.bias") for gate in GATES])


def kept(there: Tensor, new: tuple[Tensor, ...], old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The new states (B, ...) of what is `there` (B,), the old ones of the rest."""
    return tuple(
        torch.where(there.view(-1, *(1,) * (one.ndim - 1)), one, before) for one, before in zip(new, old, strict=True)
    )


def xavier(module: nn.Module) -> None:
    """Xavier-normal weights in every convolution of a module, biases at 0."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.xavier_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
