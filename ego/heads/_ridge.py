"""Ridge regression for all strengths at once, through one decomposition."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ego.heads._base import Batch, Tensors
from ego.heads._closed import check_finite, labelled, pooled, tell
from ego.heads._linear import LinearModule


class RidgeModule(nn.Module):
    """A linear head that is told its weights; `strengths` (tasks,) are those chosen, in the order of the tasks."""

    strengths: Tensor

    def __init__(self, norm: str, widths: Mapping[str, int], outputs: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        self.linear = LinearModule(norm, 0.0, widths, outputs)
        self.register_buffer("strengths", torch.zeros(len(outputs)))

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) predictions of each task asked for: of classes, shares that need not be in [0, 1]."""
        found: dict[str, Tensor] = self.linear(features, masks, tasks)
        return found


class Decomposed(NamedTuple):
    """Centred rows (n, d) as `left` (n, r) * `sizes` (r,) * `right` (d, r)."""

    left: Tensor
    sizes: Tensor
    right: Tensor


def solve(
    module: RidgeModule, whole: Batch, outputs: Mapping[str, tuple[int, ...]], strengths: Sequence[float], held: float
) -> None:
    """Tells the module the weights of each task, at the strength whose error is least on what was left out."""
    rows = pooled(module.linear, whole)
    check_finite(rows, whole.features)
    grid = torch.tensor(strengths, dtype=torch.float64, device=rows.device)
    parts: dict[bytes, Decomposed] = {}  # tasks that label the same clips share theirs
    for place, (name, shape) in enumerate(outputs.items()):
        known = labelled(whole, name)
        x, y = rows[known], goals(whole.labels[name][known], shape)
        if known.tobytes() not in parts:
            parts[known.tobytes()] = decomposed(x)
        own = parts[known.tobytes()]
        errors = held_out_errors(x, y, grid, held) if held else left_out_errors(own, y, grid)
        best = int(errors.argmin())
        weight, bias = fitted(own, x.mean(dim=0), y, grid[best])
        tell(module.linear, name, weight, bias)
        module.strengths[place] = grid[best]


def goals(labels: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(n, outputs) float64: classes as one-hot rows, real labels as they are."""
    if labels.ndim == 1 and not labels.is_floating_point():
        return nn.functional.one_hot(labels, shape[0]).double()
    return labels.reshape(len(labels), -1).double()


def decomposed(x: Tensor) -> Decomposed:
    """Rows about their mean, by the eigenvectors of the smaller of their two products."""
    x = x - x.mean(dim=0)
    if len(x) <= x.shape[1]:
        values, left = torch.linalg.eigh(x @ x.T)
    else:
        values, right = torch.linalg.eigh(x.T @ x)
    kept = values > values.max().clamp(min=0) * 1e-12
    sizes = values[kept].sqrt()
    if len(x) <= x.shape[1]:
        left = left[:, kept]
        return Decomposed(left, sizes, (x.T @ left) / sizes)
    right = right[:, kept]
    return Decomposed((x @ right) / sizes, sizes, right)


def fitted(parts: Decomposed, middle: Tensor, y: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
    """(outputs, d) weight and (outputs,) bias that minimise |xw + b - y|^2 + strength |w|^2; `middle` is the mean x."""
    inner = parts.left.T @ (y - y.mean(dim=0))
    weight = (parts.right @ ((parts.sizes / (parts.sizes**2 + strength))[:, None] * inner)).T
    return weight, y.mean(dim=0) - weight @ middle


def left_out_errors(parts: Decomposed, y: Tensor, strengths: Tensor) -> Tensor:
    """(strengths,) mean square error of each row by the fit to all others (Allen 1974), in closed form."""
    centred = y - y.mean(dim=0)
    inner, squares = parts.left.T @ centred, parts.left**2
    found = []
    for strength in strengths:
        share = parts.sizes**2 / (parts.sizes**2 + strength)
        rest = centred - parts.left @ (share[:, None] * inner)
        pull = 1 - 1 / len(y) - squares @ share
        found.append(((rest / pull.clamp(min=1e-12)[:, None]) ** 2).mean())
    return torch.stack(found)


def held_out_errors(x: Tensor, y: Tensor, strengths: Tensor, held: float) -> Tensor:
    """(strengths,) mean square error on the last `held` share of the rows, of fits to those before."""
    cut = min(len(x) - 1, max(1, round(len(x) * (1 - held))))
    if cut < 1:
        return torch.zeros_like(strengths)
    parts = decomposed(x[:cut])
    inner = parts.left.T @ (y[:cut] - y[:cut].mean(dim=0))
    seen = (x[cut:] - x[:cut].mean(dim=0)) @ parts.right
    shrunk = parts.sizes / (parts.sizes**2 + strengths[:, None])
    found = torch.einsum("nr,kr,ro->kno", seen, shrunk, inner) + y[:cut].mean(dim=0)
    return ((found - y[cut:]) ** 2).mean(dim=(1, 2))
