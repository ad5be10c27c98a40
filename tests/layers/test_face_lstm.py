"""The networks of Ego4D's looking-at-me and talking-to-me baselines."""

import torch

from ego.layers.face_lstm import FaceTrunk, LookingAtMe, TalkingToMe


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_counts() -> None:
    looking, talking = LookingAtMe(), TalkingToMe()
    assert count(looking) == 14_641_322
    assert count(talking) == 20_170_338
    assert count(FaceTrunk()) == 11_176_512 + 769_256
    assert count(looking.base_model) + count(looking.lstm) == 14_575_400
    assert len(looking.state_dict()) == 144
    assert len(talking.state_dict()) == 308


@torch.inference_mode()
def test_features_of_a_face_serve_every_window_it_is_in() -> None:
    network, faces = LookingAtMe().eval(), torch.rand(9, 3, 32, 32)
    features = network.base_model(faces)
    for first in range(3):
        alone = network(faces[None, first : first + 7])
        assert torch.allclose(network.judge(features[None, first : first + 7]), alone, atol=1e-5)


@torch.inference_mode()
def test_talking_to_me_listens_and_sees_the_whole_segment() -> None:
    torch.manual_seed(1)
    network, features, spectra = TalkingToMe().eval(), torch.randn(1, 9, 256), torch.randn(1, 60, 64)
    found = network.judge(features, spectra)
    first, heard = features.clone(), spectra.clone()
    first[:, 0] += 1
    heard[:, 0] += 1
    assert not torch.equal(network.judge(first, spectra), found)
    assert not torch.equal(network.judge(features, heard), found)


def test_they_can_be_trained() -> None:
    looking, talking = LookingAtMe(), TalkingToMe()
    looking(torch.rand(2, 7, 3, 32, 32)).sum().backward()
    talking(torch.rand(2, 3, 3, 32, 32), torch.rand(2, 30, 64)).sum().backward()
    for trunk in (looking.base_model, talking.video_encoder):
        assert trunk.conv1.weight.grad is not None
        assert trunk.conv1.weight.grad.abs().sum() > 0
    assert talking.audio_encoder.conv1.weight.grad is not None
