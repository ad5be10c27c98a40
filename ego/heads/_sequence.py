"""The modules of `lstm` and `tcn`: steps in order in, a vector of the clip and one of each step out."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ego.errors import BadRequest
from ego.heads._base import Tensors
from ego.heads._embedding import Embedding
from ego.heads._rows import in_front, joined, mean, traced
from ego.video import Array


class SequenceModule(Embedding):
    """Features side by side on the steps of the first; what `look` makes of them, then a linear layer a task."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        names: Sequence[str],
        width: int,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        steps: Sequence[str],
    ) -> None:
        super().__init__(width, dropout, outputs)
        self._arrays, self._names, self._steps = dict(arrays), tuple(names), frozenset(steps)

    @abstractmethod
    def look(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, width) and (B, S, width) of steps (B, S, C), 0 where their mask (B, S) is false."""

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) of the clip."""
        return self.look(*joined(features, masks, self._arrays, self._names))[0]

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) of the tasks of clips and (B, S, *shape) of those of steps."""
        clip, each = self.look(*joined(features, masks, self._arrays, self._names))
        found = self.scores(clip, [name for name in tasks if name not in self._steps])
        return found | self.scores(each, [name for name in tasks if name in self._steps])


class LSTMModule(SequenceModule):
    """An LSTM; the vector of a clip is its last step's, or the mean of all."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        widths: Mapping[str, int],
        width: int,
        layers: int,
        both: bool,
        pool: str,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        steps: Sequence[str],
    ) -> None:
        super().__init__(arrays, tuple(widths), width * (1 + both), dropout, outputs, steps)
        self._pool = pool
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(sum(widths.values()), width, layers, batch_first=True, bidirectional=both, dropout=between)

    def look(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The LSTM sees what is there alone, one after another."""
        places = in_front(mask)
        lengths = mask.sum(dim=1)
        first = x.gather(1, places[..., None].expand_as(x))
        if traced():
            return self._unpacked(first, places, mask)
        packed = pack_padded_sequence(first, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        out, (h, _) = self.lstm(packed)
        seen, _ = pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])
        back = places.argsort(dim=1)[..., None].expand(-1, -1, seen.shape[2])
        each = seen.gather(1, back) * mask[..., None]
        if self._pool == "mean":
            return mean(each, mask), each
        last = torch.cat([h[-2], h[-1]], dim=1) if self.lstm.bidirectional else h[-1]
        return last * (lengths > 0)[:, None], each

    def _unpacked(self, first: Tensor, places: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The same without packing: what stands behind the last step changes nothing before it."""
        if self.lstm.bidirectional:
            raise BadRequest(
                "a bidirectional lstm begins where each clip ends, which no exported program can; fit one way"
            )
        start = first.new_zeros(self.lstm.num_layers, len(first), self.lstm.hidden_size)
        out, _ = self.lstm(first, (start, start))
        each = out.gather(1, places.argsort(dim=1)[..., None].expand_as(out)) * mask[..., None]
        if self._pool == "mean":
            return mean(each, mask), each
        lengths = mask.sum(dim=1)
        last = out.gather(1, (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, out.shape[2]))[:, 0]
        return last * (lengths > 0)[:, None], each


class TCNModule(SequenceModule):
    """Residual convolutions over time, each seeing twice as far as the one before; the mean over steps of a clip."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        widths: Mapping[str, int],
        width: int,
        layers: int,
        causal: bool,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        steps: Sequence[str],
    ) -> None:
        super().__init__(arrays, tuple(widths), width, dropout, outputs, steps)
        self._causal = causal
        self.first = nn.Conv1d(sum(widths.values()), width, 1)
        self.dilated = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=2**layer) for layer in range(layers))
        self.mixing = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(layers))

    def look(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is not there is 0 before every layer, as beyond the ends."""
        there = mask[:, None].to(x.dtype)
        x = self.first(x.transpose(1, 2)) * there
        for layer, (dilated, mixing) in enumerate(zip(self.dilated, self.mixing, strict=True)):
            reach = 2**layer
            padded = F.pad(x, (2 * reach, 0) if self._causal else (reach, reach))
            x = (x + self.dropout(mixing(torch.relu(dilated(padded))))) * there
        each = x.transpose(1, 2)
        return mean(each, mask), each
