"""What heads in closed form share: all training clips pooled once, and a linear head that is told its weights."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import Batch, slot
from ego.heads._linear import LinearModule


def pooled(module: LinearModule, whole: Batch) -> Tensor:
    """(B, width) float64: what the linear layers of the module see of all clips.

    Where the module has norms by clips, their statistics are set to those of these clips first.
    """
    module.eval()
    for norm in module.norms.values():
        if isinstance(norm, nn.BatchNorm1d):
            norm.momentum = None  # statistics of all batches so far: of the one batch there is
            norm.reset_running_stats()
            norm.train()
    with torch.no_grad():
        if any(norm.training for norm in module.norms.values()):
            module.embed(whole.features, whole.masks)
        module.eval()
        return module.embed(whole.features, whole.masks).double()


def labelled(whole: Batch, name: str) -> NDArray[np.int64]:
    """The clips that have a label of the task; none is a BadRequest."""
    found = np.flatnonzero(whole.labelled[name].cpu().numpy())
    if not len(found):
        raise BadRequest(f"no clip to train on has a label of {name!r}; look at the data set's split")
    return found


def tell(module: LinearModule, name: str, weight: Tensor, bias: Tensor) -> None:
    """Sets the linear layer of a task."""
    layer = module.layers[slot(name)]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


def check_finite(rows: Tensor, features: Mapping[str, object]) -> None:
    """Nothing, or a BadRequest where the features hold what is no number."""
    if not bool(torch.isfinite(rows).all()):
        raise BadRequest(f"got features that are not finite among {', '.join(features)}; extract them again")
