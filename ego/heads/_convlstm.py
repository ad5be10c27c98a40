"""The module of `convlstm`."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ego.heads._base import Tensors
from ego.heads._embedding import Embedding
from ego.heads._rows import Standard, aligned, clean, joined
from ego.layers.convlstm import ConvLSTM
from ego.video import Array


class ConvLSTMModule(Embedding):
    """Maps, attended or not, through `lstm_cell`; the mean over places of its last state; a linear layer a task."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        maps: Sequence[str],
        attention: str,
        channels: int,
        pool: str,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        motion: nn.Module | None,
        standard: bool = False,
    ) -> None:
        super().__init__(channels, dropout, outputs)
        self._arrays, self._maps, self._attention, self._pool = dict(arrays), tuple(maps), attention, pool
        width = sum(arrays[name].shape[0] for name in maps)
        self.standard = Standard(width) if standard else None
        self.lstm_cell = ConvLSTM(width, channels)
        self.motion = motion

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, channels) the mean over places of the last cell state, or of what it shows."""
        x, mask = joined(features, masks, self._arrays, self._maps, of_maps=True)
        if self.standard is not None:
            x = self.standard(x, mask)
        if self._attention:
            x = x * self._attended(features, masks, mask)[:, :, None]
        h, c = self.lstm_cell(x, mask)
        found: Tensor = c if self._pool == "c" else h
        return found.mean(dim=(2, 3))

    def attention_maps(self, features: Tensors, masks: Tensors) -> Tensor | None:
        """(B, S, h, w) the map beside its maps; without one None."""
        mask = joined(features, masks, self._arrays, self._maps, of_maps=True)[1]
        return self._attended(features, masks, mask) if self._attention else None

    def _attended(self, features: Tensors, masks: Tensors, mask: Tensor) -> Tensor:
        own = masks[self._attention]
        return aligned(clean(features[self._attention], own), own, mask)

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) scores of each task of clips asked for, and what moves at each step."""
        found = super().forward(features, masks, tasks, labels)
        return found if self.motion is None else found | self.motion(features, masks, tasks)


def from_published(found: Mapping[str, Tensor], task: str, motion: str = "") -> dict[str, Tensor]:
    """The head's tensors of an Ego-RNN or FPAR file: the cell, the classes of one task and the motion head."""
    names = {"fc.": f"layers.of_{task}.", "ms_task.": f"motion.layers.of_{motion}.", "lstm_cell.": "lstm_cell."}
    return {
        new + key.removeprefix(old): x
        for key, x in found.items()
        for old, new in names.items()
        if key.startswith(old) and (motion or old != "ms_task.")
    }
