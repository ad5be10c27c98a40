"""Training steps of heads that are chains of layers without autograd: clips settled once, gradients written out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ego.heads._augment import Mixed, augmented
from ego.heads._base import Batch, Head, Tasks, Tensors
from ego.heads._chain import Chain, Settling
from ego.heads._deal import Indices, Stream
from ego.heads._training import Training

MOST_BYTES = 2**30
"""Larger tables are not kept: each batch is then settled by itself."""
LITTLE = 2**24
"""Below so many multiplications a step is done by one thread."""
AT_ONCE = 512
"""Clips settled at once: what they are on the way stays in the processor's cache."""


class Table(NamedTuple):
    """All clips: rows (n, width), and what is known of them by task."""

    rows: Tensor
    labels: dict[str, Tensor]
    labelled: dict[str, Tensor]


class Settled:
    """Clips as what a module settles of them; of clips that training always sees alike, computed once for all."""

    def __init__(self, stream: Stream, module: Settling, training: Training, device: str) -> None:
        self._clips, self._names = stream.clips, stream.tasks
        self._module, self._training, self._device = module, training, device

    def slopes(
        self, chain: Chain, indices: Indices, draw: np.random.Generator, head: Head, tasks: Tasks
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(K,) losses of the chain's settings on these clips, and {parameter: (K, *shape)} their gradients."""
        rows, (batch, other, part) = self._dealt(indices, draw)
        said = chain.said(rows, self._names)
        losses, found = head.slopes(said, batch.labels, batch.labelled, tasks)
        if part < 1:
            others, their = head.slopes(said, other.labels, other.labelled, tasks)
            losses = part * losses + (1 - part) * others
            found = {name: part * one + (1 - part) * their[name] for name, one in found.items()}
        return losses, chain.gradients(found)

    def _dealt(self, indices: Indices, draw: np.random.Generator) -> tuple[Tensor, Mixed]:
        """Rows (B, width) of these clips, and the batch that says what is known of them and their partners."""
        if self.table is None:
            batch = self._clips.batch(indices, draw).to(self._device)
            mixed = augmented(batch, self._training, draw)
            return self._module.settle(mixed.batch.features, mixed.batch.masks), mixed
        places = torch.from_numpy(indices).to(self._device)
        labels, labelled = (
            {name: one.index_select(0, places) for name, one in part.items()}
            for part in (self.table.labels, self.table.labelled)
        )
        batch = Batch({}, {}, labels, labelled)
        return self.table.rows.index_select(0, places), Mixed(batch, batch, 1.0)

    @cached_property
    def table(self) -> Table | None:
        """All clips where training always sees them alike and there are not too many; None: each batch is settled."""
        if not self._clips.still or self._training.mixup or self._training.feature_dropout:
            return None
        count, rows, labels, labelled = len(self._clips), torch.empty(0), list[Tensors](), list[Tensors]()
        for start in range(0, count, AT_ONCE):
            batch = self._clips.batch(np.arange(start, min(start + AT_ONCE, count))).to(self._device)
            some = self._module.settle(batch.features, batch.masks)
            if not start:
                if some.shape[1] * 4 * count > MOST_BYTES:
                    return None
                rows = _empty(count, some)
            rows[start : start + len(some)] = some
            labels.append(batch.labels)
            labelled.append(batch.labelled)
        return Table(rows, _joined(labels), _joined(labelled))


class ByHand:
    """Gradients of a chain of layers, added to those of its module's parameters as autograd would add them."""

    def __init__(self, module: nn.Module, chain: Chain, settled: Sequence[Settled], head: Head, tasks: Tasks) -> None:
        self._parameters = dict(module.named_parameters())
        self._chain, self._settled, self._head, self._tasks = chain, settled, head, tasks

    @classmethod
    def of(
        cls, module: nn.Module, head: Head, tasks: Tasks, streams: Sequence[Stream], training: Training, device: str
    ) -> "ByHand | None":
        """For a module whose gradients can be written out in this training; None where autograd must find them."""
        learnt = all(one.requires_grad for one in module.parameters())
        if not isinstance(module, Settling) or not head.stacks or head.tails or not learnt:
            return None
        if training.precision != "float32" or training.task_weighting != "fixed":
            return None
        chain = Chain(module.chain, {name: one.detach()[None] for name, one in module.named_parameters()})
        return cls(module, chain, [Settled(stream, module, training, device) for stream in streams], head, tasks)

    @contextmanager
    def threads(self, batch: int) -> Iterator[None]:
        """One thread for as long as a step is little work: others would be waited for longer than they help.

        On a machine that is busy besides, a product of microseconds then takes milliseconds.
        """
        with torch.no_grad():
            tables = [one.table for one in self._settled]
        before = torch.get_num_threads()
        if None not in tables and batch * sum(one.numel() for one in self._parameters.values()) < LITTLE:
            torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @torch.no_grad()
    def add(self, number: int, indices: Indices, draw: np.random.Generator, part: float) -> Tensor:
        """Adds this part of the gradients of some clips of a stream; returns as much of their loss, a scalar."""
        losses, found = self._settled[number].slopes(self._chain, indices, draw, self._head, self._tasks)
        for name, gradient in found.items():
            mine, one = gradient[0] if part == 1 else gradient[0] * part, self._parameters[name]
            one.grad = mine if one.grad is None else one.grad + mine
        return losses[0] * part


def _empty(count: int, like: Tensor) -> Tensor:
    """(count, width) float32 where `like` lies; on a CPU in the large pages that numpy asks for, torch does not."""
    shape = (count, like.shape[1])
    return torch.from_numpy(np.empty(shape, np.float32)) if like.device.type == "cpu" else like.new_empty(shape)


def _joined(parts: Sequence[Tensors]) -> dict[str, Tensor]:
    return {name: torch.cat([one[name] for one in parts]) for name in parts[0]}
