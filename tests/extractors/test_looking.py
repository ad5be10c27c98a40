"""How LAM's seven frames are packed where the face is away."""

import numpy as np
import pytest
import torch

from ego.extractors._looking import BATCH, features, packed


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("1234567", "1234567"),
        ("1.34.67", "1134677"),
        ("...4567", "4444567"),
        ("1234...", "1234444"),
        ("...4...", "4444444"),
        ("1..4..7", "1114777"),
    ],
)
def test_frames_that_are_away(there: str, expected: str) -> None:
    found = packed([None if one == "." else np.array([float(one)]) for one in there])
    assert found[:, 0].tolist() == [float(one) for one in expected]


def test_features_of_many_faces_come_in_batches() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (BATCH + 3, 8, 8, 3), np.uint8)
    sizes = []

    class Mean(torch.nn.Module):
        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            sizes.append(len(faces))
            return faces.mean(dim=(2, 3)).repeat(1, 86)[:, :256]

    found = features(Mean(), crops, "cpu", "float32")
    assert sizes == [BATCH, 3]
    expected = (crops / 255.0).mean(axis=(1, 2))
    np.testing.assert_allclose(found[:, 0], (expected[:, 0] - 0.485) / 0.229, rtol=1e-4, atol=1e-5)
    assert features(Mean(), crops[:0], "cpu", "float32").shape == (0, 256)
