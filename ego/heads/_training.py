"""How a head is trained, as the recipe says it; the loop itself is `ego.heads._train`."""

from dataclasses import dataclass
from typing import Literal

from ego.errors import BadRequest
from ego.spec import Spec, late


@dataclass(frozen=True)
class Group(Spec):
    """Parameters trained at a rate of their own: those whose names match `parameters`, such as `networks.rgb.*`.

    `lr` and `weight_decay` are those of the training where they are not given; with `lr = 0` the parameters stay as
    they are. Of several groups that match a name the first counts.
    """

    parameters: str
    lr: float | None = None
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lr", "weight_decay"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise BadRequest(f"got training.groups.{name} = {value:g}, expected at least 0")


@dataclass(frozen=True)
class Training(Spec):
    """How a head is trained.

    An epoch's clips are dealt evenly into batches of at most `batch`; a step updates the weights with `accumulate`
    batches, whose gradients are averaged. `steps` ends training earlier (0: after `epochs`).

    `lbfgs` sees all clips at once for at most `epochs` iterations and ends where the gradient is flat; `weight_decay`
    is then half the factor of the weights' squares, and rates and batches do not matter. It is for heads without
    chance in them: one layer has but one least loss.

    `schedule` says what becomes of `lr`: it stays (`constant`); falls to `floor * lr` by a cosine over all steps;
    rises from `floor * lr` to `lr` and falls back in straight lines, once every `cycle` (`cyclic`, changed every
    step); is multiplied by `factor` at each of the `milestones` (`step`); or by `factor` at the end of every `unit`
    (`exponential`). `milestones`, `cycle` and `warm_up` count in `unit`s. While `warm_up` lasts the rate rises in
    equal parts to the schedule's own; a cosine then falls over the steps that are left.

    `hold_out` is the part of the training clips, by video, that is not trained on: the epoch with the least loss on
    it is kept, and `patience` epochs without a lesser one end training (0: all epochs are run). `best_on_test`
    reports beside the run's own figures the best of any epoch on what is tested, as papers do; nothing follows from
    it. `balance` names a task of classes: an epoch then draws, with repetition, each of its classes as often.

    `clip_norm` bounds the length of the gradient (0: no bound). `ema` is the decay of a running mean of the weights,
    which is what is tested and kept (0: the weights themselves). `mixup` mixes pairs of clips and their losses by a
    share drawn from Beta(mixup, mixup); `feature_dropout` sets numbers that the head is given to 0.
    `freeze_norms` leaves the statistics of batch norms as they are. `betas` and `eps` are Adam's. `task_weighting`
    says how several tasks' losses are summed: by their `weight`s (`fixed`), by variances that are learnt
    (`uncertainty`), or so that no task gets worse (`mgda`, over the parameters that all of them reach).
    """

    optimiser: Literal["adamw", "adam", "sgd", "lbfgs"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-2
    momentum: float = 0.9
    schedule: Literal["cosine", "constant", "cyclic", "step", "exponential"] = "cosine"
    epochs: int = 100
    steps: int = 0
    batch: int = 64
    seed: int = 0
    nesterov: bool = late(False)
    betas: tuple[float, float] = late((0.9, 0.999))
    eps: float = late(1e-8)
    unit: Literal["epoch", "step"] = late("epoch")
    floor: float = late(0.0)
    cycle: int = late(20)
    milestones: tuple[int, ...] = late(())
    factor: float = late(0.1)
    warm_up: int = late(0)
    accumulate: int = late(1)
    precision: Literal["float32", "bfloat16", "float16"] = late("float32")
    clip_norm: float = late(0.0)
    ema: float = late(0.0)
    hold_out: float = late(0.0)
    patience: int = late(0)
    best_on_test: bool = late(False)
    balance: str = late("")
    mixup: float = late(0.0)
    feature_dropout: float = late(0.0)
    freeze_norms: bool = late(False)
    groups: tuple[Group, ...] = late(())
    task_weighting: Literal["fixed", "uncertainty", "mgda"] = late("fixed")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in _AT_LEAST_0 + _AT_LEAST_1:
            least = 1 if name in _AT_LEAST_1 else 0
            if getattr(self, name) < least:
                raise BadRequest(f"got training.{name} = {getattr(self, name)}, expected at least {least}")
        for name in ("ema", "hold_out", "feature_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise BadRequest(f"got training.{name} = {getattr(self, name):g}, expected 0 <= {name} < 1")
        if not 0 <= self.floor <= 1:
            raise BadRequest(f"got training.floor = {self.floor:g}, expected 0 <= floor <= 1; it is a part of lr")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise BadRequest(f"got training.betas = {list(self.betas)}, expected 0 <= beta < 1")
        self._check_together()

    def _check_together(self) -> None:
        if self.nesterov and (self.optimiser != "sgd" or not self.momentum):
            raise BadRequest("got training.nesterov = true, expected optimiser = 'sgd' with momentum")
        if self.schedule == "step" and not self.milestones:
            raise BadRequest("got training.schedule = 'step' without milestones, expected some such as [25, 75]")
        if list(self.milestones) != sorted(set(self.milestones)) or any(one < 1 for one in self.milestones):
            raise BadRequest(f"got training.milestones = {list(self.milestones)}, expected rising numbers from 1 on")
        if self.patience and not self.hold_out:
            raise BadRequest("got training.patience without training.hold_out, expected a part to look at such as 0.2")


_AT_LEAST_0 = ("lr", "weight_decay", "momentum", "steps", "seed", "eps", "factor", "warm_up", "clip_norm", "patience",
               "mixup")  # fmt: skip
_AT_LEAST_1 = ("epochs", "batch", "cycle", "accumulate")
