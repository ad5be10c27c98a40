"""Light-ASD: counts, one output a frame, and clips that do not know of each other."""

import pytest
import torch

from ego.layers.light_asd import LightASD


@pytest.fixture(scope="module")
def network() -> LightASD:
    torch.manual_seed(0)
    return LightASD().eval()


def test_the_published_counts(network: LightASD) -> None:
    state = network.state_dict()
    assert len(state) == 192
    assert sum(tensor.numel() for tensor in state.values()) == 1_026_146


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 5, 13])
def test_as_many_outputs_as_frames(network: LightASD, frames: int) -> None:
    found = network(torch.rand(1, frames, 112, 112) * 255, torch.randn(1, 4 * frames, 13))
    assert found.feature.shape == (1, frames, 128)
    assert found.logits.shape == found.seen_logits.shape == (1, frames, 2)
    assert found.heard_logits is None


@torch.inference_mode()
def test_clips_of_a_batch_do_not_mix(network: LightASD) -> None:
    faces, cepstra = torch.rand(2, 4, 112, 112) * 255, torch.randn(2, 16, 13) * 10
    together = network(faces, cepstra).feature
    alone = torch.cat([network(faces[one : one + 1], cepstra[one : one + 1]).feature for one in range(2)])
    assert torch.allclose(together, alone, atol=1e-5)


@torch.inference_mode()
def test_every_frame_knows_of_all_others(network: LightASD) -> None:
    faces, cepstra = torch.rand(1, 12, 112, 112) * 255, torch.randn(1, 48, 13) * 10
    found = network(faces, cepstra).feature
    for place in (0, 11):
        changed = faces.clone()
        changed[:, place] = 255 - changed[:, place]
        assert (network(changed, cepstra).feature != found).any(dim=2).all()


def test_it_can_be_trained(network: LightASD) -> None:
    network = LightASD()
    found = network(torch.rand(2, 3, 112, 112) * 255, torch.randn(2, 12, 13))
    (found.logits.sum() + found.seen_logits.sum()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
