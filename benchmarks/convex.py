"""A linear head by L-BFGS against scikit-learn on one convex problem: loss, and CPU time of one thread.

python benchmarks/convex.py [--clips 10000] [--width 256] [--classes 10] [--repeats 5]
"""

import argparse
import os
from typing import Any

import numpy as np
import torch
from _cached import in_turn, say
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import nn

from ego.heads._base import Batch
from ego.heads._lbfgs import minimise
from ego.heads._train import begin
from ego.heads._training import Group, Training
from ego.heads.linear import Linear
from ego.tasks.classify import Classify
from ego.video import Array


def against_scikit_learn(count: int, width: int, classes: int, repeats: int) -> None:
    """The same convex problem: mean cross-entropy and half the decay times the weights' square, no decay of biases."""
    rng, decay = np.random.default_rng(0), 1e-2
    rows = rng.standard_normal((count, width), dtype=np.float32)
    labels = (rows @ rng.standard_normal((width, classes)) / 4 + rng.gumbel(size=(count, classes))).argmax(1)
    given, known = torch.from_numpy(rows)[:, None], torch.from_numpy(labels)
    tasks = {"verb": Classify(label="verb", classes=tuple(map(str, range(classes))))}
    there = torch.ones(count, 1, dtype=torch.bool)

    class Rows:
        still = True

        def __len__(self) -> int:
            return count

        def batch(self, indices: Any, draw: Any = None) -> Batch:
            mask = there[indices]
            return Batch(
                {"mean_rgb": given[indices]}, {"mean_rgb": mask}, {"verb": known[indices]}, {"verb": mask[:, 0]}
            )

    training = Training(optimiser="lbfgs", weight_decay=decay, groups=(Group("*.bias", weight_decay=0.0),))
    head, shapes, found = Linear(norm="none"), {"mean_rgb": Array((width,), "float32")}, {}

    def ours() -> None:
        found["torch"] = begin(head, shapes, tasks, training)
        list(minimise(found["torch"], head, tasks, Rows(), training))

    def theirs() -> None:
        found["scikit-learn"] = LogisticRegression(C=1 / (decay * count), max_iter=1000).fit(rows, labels)

    mine, other = in_turn(repeats, ours, theirs)
    layer, model = found["torch"].layers["of_verb"], found["scikit-learn"]
    sides = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()), (model.coef_, model.intercept_)]
    losses = [
        float(nn.functional.cross_entropy(torch.from_numpy(rows @ w.T + b), known) + decay / 2 * (w**2).sum())
        for w, b in sides
    ]
    print(f"convex loss: torch {losses[0]:.6f}, scikit-learn {losses[1]:.6f}, {losses[0] / losses[1] - 1:+.1e}")
    say(f"linear head / LogisticRegression, {count} x {width}, {classes} classes", mine, other, "at most 1")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("clips", 10_000), ("width", 256), ("classes", 10), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)  # scikit-learn's
    print(f"{asked}, one thread, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    against_scikit_learn(asked.clips, asked.width, asked.classes, asked.repeats)


if __name__ == "__main__":
    main()
