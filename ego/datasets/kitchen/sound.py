"""What is heard: the room's hum, water, knocks and chops, and voices made of harmonics and formants."""

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen.people import Person
from ego.datasets.kitchen.play import Play
from ego.datasets.kitchen.sprites import Matrix

RATE = 16000
"""Samples a second."""

VOWELS = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
    (440, 1020, 2240),
)
"""First three formants of vowels in Hz (Peterson and Barney 1952)."""

Wave = NDArray[np.float32]


def voice(person: Person, seconds: float, rng: np.random.Generator) -> tuple[Wave, Wave]:
    """What one person says, and how far the mouth is open, both sampled at `RATE`."""
    total, mouth = (np.zeros(round(seconds * RATE), np.float32) for _ in range(2))
    for turn in person.turns:
        when = turn.start
        while when < turn.stop - 0.08:
            length = min(float(rng.uniform(0.13, 0.24)), turn.stop - when)
            first, last = round(when * RATE), min(round((when + length) * RATE), len(total))
            if last - first > 200:
                swell = np.abs(np.sin(np.linspace(0, np.pi, last - first, dtype=np.float32))) ** 0.7
                total[first:last] += swell * _vowel(person.pitch, last - first, rng)
                mouth[first:last] = swell * np.float32(rng.uniform(0.65, 1.0))
            when += length + (0.0 if rng.random() < 0.85 else float(rng.uniform(0.03, 0.12)))
    return total, mouth


def _vowel(pitch: float, samples: int, rng: np.random.Generator) -> Wave:
    """One syllable: harmonics of a gliding pitch under three formants, begun by a breath of noise."""
    base = pitch * rng.uniform(0.88, 1.15) * np.linspace(1.0, rng.uniform(0.9, 1.08), samples, dtype=np.float32)
    phase = 2 * np.pi * np.cumsum(base, dtype=np.float64) / RATE
    formants = VOWELS[int(rng.integers(len(VOWELS)))]
    sound = np.zeros(samples, np.float32)
    for harmonic in range(1, int(3600 / pitch)):
        hertz = harmonic * pitch
        near = [1 / (1 + ((hertz - peak) / 110) ** 2) for peak in formants]
        gain = near[0] + 0.5 * near[1] + 0.25 * near[2]
        sound += np.float32(gain + 0.01) * np.sin(harmonic * phase).astype(np.float32)
    breath = min(700, samples)
    sound[:breath] += 0.4 * rng.standard_normal(breath).astype(np.float32) * np.linspace(1, 0, breath, dtype=np.float32)
    return np.asarray(0.16 * sound / (np.abs(sound).max() + 1e-6) * 2.4, np.float32)


def noises(play: Play, times: Matrix, water: Matrix, rng: np.random.Generator) -> Wave:
    """The kitchen itself: hum, running water where `water` (T,) says so, and each act's own noise."""
    seconds = float(times[-1] + times[1] - times[0])
    samples = round(seconds * RATE)
    clock = np.arange(samples, dtype=np.float32) / RATE
    total = 0.004 * rng.standard_normal(samples).astype(np.float32) + 0.003 * np.sin(2 * np.pi * 100 * clock)
    running = np.interp(clock, times, water).astype(np.float32)
    total += 0.03 * running * _hiss(samples, rng)
    for kind, start, strength in play.sounds:
        first = round(start * RATE)
        burst = _burst(kind, strength, rng)[: max(0, samples - first)]
        total[first : first + len(burst)] += burst
    return np.asarray(total, np.float32)


def _hiss(samples: int, rng: np.random.Generator) -> Wave:
    white = rng.standard_normal(samples + 1).astype(np.float32)
    return white[1:] - 0.6 * white[:-1]


def _burst(kind: str, strength: float, rng: np.random.Generator) -> Wave:
    """One noise: a ring, a thud, a tick, a scrape or a gush; `strength` is loudness, or seconds for the last two."""
    if kind in ("creak", "water"):
        clock = np.arange(round(max(strength, 0.05) * RATE), dtype=np.float32) / RATE
        if kind == "water":
            return np.asarray(0.04 * _hiss(len(clock), rng), np.float32)
        scrape = np.sin(2 * np.pi * (180 + 60 * clock) * clock) * np.abs(np.sin(60 * clock))
        return np.asarray(0.03 * scrape, np.float32)
    hertz, fade = {"clink": (2600, 40), "knock": (190, 45), "click": (1500, 160), "chop": (320, 90)}[kind]
    clock = np.arange(round(0.12 * RATE), dtype=np.float32) / RATE
    tone = np.sin(2 * np.pi * hertz * rng.uniform(0.85, 1.15) * clock)
    rough = 0.3 * rng.standard_normal(len(clock))
    return np.asarray(0.16 * strength * np.exp(-fade * clock) * (tone + rough), np.float32)
