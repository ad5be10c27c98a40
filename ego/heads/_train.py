"""The one training loop: steps over streams of clips, one batch from each, gradients summed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._augment import augmented
from ego.heads._averaged import Averaged
from ego.heads._base import Head, Tasks
from ego.heads._by_hand import ByHand
from ego.heads._compiled import Compiled
from ego.heads._deal import Clips as Clips
from ego.heads._deal import Indices, dealers, steps_per_epoch
from ego.heads._deal import Stream as Stream
from ego.heads._optimiser import Moved, Optimiser, groups_of
from ego.heads._predict import Predicted as Predicted
from ego.heads._predict import predict as predict
from ego.heads._schedule import share
from ego.heads._stopping import Stopping
from ego.heads._training import Training
from ego.heads._weighing import Weighing
from ego.video import Array

State = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One step of training: its place among `total` steps, its epoch (from 1), its rate and its loss, a scalar tensor.

    `ends` says that it is the last of its epoch; `held` is then the loss on what is held out, where something is.
    """

    step: int
    total: int
    epoch: int
    loss: Tensor
    lr: float = 0.0
    ends: bool = False
    held: float | None = None


def begin(head: Head, shapes: Mapping[str, Array], tasks: Tasks, training: Training) -> nn.Module:
    """The head's module with the initial values of the seed; torch's own generator stays as it was."""
    with seeded(training.seed % 2**63, "cpu"):
        return head.build(shapes, tasks)


