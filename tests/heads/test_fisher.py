"""Fisher vectors have the published width and are what the gradients of a mixture are."""

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.heads._fisher import FisherVectors, gradients


def test_widths_and_length() -> None:
    draw = np.random.default_rng(0)
    descriptors = draw.normal(size=(300, 96)).astype(np.float32)
    model = FisherVectors(4).fit(descriptors)
    vector = model.encode(descriptors[:50])
    assert vector.shape == (2 * 4 * 48,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(vector, FisherVectors(4).fit(descriptors).encode(descriptors[:50]))
    assert not model.encode(descriptors[:0]).any()
    shuffled = model.encode(draw.permutation(descriptors[:50]))
    assert shuffled == pytest.approx(vector, abs=1e-4)


def test_gradients_are_those_of_the_likelihood() -> None:
    draw = np.random.default_rng(1)
    points, means = draw.normal(size=(30, 3)), draw.normal(size=(2, 3))
    weights, deviations = np.array([0.3, 0.7]), draw.uniform(0.5, 1.5, (2, 3))

    def likelihood(means: np.ndarray, deviations: np.ndarray) -> float:
        far = (points[:, None] - means) / deviations
        dense = np.exp(-0.5 * (far**2).sum(-1)) / (np.sqrt(2 * np.pi) ** 3 * deviations.prod(-1))
        return float(np.log(dense @ weights).mean())

    found = gradients(points, weights, means, deviations**2).reshape(2, 2, 3)
    step = 1e-5
    for k in range(2):
        for d in range(3):
            nudge = np.zeros((2, 3))
            nudge[k, d] = step
            by_mean = (likelihood(means + nudge, deviations) - likelihood(means - nudge, deviations)) / (2 * step)
            by_dev = (likelihood(means, deviations + nudge) - likelihood(means, deviations - nudge)) / (2 * step)
            assert found[0, k, d] == pytest.approx(by_mean * deviations[k, d] / np.sqrt(weights[k]), rel=1e-4)
            assert found[1, k, d] == pytest.approx(by_dev * deviations[k, d] / np.sqrt(2 * weights[k]), rel=1e-4)


def test_sets_of_unlike_descriptors_lie_apart() -> None:
    draw = np.random.default_rng(2)
    kinds = draw.normal(size=(2, 20)) / 2
    sets = [[draw.normal(size=(200, 20)) + kind for _ in range(2)] for kind in kinds]
    model = FisherVectors(1, keep=1.0).fit(draw.normal(size=(500, 20)))
    (a, b), (c, _) = ([model.encode(one) for one in pair] for pair in sets)
    assert a @ b > a @ c + 0.5


def test_misuse_is_said() -> None:
    with pytest.raises(BadRequest, match="call fit first"):
        FisherVectors(2).encode(np.zeros((3, 4)))
    with pytest.raises(BadRequest, match="expected more"):
        FisherVectors(8).fit(np.zeros((8, 4)))
    with pytest.raises(BadRequest, match="at least 1"):
        FisherVectors(0)
