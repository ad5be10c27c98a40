"""SE-ResNets of sound: counts, shapes and what they are indifferent to."""

import torch

from ego.layers.se_resnet import CepstraEncoder, Excitation, SpeechEncoder


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_published_counts() -> None:
    assert count(SpeechEncoder()) == 5_463_480
    assert count(CepstraEncoder()) == 1_354_390


def test_excitation_weighs_whole_channels() -> None:
    torch.manual_seed(0)
    layer, x = Excitation(16), torch.rand(2, 16, 3, 5) + 0.5
    weights = layer(x) / x
    assert torch.allclose(weights, weights[:, :, :1, :1].expand_as(weights))
    assert ((weights > 0) & (weights < 1)).all()


@torch.inference_mode()
def test_a_vector_a_frame() -> None:
    encoder = CepstraEncoder().eval()
    for frames in (1, 2, 7, 25):
        assert encoder(torch.rand(1, 4 * frames, 13)).shape == (1, frames, 128)


@torch.inference_mode()
def test_speech_is_heard_alike_however_loud_each_band_is() -> None:
    torch.manual_seed(0)
    encoder, spectra = SpeechEncoder().eval(), torch.randn(2, 51, 64)
    louder = spectra * 3 + torch.linspace(-5, 5, 64)
    assert encoder(spectra).shape == (2, 512)
    assert torch.allclose(encoder(spectra), encoder(louder), atol=1e-4)
    assert not torch.allclose(encoder(spectra), encoder(spectra.flip(1)), atol=1e-3)
