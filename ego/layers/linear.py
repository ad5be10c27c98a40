"""Linear layers of cached features, quick on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDE = 2**22
"""How many multiplications are worth the calls around them."""
SOME = 2**20
"""From how many multiplications on oneDNN's product is quicker than MKL's, which begins sooner."""
_ONE_DNN = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


class Linear(nn.Linear):
    """A linear layer with bias, of the numbers of `nn.Linear`.

    On a CPU its float32 products are oneDNN's: 1.5 to 3 times as fast as those that `functional.linear` asks MKL for
    where the processor is not Intel's.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(..., out) of rows (..., in)."""
        if _plain(input) and input.numel() * self.out_features >= WIDE:
            found: Tensor = _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
            return found
        return super().forward(input)


def _plain(rows: Tensor) -> bool:
    """Whether products of these rows are made here: on a CPU, as they are, in no program that is derived from them."""
    if rows.ndim < 2 or rows.device.type != "cpu" or rows.dtype != torch.float32:
        return False
    derived = torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()
    return not derived and not torch.is_autocast_enabled("cpu")


def product(rows: Tensor, others: Tensor, bias: Tensor | None = None) -> Tensor:
    """(n, m) products of float32 rows (n, k) with rows (m, k), and a bias (m,)."""
    if _ONE_DNN and rows.device.type == "cpu" and rows.numel() * others.shape[0] >= SOME:
        made: Tensor = torch.ops.mkldnn._linear_pointwise.default(rows, others, bias, "none", [], "")
        return made
    return functional.linear(rows, others, bias)


class _Linear(torch.autograd.Function):
    """`functional.linear` of what `_plain` says."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weight)
        found = product(rows.flatten(0, -2), weight, bias)
        return found if rows.ndim == 2 else found.view(*rows.shape[:-1], found.shape[-1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        flat, wanted = gradient.flatten(0, -2), ctx.needs_input_grad
        return (
            (flat @ weight).view_as(rows) if wanted[0] else None,
            product(flat.T.contiguous(), rows.flatten(0, -2).T) if wanted[1] else None,
            flat.sum(0) if wanted[2] else None,
        )
