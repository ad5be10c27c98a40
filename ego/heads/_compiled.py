"""The forward pass of training, and with it the backward one, as kernels of torch.compile; on a GPU CUDA graphs."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import Tensors


class Compiled:
    """What the module gives, by kernels that are made when it is first called; on a GPU they are replayed as graphs.

    The module itself stays as it is: what is tested and saved is not compiled.
    """

    def __init__(self, module: nn.Module, device: str) -> None:
        self._graphs = torch.device(device).type == "cuda"
        self._forward = torch.compile(module, mode="reduce-overhead" if self._graphs else "default")

    def __call__(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> Mapping[str, Tensor]:
        """Predictions as of the module; a BadRequest where no kernels can be made."""
        from torch._dynamo.exc import BackendCompilerFailed  # here, not above: it takes a second

        if self._graphs:  # what the last step's graph has written may be overwritten
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        try:
            found: Mapping[str, Tensor] = self._forward(features, masks, tasks, labels)
        except BackendCompilerFailed as error:
            last = str(error).strip().splitlines()[0]
            raise BadRequest(f"the head cannot be compiled here ({last[:160]}); leave --compile out") from error
        return found
