"""The least loss of a head on all clips at once: for problems that are convex there is no better place to end."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from ego.errors import BadRequest
from ego.heads._base import Batch, Head, Tasks, Tensors
from ego.heads._deal import Clips
from ego.heads._linear import LinearModule
from ego.heads._optimiser import groups_of
from ego.heads._train import Step
from ego.heads._training import Training

FLATTEST = 1e-4
"""A gradient whose numbers are all smaller ends the search."""
HISTORY = 10
"""How many steps the curvature is estimated from."""


def minimise(
    module: nn.Module, head: Head, tasks: Tasks, clips: Clips, training: Training, device: str = "cpu"
) -> Iterator[Step]:
    """Trains the module in place by L-BFGS (Liu and Nocedal 1989) and then yields its iterations.

    What is minimised, and is each step's loss, is the head's loss of all clips as they are tested and half of the
    decay times the squares of the weights of each group. A training or head that this cannot hold for, and a loss that
    is not finite, are BadRequests.
    """
    from scipy.optimize import minimize  # here, because most trainings do without

    _check(head, training)
    module.to(device).train()
    learnt = [(one, group.weight_decay) for group in groups_of(module, training) for one in group.parameters]
    parameters = [one for one, _ in learnt]
    decay = np.concatenate([np.full(one.numel(), each) for one, each in learnt])
    batch = clips.batch(np.arange(len(clips))).to(device)
    say, losses = _scores_of(module, batch, tuple(tasks)), list[float]()

    def loss_of(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        with torch.no_grad():
            vector_to_parameters(torch.from_numpy(at).to(parameters[0]), parameters)
        loss = head.loss(say(), batch.labels, batch.labelled, tasks)
        gradients = torch.autograd.grad(loss, parameters)
        slope = torch.cat([one.flatten() for one in gradients]).cpu().numpy().astype(np.float64)
        return float(loss.detach()) + 0.5 * float(decay @ np.square(at)), slope + decay * at

    def note(intermediate_result: Any) -> None:  # scipy goes by this name
        losses.append(float(intermediate_result.fun))

    start = parameters_to_vector(parameters).detach().cpu().numpy().astype(np.float64)
    most = {"maxiter": training.epochs, "maxls": 50, "maxcor": HISTORY, "gtol": FLATTEST, "ftol": 64 * 2.0**-52}
    found = minimize(loss_of, start, method="L-BFGS-B", jac=True, options=most, callback=note)
    if not np.isfinite(found.fun):
        raise BadRequest(f"the loss became {found.fun}; scale the features with head.norm = 'layer'")
    with torch.no_grad():
        vector_to_parameters(torch.from_numpy(found.x).to(parameters[0]), parameters)
    module.eval()
    for step, loss in enumerate(losses, start=1):
        yield Step(step, len(losses), step, torch.tensor(loss), ends=True)


def _scores_of(module: nn.Module, batch: Batch, tasks: tuple[str, ...]) -> Callable[[], Tensors]:
    """What computes the module's scores of these clips: what no weight changes is computed once."""
    if not isinstance(module, LinearModule):
        return lambda: module(batch.features, batch.masks, tasks, batch.labels)
    with torch.no_grad():
        hidden = module.embed(batch.features, batch.masks)
    return lambda: module.scores(hidden, tasks)


def _check(head: Head, training: Training) -> None:
    """Nothing, or a BadRequest where something is asked for that makes the loss another at every look."""
    if not head.stacks or head.tails:
        raise BadRequest(
            f"got training.optimiser = 'lbfgs' for the head {head.name!r} as it is set, expected one that draws "
            "nothing and reads stored features alone, such as linear without dropout and batch norm"
        )
    plain = Training()
    for name in ("hold_out", "balance", "best_on_test", "mixup", "feature_dropout", "ema", "clip_norm", "accumulate",
                 "precision", "task_weighting", "steps"):  # fmt: skip
        if getattr(training, name) != getattr(plain, name):
            raise BadRequest(
                f"got training.{name} = {getattr(training, name)!r} with optimiser = 'lbfgs', which sees all clips at "
                "once as they are; leave it out or choose another optimiser"
            )
