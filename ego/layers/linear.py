"""Linear layers of cached features: quick on a CPU, and of many settings at once one wide product."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDE = 2**22
"""How many multiplications are worth the calls around them."""
_ONE_DNN = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


class Linear(nn.Linear):
    """A linear layer with bias, of the numbers of `nn.Linear`.

    On a CPU its float32 products are oneDNN's: 1.5 to 3 times as fast as those that `functional.linear` asks MKL for
    where the processor is not Intel's. Within `torch.func.vmap` over stacked weights the layers of all settings that
    read one input are computed as one wide layer, where `vmap` itself would read it once for each.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(..., out) of rows (..., in)."""
        if _plain(input) and not torch.is_autocast_enabled("cpu"):
            if torch._C._are_functorch_transforms_active():
                return _own(_Settings, input, self.weight, self.bias)
            if input.numel() * self.out_features >= WIDE:
                return _own(_Linear, input, self.weight, self.bias)
        return super().forward(input)


def _plain(rows: Tensor) -> bool:
    """Whether products of these rows are made here: on a CPU, and not in a program that is exported or compiled."""
    if rows.ndim < 2 or rows.device.type != "cpu" or rows.dtype != torch.float32:
        return False
    return not torch.compiler.is_compiling()


def _own(one: type[torch.autograd.Function], rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    found: Tensor = one.apply(rows, weight, bias)  # type: ignore[no-untyped-call]
    return found


def product(rows: Tensor, others: Tensor, bias: Tensor | None = None) -> Tensor:
    """(n, m) products of rows (n, k) with rows (m, k), float32 on a CPU, and a bias (m,)."""
    if _ONE_DNN and rows.numel() and others.numel():
        made: Tensor = torch.ops.mkldnn._linear_pointwise(rows, others, bias, "none", [], "")
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


class _Settings(torch.autograd.Function):
    """`functional.linear` within `vmap` over settings."""

    @staticmethod
    def forward(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.linear(rows, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Nothing: the rule below is made of products that know their gradients."""

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], rows: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, int]:
        count = info.batch_size
        if in_dims == (None, 0, 0):
            found = _own(_Linear, rows, weight.flatten(0, 1), bias.flatten())
            return found.view(*found.shape[:-1], count, -1), found.ndim - 1
        given = [
            one.expand(count, *one.shape) if dim is None else one.movedim(dim, 0)
            for one, dim in zip((rows, weight, bias), in_dims, strict=True)
        ]
        products = torch.baddbmm(given[2][:, None], given[0].flatten(1, -2), given[1].transpose(1, 2))
        return products.view(count, *given[0].shape[1:-1], products.shape[-1]), 0
