"""The module of `two_stream`."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.heads._embedding import apart

ALONE = "@"
"""Between a task and a stream: what one stream says by itself, in training."""


class TwoStreamModule(nn.Module):
    """Two heads whose scores are averaged, or whose vectors side by side give the scores."""

    def __init__(
        self,
        first: nn.Module,
        second: nn.Module,
        fuse: str,
        widths: tuple[int, int],
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        steps: Sequence[str],
    ) -> None:
        super().__init__()
        self.first, self.second = first, second
        self._fuse, self._outputs, self._steps = fuse, dict(outputs), tuple(steps)
        self.dropout = nn.Dropout(dropout)
        joint = outputs if fuse == "joint" else ()
        self.layers = apart(joint, lambda name: nn.Linear(sum(widths), outputs[name][0]))

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, classes) scores of each task of clips; while trained for late fusion, each stream's own instead.

        Tasks of steps are the first stream's.
        """
        clips, dense = ([name for name in tasks if name in some] for some in (self._outputs, self._steps))
        found = dict(self.first(features, masks, dense)) if dense else {}
        if not clips:
            return found
        if self._fuse == "joint":
            vectors = [stream.embed(features, masks) for stream in (self.first, self.second)]  # type: ignore[operator]
            hidden = self.dropout(torch.cat(vectors, dim=1))
            return found | {name: self.layers[slot(name)](hidden) for name in clips}
        said = [stream(features, masks, clips) for stream in (self.first, self.second)]
        if self.training:
            return found | {f"{name}{ALONE}{i}": one[name] for i, one in enumerate(said) for name in clips}
        return found | {name: self._late(*(one[name] for one in said)) for name in clips}

    def _late(self, first: Tensor, second: Tensor) -> Tensor:
        """The mean of both, as scores: of softmaxes its logarithm."""
        if self._fuse == "logits":
            return (first + second) / 2
        both = torch.stack([first.float().log_softmax(-1), second.float().log_softmax(-1)])
        return both.logsumexp(dim=0) - torch.log(torch.tensor(2.0))
