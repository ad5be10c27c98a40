"""How the losses of several tasks become one, as `training.task_weighting` says."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ego.heads._balance import Uncertainty, descent
from ego.heads._base import Head, Tasks, Tensors
from ego.heads._training import Training


class Weighing(nn.Module):
    """The loss of a batch: the head's own sum, or its tasks' losses by their uncertainty or along a common descent.

    What is learnt for it (log-variances) are its parameters, moved beside the module's.
    """

    def __init__(self, head: Head, tasks: Tasks, names: Sequence[str], module: nn.Module, training: Training) -> None:
        super().__init__()
        self._head, self._tasks, self._kind = head, tasks, training.task_weighting
        self._learnt = [one for one in module.parameters() if one.requires_grad]
        self._uncertainty = Uncertainty(names) if self._kind == "uncertainty" else None

    def forward(self, said: Tensors, labels: Tensors, labelled: Tensors) -> Tensor:
        """A scalar."""
        names = list(dict.fromkeys(name.partition("@")[0] for name in said))
        if self._kind == "fixed" or len(names) < 2:
            return self._head.loss(said, labels, labelled, self._tasks)
        losses = {}
        for name in names:
            own = {one: some for one, some in said.items() if one.partition("@")[0] == name}
            losses[name] = self._head.loss(own, labels, labelled, self._tasks)
        if self._uncertainty is not None:
            mixed: Tensor = self._uncertainty(losses, labelled)
            return mixed
        each = torch.stack(list(losses.values()))
        return (each * self._common(each)).sum()

    def _common(self, losses: Tensor) -> Tensor:
        """(K,) weights of the losses by which the parameters that all of them reach get worse for none."""
        found = [torch.autograd.grad(loss, self._learnt, retain_graph=True, allow_unused=True) for loss in losses]
        shared = [place for place, some in enumerate(zip(*found, strict=True)) if all(one is not None for one in some)]
        if not shared:
            return torch.ones_like(losses)
        rows = [torch.cat([one.flatten() for place in shared if (one := some[place]) is not None]) for some in found]
        return descent(torch.stack(rows)).detach()
