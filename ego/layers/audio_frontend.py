"""What turns a waveform into what networks hear: log-mel spectra and cepstra, as modules without weights."""

import math
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

PRE_EMPHASIS = 0.97
QUIETEST = 1e-4
"""The least loudness that is scaled up: below it a waveform is taken for silence."""


def scaled_to(waveform: torch.Tensor, loudness: float) -> torch.Tensor:
    """Waveforms (B, n) scaled to this root mean square each; silence stays silence."""
    rms = waveform.square().mean(dim=-1, keepdim=True).sqrt()
    return waveform * (loudness / rms.clamp(min=QUIETEST))


def htk_mel(hertz: torch.Tensor) -> torch.Tensor:
    """Hertz on the mel scale of HTK: 2595 log10(1 + f / 700)."""
    return 2595.0 * torch.log10(1.0 + hertz / 700.0)


def htk_hertz(mel: torch.Tensor) -> torch.Tensor:
    """The inverse of `htk_mel`."""
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def mel_filters(
    bins: int, mels: int, rate: int, low: float, high: float, straight_in: Literal["hertz", "mel"]
) -> torch.Tensor:
    """(bins, mels) float32 triangles, peak 1, whose corners lie evenly on HTK's mel scale.

    `bins` are those of a spectrum from 0 to rate / 2 Hz. Their sides are straight lines over Hertz, as
    torchaudio's (mel_scale htk, norm none), or over mel, as VGGish's, which also leaves out bin 0.
    """
    hertz = torch.linspace(0.0, rate / 2, bins, dtype=torch.float64)
    first, last = htk_mel(torch.tensor([low, high], dtype=torch.float64)).tolist()
    corners = torch.linspace(first, last, mels + 2, dtype=torch.float64)
    places = htk_mel(hertz) if straight_in == "mel" else hertz
    corners = corners if straight_in == "mel" else htk_hertz(corners)
    rise = (places[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    fall = (corners[2:] - places[:, None]) / (corners[2:] - corners[1:-1])
    filters = torch.minimum(rise, fall).clamp(min=0.0)
    if straight_in == "mel":
        filters[0] = 0.0
    return filters.float()


class LogMel(nn.Module):
    """The front end of the Ego4D talking-to-me baseline: (B, n) at 16 kHz -> (B, 1 + n // 160, 64).

    Pre-emphasis 0.97 (the sample before the first is its mirror image), power spectra of 512 points under
    a periodic Hamming window of 400 samples every 160, centred with mirrored ends, 64 mels from 0 to 8000 Hz,
    log(x + 1e-6). Source: EGO4D social-interactions, branch ttm.
    """

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hamming_window(400), persistent=False)
        self.register_buffer("filters", mel_filters(257, 64, 16_000, 0.0, 8000.0, "hertz"), persistent=False)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Log-mel spectra in the order of time."""
        return torch.log(self.mel(waveform) + 1e-6)

    def mel(self, waveform: torch.Tensor) -> torch.Tensor:
        """(B, steps, 64) mel spectra before the logarithm."""
        before = torch.cat([waveform[:, 1:2], waveform[:, :-1]], dim=1)
        sharp = waveform - PRE_EMPHASIS * before
        spectrum = torch.stft(sharp, 512, 160, 400, self.window, center=True, pad_mode="reflect", return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square()).transpose(1, 2) @ self.filters


class VggishLogMel(nn.Module):
    """The front end of VGGish (Hershey et al. 2017): (B, n) at 16 kHz -> (B, 1 + (n - 400) // 160, 64).

    Magnitudes of 512 points under a periodic Hann window of 400 samples every 160, whole windows only, 64 mels
    from 125 to 7500 Hz, log(x + 0.01).
    """

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(400), persistent=False)
        self.register_buffer("filters", mel_filters(257, 64, 16_000, 125.0, 7500.0, "mel"), persistent=False)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Log-mel spectra in the order of time."""
        spectrum = torch.fft.rfft(waveform.unfold(1, 400, 160) * self.window, 512)
        return torch.log(spectrum.abs() @ self.filters + 0.01)


class Mfcc(nn.Module):
    """Cepstra as TalkNet takes them, four for each frame of the video: (B, n) at 16 kHz -> (B, 4 * frames, 13).

    Windows of 0.025 * 25 / fps seconds every 0.010 * 25 / fps, each a whole number of samples (halves up), the
    last one filled with zeros; what is missing after them is taken from the beginning again, what is too much is
    cut. Arithmetic of python_speech_features 0.6: pre-emphasis 0.97, rectangular windows, power spectra, 26 mel
    triangles on whole bins from 0 to 8000 Hz, logarithm, orthonormal DCT, lifter 22, and the logarithm of the
    frame's energy in the place of the first. Computed in float64: the ends of a triangle fall on whole bins.
    """

    filters: torch.Tensor
    cosines: torch.Tensor

    def __init__(self, fps: float, frames: int, cepstra: int = 13, rate: int = 16_000) -> None:
        super().__init__()
        self._length = round_half_up(0.025 * 25 / fps * rate)
        self._step = round_half_up(0.010 * 25 / fps * rate)
        self._points = 2 ** math.ceil(math.log2(0.025 * 25 / fps * rate))
        self._vectors = 4 * frames
        self.register_buffer("filters", whole_bin_filters(26, self._points, rate), persistent=False)
        self.register_buffer("cosines", lifted_cosines(26, cepstra, 22), persistent=False)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        """Cepstra in the order of time, float64."""
        x = waveform.double()
        x = torch.cat([x[:, :1], x[:, 1:] - PRE_EMPHASIS * x[:, :-1]], dim=1)
        count = 1 + max(0, math.ceil((x.shape[1] - self._length) / self._step))
        x = functional.pad(x, (0, max(0, (count - 1) * self._step + self._length - x.shape[1])))
        spectrum = torch.fft.rfft(x.unfold(1, self._length, self._step), self._points)
        power = (spectrum.real.square() + spectrum.imag.square()) / self._points
        cepstra = _log(power @ self.filters) @ self.cosines
        cepstra[..., 0] = _log(power.sum(dim=-1))
        return cepstra[:, torch.arange(self._vectors, device=x.device) % count]


def _log(x: torch.Tensor) -> torch.Tensor:
    """The logarithm; of nothing at all, that of the smallest step above 1."""
    return torch.where(x == 0, torch.finfo(x.dtype).eps, x).log()


def round_half_up(value: float) -> int:
    """The nearest whole number, halves away from nothing."""
    return math.floor(value + 0.5)


def whole_bin_filters(mels: int, points: int, rate: int) -> torch.Tensor:
    """(points // 2 + 1, mels) float64 triangles from 0 to rate / 2 Hz whose corners are rounded down to whole bins."""
    highest = float(htk_mel(torch.tensor(rate / 2, dtype=torch.float64)))
    corners = htk_hertz(torch.linspace(0.0, highest, mels + 2, dtype=torch.float64))
    bins = torch.floor((points + 1) * corners / rate)
    places = torch.arange(points // 2 + 1, dtype=torch.float64)[:, None]
    low, middle, high = bins[:-2], bins[1:-1], bins[2:]
    rise, fall = (places - low) / (middle - low), (high - places) / (high - middle)
    rising, falling = (places >= low) & (places < middle), (places >= middle) & (places < high)
    return torch.where(rising, rise, torch.where(falling, fall, 0.0))


def lifted_cosines(inputs: int, outputs: int, lifter: int) -> torch.Tensor:
    """(inputs, outputs) float64: the orthonormal cosine transform (type 2), order n times 1 + L/2 sin(pi n / L)."""
    steps = torch.arange(inputs, dtype=torch.float64)[:, None] + 0.5
    orders = torch.arange(outputs, dtype=torch.float64)
    cosines = torch.cos(math.pi / inputs * steps * orders) * math.sqrt(2 / inputs)
    cosines[:, 0] /= math.sqrt(2)
    return cosines * (1 + lifter / 2 * torch.sin(math.pi * orders / lifter))