class Loop:
    """Training under way: an iterator over its steps, whose state can be taken between two of them and put back.

    The same seed gives the same weights, bit for bit, also when a loop goes on from another's state. `held` are the
    clips held out, which the first stream's tasks label. `compiled` compiles the forward pass and captures it on a GPU.
    """

    def __init__(
        self,
        module: nn.Module,
        head: Head,
        tasks: Tasks,
        streams: Sequence[Stream],
        training: Training,
        device: str = "cpu",
        held: Clips | None = None,
        compiled: bool = False,
    ) -> None:
        self._dealers = dealers(streams, training)
        self._per_epoch = steps_per_epoch(streams, self._dealers)
        whole = self._per_epoch * training.epochs
        self.total = min(whole, training.steps or whole)
        self.done = 0
        self._module, self._head, self._tasks = module.to(device), head, tasks
        self._streams, self._training, self._device = streams, training, device
        self._forward = Compiled(module, device) if compiled else module
        _to_training(self._module, training.freeze_norms)
        self._optimiser = Optimiser(groups_of(module, training), training)
        names = [name for stream in streams for name in stream.tasks]
        self._weighing = Weighing(head, tasks, names, module, training).to(device)
        if balances := list(self._weighing.parameters()):
            self._optimiser.add(Moved(list[Tensor](balances), training.lr, 0.0))
        self._by_hand = None if compiled else ByHand.of(module, head, tasks, streams, training, device)
        self._averaged = Averaged(module, training.ema) if training.ema else None
        self._stopping = Stopping(training.patience) if held is not None else None
        self._held = held
        self._draws = [np.random.default_rng([training.seed, number]) for number in range(len(streams))]
        self._scaler = torch.amp.GradScaler(torch.device(device).type) if training.precision == "float16" else None

    def __iter__(self) -> Iterator[Step]:
        with self._by_hand.threads(self._training.batch) if self._by_hand else nullcontext():
            while self.done < self.total and not (self._stopping and self._stopping.over):
                yield self._step()
        self._finish()

    def state(self) -> State:
        """All that the steps to come depend on, as tensors and plain values."""
        return {
            "done": self.done,
            "module": self._module.state_dict(),
            "weighing": self._weighing.state_dict(),
            "optimiser": self._optimiser.state(),
            "scaler": self._scaler.state_dict() if self._scaler else None,
            "averaged": self._averaged.state() if self._averaged else None,
            "stopping": self._stopping.state() if self._stopping else None,
            "draws": [draw.bit_generator.state for draw in self._draws],
        }

    def resume(self, state: State) -> None:
        """Goes on from a state that a loop of the same training gave."""
        self._module.load_state_dict(state["module"])
        self._weighing.load_state_dict(state["weighing"])
        self._optimiser.load(state["optimiser"])
        if self._scaler:
            self._scaler.load_state_dict(state["scaler"])
        if self._averaged:
            self._averaged.load(state["averaged"])
        if self._stopping:
            self._stopping.load(state["stopping"])
        for draw, its in zip(self._draws, state["draws"], strict=True):
            draw.bit_generator.state = its
        self.done = state["done"]

    @contextmanager
    def as_tested(self) -> Iterator[nn.Module]:
        """The module as it would be tested now: with the mean of its weights where one is kept."""
        if self._averaged is None:
            yield self._module.eval()
            return
        with self._averaged.applied(self._module):
            yield self._module.eval()

    def _step(self) -> Step:
        epoch, place = divmod(self.done, self._per_epoch)
        part = share(self._training, self.done, self._per_epoch, self.total)
        self._optimiser.forget()
        if not self._module.training:
            _to_training(self._module, self._training.freeze_norms)
        # dropout of a step depends on seed and step alone
        drawing = self._by_hand is None or self._training.feature_dropout
        with seeded(seed_of(self._training.seed, self.done), self._device) if drawing else nullcontext():
            loss = sum((self._gradients(number, epoch, place) for number in range(len(self._streams))), start=_NOTHING)
        self._update(part)
        self.done += 1
        ends = place == self._per_epoch - 1 or self.done == self.total
        held = self._end_of_epoch(loss, epoch) if ends else None
        return Step(self.done, self.total, epoch + 1, loss, self._training.lr * part, ends, held)

    def _gradients(self, number: int, epoch: int, place: int) -> Tensor:
        """Adds the gradients of one stream's clips and returns their loss."""
        indices = self._dealers[number].deal(epoch, place)
        parts = np.array_split(indices, self._training.accumulate) if self._training.accumulate > 1 else [indices]
        loss = _NOTHING
        for some in parts:
            part = len(some) / len(indices)
            if len(some) and self._by_hand is not None:
                loss = loss + self._by_hand.add(number, some, self._draws[number], part)
            elif len(some):
                one = self._loss(self._streams[number], some, self._draws[number])
                one = one if part == 1 else one * part
                torch.autograd.backward(self._scaler.scale(one) if self._scaler else one)
                loss = loss + one.detach()
        return loss

    def _loss(self, stream: Stream, indices: Indices, draw: np.random.Generator) -> Tensor:
        batch = stream.clips.batch(indices, draw).to(self._device)
        batch, other, part = augmented(batch, self._training, draw)
        with _cast(self._device, self._training.precision):
            said = self._forward(batch.features, batch.masks, stream.tasks, batch.labels)
            loss: Tensor = self._weighing(said, batch.labels, batch.labelled)
            if part < 1:
                loss = part * loss + (1 - part) * self._weighing(said, other.labels, other.labelled)
        return loss

    def _update(self, part: float) -> None:
        optimiser: Any = self._optimiser  # what the scaler asks of one of torch's it has
        if self._training.clip_norm:
            if self._scaler:
                self._scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(optimiser.parameters, self._training.clip_norm)
        if self._scaler:
            self._scaler.step(optimiser, share=part)
            self._scaler.update()
        else:
            optimiser.step(part)
        if self._averaged:
            self._averaged.update(self._module)

    def _end_of_epoch(self, loss: Tensor, epoch: int) -> float | None:
        if not bool(torch.isfinite(loss)):
            lower = f"set training.lr below {self._training.lr:g}"
            raise BadRequest(f"the loss became {float(loss)} by step {self.done}; {lower}")
        if self._stopping is None or self._held is None:
            return None
        with self.as_tested() as module:
            held = self._held_loss(module, self._held)
            self._stopping.see(epoch + 1, held, module)
        return held

    def _held_loss(self, module: nn.Module, held: Clips) -> float:
        """The mean loss of a clip that is held out."""
        total, tasks = 0.0, self._streams[0].tasks
        with torch.no_grad():
            for start in range(0, len(held), 64):
                indices = np.arange(start, min(start + 64, len(held)))
                batch = held.batch(indices).to(self._device)
                said = module(batch.features, batch.masks, tasks)
                total += float(self._head.loss(said, batch.labels, batch.labelled, self._tasks)) * len(indices)
        return total / len(held)

    def _finish(self) -> None:
        if self._averaged:
            self._averaged.give(self._module)
        if self._stopping:
            self._stopping.give(self._module)
        self._module.eval()


def train(
    module: nn.Module, head: Head, tasks: Tasks, streams: Sequence[Stream], training: Training, device: str = "cpu"
) -> Iterator[Step]:
    """Trains the module in place and yields every step; the same seed gives the same weights, bit for bit.

    A loss that is not finite at the end of an epoch is a BadRequest.
    """
    return iter(Loop(module, head, tasks, streams, training, device))


_NOTHING = torch.zeros(())


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """torch draws from this seed for a while, on the CPU and on the device; then from where it was."""
    generators = [torch.default_generator]
    if torch.device(device).type == "cuda":
        index = torch.device(device).index
        generators.append(torch.cuda.default_generators[torch.cuda.current_device() if index is None else index])
    states = [one.get_state() for one in generators]
    for one in generators:
        one.manual_seed(seed)
    try:
        yield
    finally:
        for one, state in zip(generators, states, strict=True):
            one.set_state(state)


def seed_of(seed: int, step: int) -> int:
    """What torch draws from in a step of a training of this seed."""
    return (seed * 1_000_003 + step) % 2**63


def _cast(device: str, precision: str) -> AbstractContextManager[Any]:
    if precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, torch.float16 if precision == "float16" else torch.bfloat16)


def _to_training(module: nn.Module, freeze_norms: bool) -> None:
    module.train()
    if freeze_norms:
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.eval()
