"""Linear layers of many settings that read one input, as one product."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SharedInput(TorchFunctionMode):
    """Within it, and within `vmap`, linear layers whose weights alone are stacked are computed as one wide layer.

    `vmap` itself would multiply the input by each setting's weights in turn, and read it as often.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.linear and len(args) == 3 and args[2] is not None and not kwargs:
            return _Linear.apply(*args)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


class _Linear(torch.autograd.Function):
    """`functional.linear` with a rule of its own for `vmap`; its gradients are those of the products it is made of."""

    @staticmethod
    def forward(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.linear(rows, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rows, weight = ctx.saved_tensors
        flat = gradient.flatten(0, -2)
        return gradient @ weight, flat.T @ rows.flatten(0, -2), flat.sum(0)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], rows: Tensor, weight: Tensor, bias: Tensor
    ) -> tuple[Tensor, int]:
        count = info.batch_size
        if in_dims == (None, 0, 0):
            found = functional.linear(rows, weight.flatten(0, 1), bias.flatten())
            return found.reshape(*found.shape[:-1], count, -1), found.ndim - 1
        given = [
            one.expand(count, *one.shape) if dim is None else one.movedim(dim, 0)
            for one, dim in zip((rows, weight, bias), in_dims, strict=True)
        ]
        products = torch.baddbmm(given[2][:, None], given[0].flatten(1, -2), given[1].transpose(1, 2))
        return products.reshape(count, *given[0].shape[1:-1], -1), 0
