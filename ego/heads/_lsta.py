"""The module of `lsta`."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors
from ego.heads._embedding import Embedding
from ego.heads._rows import Standard, aligned, clean, map_steps
from ego.layers.lsta import LSTA
from ego.video import Array


class LSTAModule(Embedding):
    """Maps and their class activations through `lsta_cell`; the mean over places of its last memory."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        seen: str,
        cam: str,
        classes: int,
        soft_pool: bool,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        motion: nn.Module | None,
        standard: bool = False,
    ) -> None:
        super().__init__(arrays[seen].shape[0], dropout, outputs)
        self._array, self._seen, self._cam = arrays[seen], seen, cam
        self.lsta_cell = LSTA(self.width, classes, soft_pool)
        self.motion = motion
        self.standard = Standard(self.width) if standard else None
        self.standard_cam = Standard(1) if standard else None

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, channels) the mean over places of the last memory, before its tanh."""
        memory = self.lsta_cell(*self._steps(features, masks))
        found: Tensor = memory.c.mean(dim=(2, 3))
        return found

    def attention_maps(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, S, h, w), sums of 1 over places."""
        x, cam, mask = self._steps(features, masks)
        each = [memory.s[:, 0] for _, memory in self.lsta_cell.unroll(x, cam, mask)]
        return (torch.stack(each, dim=1) + cam).flatten(2).softmax(2).view_as(cam)

    def _steps(self, features: Tensors, masks: Tensors) -> tuple[Tensor, Tensor, Tensor]:
        """Maps, their class activations and their mask, step by step."""
        x, mask = map_steps(features[self._seen], masks[self._seen], self._array)
        own = masks[self._cam]
        cam = aligned(clean(features[self._cam], own), own, mask)
        if self.standard is None or self.standard_cam is None:
            return x, cam, mask
        return self.standard(x, mask), self.standard_cam(cam[:, :, None], mask)[:, :, 0], mask

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) scores of each task of clips asked for, and what moves at each step."""
        found = super().forward(features, masks, tasks, labels)
        return found if self.motion is None else found | self.motion(features, masks, tasks)


def from_published(found: Mapping[str, Tensor], task: str) -> dict[str, Tensor]:
    """The head's tensors of a file of LSTA's RGB model: the cell and the classes of one task."""
    own = {key: x for key, x in found.items() if key.startswith("lsta_cell.")}
    return own | {f"layers.of_{task}.{name}": found[f"fc.{name}"] for name in ("weight", "bias")}
