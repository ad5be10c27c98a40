"""Embeddings: what goes into the last layer of a head, clip by clip."""

import numpy as np
import torch

from ego.heads._base import Batch
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.pipeline.embeddings import MOST, embeddings
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("a", "b", "c"))}


class Rows:
    still = True

    def __init__(self, width):
        self.rows = torch.randn(70, 2, width, generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.rows)

    def batch(self, indices, draw=None):
        return Batch({"rgb": self.rows[indices]}, {"rgb": torch.ones(len(indices), 2, dtype=torch.bool)}, {}, {})


def test_they_are_what_the_last_layer_is_given():
    clips = Rows(5)
    module = begin(Linear(norm="none"), {"rgb": Array((5,))}, TASKS, Training())
    found = embeddings(module, clips, TASKS)
    assert np.allclose(found, clips.rows.mean(dim=1), atol=2e-3)


class Nothing(torch.nn.Module):
    def forward(self, features, masks, tasks, labels=None):
        return {"verb": torch.zeros(len(features["rgb"]), 3)}


def test_without_such_a_layer_they_are_the_features_means_and_never_too_wide():
    found = embeddings(Nothing(), Rows(3 * MOST), TASKS)
    assert found.shape == (70, MOST)
    assert embeddings(Nothing(), Rows(5), {}) is None


def test_numbers_too_large_for_half_precision_stay_finite():
    clips = Rows(5)
    clips.rows = clips.rows * 1e6
    assert np.isfinite(embeddings(Nothing(), clips, TASKS)).all()
