"""Flow in 8 bits, mirrored and resized: the values of the tools that wrote such files."""

import numpy as np
import pytest
import torch

from ego.layers.flow_codec import flipped, flipped_bytes, from_bytes, from_int8, resized, to_bytes, to_int8


def test_bytes_are_those_of_dense_flow() -> None:
    pixels = np.array([-25, -20, -10, 0, 10, 20, 25])
    assert to_bytes(pixels).tolist() == [0, 0, 64, 128, 191, 255, 255]
    assert (from_bytes(np.array([191], np.uint8)) / 20)[0] == pytest.approx(0.49804, abs=1e-5)
    assert from_bytes(np.array([127, 128], np.uint8)).tolist() == pytest.approx([-0.0784, 0.0784], abs=1e-4)
    assert from_bytes(np.array([0, 255], np.uint8), 25).tolist() == [-25, 25]


def test_eight_bits_lose_less_than_half_a_step() -> None:
    pixels = np.linspace(-20, 20, 4001)
    assert np.abs(from_bytes(to_bytes(pixels)) - pixels).max() < 0.0785
    assert np.abs(from_int8(to_int8(pixels)) - pixels).max() < 0.0788


def test_int8_keeps_zero_and_signs() -> None:
    assert from_int8(to_int8(np.zeros(3))).tolist() == [0, 0, 0]
    assert to_int8(np.array([-30, -20, 20, 30])).tolist() == [-127, -127, 127, 127]
    pixels = np.random.default_rng(0).normal(0, 9, 100)
    assert (to_int8(-pixels) == -to_int8(pixels)).all()


def test_a_mirrored_flow_turns_round_in_x_alone() -> None:
    flow = np.arange(24, dtype=np.float32).reshape(2, 2, 2, 3) - 10
    turned = flipped(flow)
    assert (turned[:, 0] == -flow[:, 0, :, ::-1]).all()
    assert (turned[:, 1] == flow[:, 1, :, ::-1]).all()
    assert (flipped(turned) == flow).all()
    stored = to_bytes(flow)
    assert np.abs(from_bytes(flipped_bytes(stored)) - flipped(from_bytes(stored))).max() < 1e-5


def test_vectors_are_scaled_with_the_picture() -> None:
    flow = torch.stack([torch.full((480, 640), 6.0), torch.full((480, 640), -4.0)])[None]
    half = resized(flow, 240, 320)
    assert half.shape == (1, 2, 240, 320)
    assert torch.allclose(half[0, 0], torch.tensor(3.0))
    assert torch.allclose(half[0, 1], torch.tensor(-2.0))
    assert torch.allclose(resized(flow, 480, 320)[0, 1], torch.tensor(-4.0))
