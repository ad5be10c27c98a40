"""Long Short-Term Attention (Sudhakaran, Escalera and Lanz 2019), as its authors' code computes it."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ego.layers.convlstm import kept, xavier


class Memory(NamedTuple):
    """Attention `a` and `s` (B, 1, h, w); memory `c` before tanh and the next step's gate `o`, (B, C, h, w)."""

    a: Tensor
    s: Tensor
    c: Tensor
    o: Tensor


class LSTA(nn.Module):
    """A ConvLSTM over attended maps, whose attention is one itself and whose output gate sees the class it tells.

    `classes` are those of the output pooling: the likeliest one's row of `c_classifier` weights the memory. Its choice
    has no gradient, so `coupling_fc` learns nothing and is left out of training; with `soft_pool` the rows are
    weighted by softmax and both learn.
    """

    def __init__(self, channels: int, classes: int = 100, soft_pool: bool = False) -> None:
        super().__init__()
        self._soft_pool = soft_pool
        self.c_classifier = nn.Linear(channels, classes, bias=False)
        self.coupling_fc = nn.Linear(channels, classes, bias=False).requires_grad_(soft_pool)
        for gate in "ifao":
            self.add_module(f"conv_{gate}_s", nn.Conv2d(1, 1, 3, padding=1))
            self.add_module(f"conv_{gate}_cam", nn.Conv2d(1, 1, 3, padding=1, bias=False))
        for gate in "ifco":
            self.add_module(f"conv_{gate}_x", nn.Conv2d(channels, channels, 3, padding=1))
            self.add_module(f"conv_{gate}_c", nn.Conv2d(channels, channels, 3, padding=1, bias=False))
        xavier(self)

    def forward(self, x: Tensor, cam: Tensor, mask: Tensor | None = None, state: Memory | None = None) -> Memory:
        """The memory after the steps of maps x (B, S, C, h, w) and class activations `cam` (B, S, h, w), no softmax.

        Steps whose mask (B, S) is false change nothing.
        """
        last = self.start(x) if state is None else state
        for _, one in self.unroll(x, cam, mask, last):
            last = one
        return last

    def unroll(
        self, x: Tensor, cam: Tensor, mask: Tensor | None = None, state: Memory | None = None
    ) -> Iterator[tuple[Tensor, Memory]]:
        """(attended map, memory) after every step."""
        a, s, c, o = self.start(x) if state is None else state
        for step in range(x.shape[1]):
            new_a, new_s = self._attention(cam[:, step, None], a, s)
            attended = x[:, step] * (new_s + cam[:, step, None]).flatten(1).softmax(1).view_as(new_s)
            new_c, new_o = self._memory(attended, c, o)
            new = (new_a, new_s, new_c, new_o)
            a, s, c, o = new if mask is None else kept(mask[:, step], new, (a, s, c, o))
            yield attended, Memory(a, s, c, o)

    def start(self, x: Tensor) -> Memory:
        """Zeros, for maps x (B, S, C, h, w)."""
        attention, memory = x.new_zeros(len(x), 1, *x.shape[3:]), torch.zeros_like(x[:, 0])
        return Memory(attention, attention, memory, memory)

    def scores(self, c: Tensor, attended: Tensor) -> Tensor:
        """(B, classes) by which the output pooling chooses."""
        found: Tensor = self.c_classifier(c.mean(dim=(2, 3))) + self.coupling_fc(attended.mean(dim=(2, 3)))
        return found

    def _attention(self, cam: Tensor, a: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        i, f, o = (torch.sigmoid(self._sum(gate, "s", s, "cam", cam)) for gate in "ifo")
        a = f * a + i * torch.tanh(self._sum("a", "s", s, "cam", cam))
        return a, o * torch.tanh(a)

    def _memory(self, attended: Tensor, c: Tensor, o: Tensor) -> tuple[Tensor, Tensor]:
        m = o * torch.tanh(c)
        i, f = (torch.sigmoid(self._sum(gate, "c", m, "x", attended)) for gate in "if")
        c = f * c + i * torch.tanh(self._sum("c", "c", m, "x", attended))
        # in this gate the convolution called `x` sees the memory and the one called `c` what is pooled of it
        return c, torch.sigmoid(self._sum("o", "x", m, "c", self._pooled(c, attended)))

    def _pooled(self, c: Tensor, attended: Tensor) -> Tensor:
        """The memory, each channel weighted by what it says for the likeliest class."""
        scores, rows = self.scores(c, attended), self.c_classifier.weight
        chosen = scores.softmax(1) @ rows if self._soft_pool else rows[scores.argmax(dim=1)]
        return chosen[:, :, None, None] * c

    def _sum(self, gate: str, first: str, x: Tensor, second: str, y: Tensor) -> Tensor:
        found: Tensor = self.get_submodule(f"conv_{gate}_{first}")(x) + self.get_submodule(f"conv_{gate}_{second}")(y)
        return found
