"""The module of `cells`."""

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d


class CellMeans(nn.Module):
    """Means over a grid; flow is `parted` first, `flat` rows are vectors."""

    def __init__(self, grid: int, parted: bool, flat: bool) -> None:
        super().__init__()
        self._grid, self._parted, self._flat = grid, parted, flat

    def forward(self, maps: torch.Tensor, **beside: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, C, h, w) or (B, h, w) -> `feature` (B, channels, grid, grid), or flat."""
        x = maps.float() if maps.ndim == 4 else maps.float()[:, None]
        if self._parted:
            x = torch.stack([x.clamp(min=0), (-x).clamp(min=0)], dim=2).flatten(1, 2)
        x = adaptive_avg_pool2d(x, self._grid)
        return {"feature": x.flatten(1) if self._flat else x}
