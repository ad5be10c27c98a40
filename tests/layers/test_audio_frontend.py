"""Log-mel spectra and cepstra are those of the published front ends, number for number."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ego.layers.audio_frontend import (
    LogMel,
    Mfcc,
    VggishLogMel,
    htk_hertz,
    htk_mel,
    mel_filters,
    round_half_up,
    scaled_to,
)


def pins(shared_data: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(shared_data / "parity" / f"{name}.npz") as stored:
        return {key.rsplit("/")[-1]: stored[key] for key in stored}


def apart(found: torch.Tensor, expected: np.ndarray) -> float:
    """Relative L2 distance."""
    return float(np.linalg.norm(found.numpy() - expected) / np.linalg.norm(expected))


def test_log_mel_of_the_talking_baseline(shared_data: Path) -> None:
    stored = pins(shared_data, "ttm_baseline_lstm")
    front, waveform = LogMel(), torch.from_numpy(stored["waveform_normalised"])
    assert apart(front.mel(waveform), stored["mel"].transpose(0, 2, 1)) < 1e-5
    assert apart(front(waveform), stored["log_mel"].transpose(0, 2, 1)) < 1e-5
    filters = mel_filters(257, 64, 16_000, 0.0, 8000.0, "hertz")
    assert apart(filters.sum(0), stored["mel_filterbank_sum_per_bin"]) < 1e-5
    assert apart(scaled_to(waveform * 0.3, 0.1), stored["waveform_normalised"]) < 1e-6


@pytest.mark.parametrize(
    ("pin", "fps", "frames", "scaled"),
    [
        ("ava_25fps", 25.0, 25, False),
        ("ego4d_30fps_normalised", 30.0, 30, True),
        ("ego4d_30fps_wrap_padded", 30.0, 32, True),
        ("ava_24fps_10_frames", 24.0, 10, False),
    ],
)
def test_cepstra_of_talknet(pin: str, fps: float, frames: int, scaled: bool, shared_data: Path) -> None:
    stored = pins(shared_data, "mfcc_frontend")
    waveform = torch.from_numpy(stored["waveform_int16"].astype(np.float64))[None]
    if scaled:
        waveform = scaled_to(waveform / 32768, 0.1)
    found = Mfcc(fps, frames)(waveform)[0]
    assert found.shape == stored[pin].shape
    assert apart(found, stored[pin]) < 1e-6


def test_silence_is_finite_and_stays_silence() -> None:
    silence = torch.zeros(2, 16_000)
    assert torch.equal(scaled_to(silence, 0.1), silence)
    for front in (LogMel(), VggishLogMel(), Mfcc(30.0, 30)):
        assert torch.isfinite(front(silence)).all()
    assert LogMel()(silence).allclose(torch.tensor(1e-6).log())


def test_shapes() -> None:
    second = torch.zeros(3, 16_000)
    assert LogMel()(second).shape == (3, 101, 64)
    assert VggishLogMel()(torch.zeros(3, 15_600)).shape == (3, 96, 64)
    assert Mfcc(30.0, 30)(second).shape == (3, 120, 13)
    assert Mfcc(25.0, 25)(second).shape == (3, 100, 13)
    assert Mfcc(30.0, 1)(second[:, :200]).shape == (3, 4, 13)


def test_a_tone_is_loudest_in_its_own_band() -> None:
    seconds = torch.arange(16_000) / 16_000
    for hertz in (300.0, 1000.0, 3000.0):
        tone = torch.sin(2 * torch.pi * hertz * seconds)[None]
        for front, low, high in ((LogMel(), 0.0, 8000.0), (VggishLogMel(), 125.0, 7500.0)):
            corners = htk_hertz(torch.linspace(*htk_mel(torch.tensor([low, high])).tolist(), 66))
            loudest = int(front(tone)[0, 50].argmax())
            assert corners[loudest] < hertz < corners[loudest + 2]


def test_filters_of_vggish() -> None:
    """Every bin between the first and last middle is shared by two neighbours whose weights sum to 1."""
    filters = mel_filters(257, 64, 16_000, 125.0, 7500.0, "mel")
    hertz = torch.linspace(0, 8000, 257)
    corners = torch.linspace(*htk_mel(torch.tensor([125.0, 7500.0])).tolist(), 66)
    inside = (htk_mel(hertz) > corners[1]) & (htk_mel(hertz) < corners[-2])
    assert filters[inside].sum(1).allclose(torch.ones(int(inside.sum())), atol=1e-5)
    assert not filters[hertz < 125].any()
    assert not filters[hertz > 7500].any()


def test_halves_are_rounded_up() -> None:
    assert [round_half_up(value) for value in (132.5, 133.5, 133.49, 0.0)] == [133, 134, 133, 0]
