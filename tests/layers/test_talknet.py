"""TalkNet: counts, one output a frame, and clips that do not know of each other."""

import pytest
import torch

from ego.layers.talknet import GlobalNorm, TalkNet


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def network() -> TalkNet:
    torch.manual_seed(0)
    return TalkNet().eval()


def test_the_published_counts(network: TalkNet) -> None:
    blocks = {
        network.visualFrontend: 11_185_088,
        network.visualTCN: 1_328_645,
        network.visualConv1D: 689_024,
        network.audioEncoder: 1_354_390,
        network.crossA2V: 198_272,
        network.crossV2A: 198_272,
        network.selfAV: 789_760,
    }
    assert {block: count(block) for block in blocks} == blocks
    assert sum(blocks.values()) == 15_743_451
    assert count(network) == 15_743_451 + 514 + 258 + 258


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 2, 5, 13])
def test_as_many_outputs_as_frames(network: TalkNet, frames: int) -> None:
    found = network(torch.rand(1, frames, 112, 112) * 255, torch.randn(1, 4 * frames, 13))
    assert found.feature.shape == (1, frames, 256)
    for logits in (found.logits, found.heard_logits, found.seen_logits):
        assert logits is not None
        assert logits.shape == (1, frames, 2)


@torch.inference_mode()
def test_clips_of_a_batch_do_not_mix(network: TalkNet) -> None:
    faces, cepstra = torch.rand(3, 4, 112, 112) * 255, torch.randn(3, 16, 13) * 10
    together, turned = network(faces, cepstra), network(faces.flip(0), cepstra.flip(0))
    assert torch.allclose(turned.logits.flip(0), together.logits, atol=1e-4)
    for one in range(3):
        alone = network(faces[one : one + 1], cepstra[one : one + 1])
        assert torch.allclose(alone.feature[0], together.feature[one], atol=1e-4)
    other = network(faces, torch.cat([cepstra[:1], cepstra[1:] + 5])).logits
    assert torch.allclose(other[0], together.logits[0], atol=1e-4)
    assert not torch.allclose(other[1], together.logits[1], atol=1e-3)


def test_a_norm_over_channels_and_time_together() -> None:
    x = torch.randn(2, 6, 5) * torch.arange(1, 7)[None, :, None] + 3
    found = GlobalNorm(6)(x)
    assert torch.allclose(found.mean(dim=(1, 2)), torch.zeros(2), atol=1e-6)
    assert torch.allclose(found.var(dim=(1, 2), unbiased=False), torch.ones(2), atol=1e-4)
    assert found[:, 5].var() > 2 * found[:, 0].var()


def test_it_can_be_trained_but_for_the_shortcut_that_is_not_used() -> None:
    network = TalkNet()
    found = network(torch.rand(2, 3, 112, 112) * 255, torch.randn(2, 12, 13))
    assert found.heard_logits is not None
    (found.logits.sum() + found.heard_logits.sum() + found.seen_logits.sum()).backward()
    idle = {key for key, parameter in network.named_parameters() if parameter.grad is None}
    assert idle == {"visualFrontend.resnet.layer1.downsample.weight"}
