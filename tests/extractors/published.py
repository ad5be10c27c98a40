"""The pins of published networks: what their code gave for stated weights and inputs.

Seeds, sizes, names of tensors and outputs are those of a pin's own file, so that any pin of a network is read.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch


@dataclass
class Pins:
    """One file of pins, and its arrays."""

    facts: dict[str, Any]
    arrays: Any
    pins: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.pins = {pin["pin"]: pin for pin in self.facts.get("pins", [])}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        keys = self.facts.get("state_dict") or self.facts["keys"]
        if not isinstance(keys, dict):
            keys = dict(one.values() if isinstance(one, dict) else one for one in keys)
        return {key: tuple(shape["shape"] if isinstance(shape, dict) else shape) for key, shape in keys.items()}

    def state(self) -> dict[str, torch.Tensor]:
        """The stated weights, drawn from each tensor's key."""
        drawn = {key: torch.from_numpy(_weights(key, shape)) for key, shape in self.shapes.items()}
        for pattern, factor in self.facts.get("scales", []):
            for key in drawn:
                if re.search(pattern, key):
                    drawn[key] = drawn[key] * np.float32(factor)
        for alias, key in self.facts.get("aliases", {}).items():
            drawn[alias] = drawn[key]
        return drawn

    def input(self, name: str) -> torch.Tensor:
        """One drawn input of a file of one pin: bytes, normal numbers, integers or sound, as its kind says."""
        (facts,) = [one for one in self.facts["inputs"] if one["name"] == name]
        random, shape = np.random.Generator(np.random.PCG64(facts["seed"])), facts["shape"]
        if facts["kind"] == "pixels":
            return torch.from_numpy(random.integers(0, 256, shape, np.uint8))
        if facts["kind"] == "normal":
            return torch.from_numpy(random.standard_normal(shape, np.float32))
        if facts["kind"] == "wave":
            return torch.from_numpy(_sound(random, *shape))
        low, high = map(int, re.findall(r"\d+", facts["kind"]))
        return torch.from_numpy(random.integers(low, high, shape))

    def pictures(self, pin: str, need: str = "x") -> torch.Tensor:
        """The noise pictures (B, ..., H, W, C) uint8 of one pin, one seed for each of the batch."""
        facts = self.pins[pin]["inputs"][need]
        channels, height, width = facts["shape"][-3:]
        size = facts.get("draw_shape", (height, width, channels))
        seeds = facts["seeds"] if "seeds" in facts else [facts["seed"]]
        drawn = [np.random.Generator(np.random.PCG64(seed)).integers(0, 256, size, np.uint8) for seed in seeds]
        return torch.from_numpy(np.stack(drawn))

    def check(self, pin: str, found: dict[str, torch.Tensor]) -> None:
        """Every tap of a pin: its shape, its stored values to 2e-5 in relative L2, its statistics to 1e-5."""
        taps = self.pins[pin]["taps"]
        assert set(found) == set(taps)
        for tap in taps:
            self.check_tap(pin, tap, found[tap])

    def check_tap(self, pin: str, tap: str, found: torch.Tensor) -> None:
        """One tap of a pin alone."""
        self._check(f"{pin}/{tap}", found, self.pins[pin]["taps"][tap])

    def check_outputs(self, found: dict[str, torch.Tensor]) -> None:
        """The same for a file of one pin, whose arrays bear the names of its outputs."""
        assert set(found) == set(self.facts["outputs"])
        for tap, facts in self.facts["outputs"].items():
            self._check(tap, found[tap], facts)

    def _check(self, where: str, found: torch.Tensor, facts: dict[str, Any]) -> None:
        values = found.detach().numpy()
        assert list(values.shape) == facts["shape"], where
        flat = values.reshape(-1)
        stored = self.arrays[where].reshape(-1)
        if np.issubdtype(stored.dtype, np.integer):
            assert np.array_equal(flat[: len(stored)], stored), where
            return
        _close(flat[: len(stored)], stored, where)
        if f"{where}@spread" in self.arrays:
            spread = self.arrays[f"{where}@spread"]
            _close(flat[np.arange(2048) * flat.size // 2048], spread, f"{where}@spread")
        wide = flat.astype(np.float64)
        assert np.mean(wide) == pytest.approx(facts["mean"], rel=1e-5, abs=1e-5), where
        assert np.std(wide) == pytest.approx(facts["std"], rel=1e-5), where
        assert np.linalg.norm(wide) == pytest.approx(facts["l2"], rel=1e-5), where


def _weights(key: str, shape: tuple[int, ...]) -> Any:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    start = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    z = np.random.Generator(np.random.PCG64(start)).standard_normal(shape, dtype=np.float32)
    if key.endswith("running_mean"):
        return np.float32(0.1) * z
    if key.endswith("running_var"):
        return 1 + np.float32(0.1) * np.abs(z)
    if len(shape) >= 2:
        return z * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    return 1 + np.float32(0.1) * z if key.endswith("weight") else np.float32(0.1) * z


def _sound(random: np.random.Generator, count: int) -> Any:
    """Two tones, a rising one and noise, at 16 kHz."""
    t, z = np.arange(count) / 16_000, random.standard_normal(count)
    tones = 0.3 * np.sin(2 * np.pi * 220 * t) + 0.2 * np.sin(2 * np.pi * 1750 * t)
    return tones + 0.1 * np.sin(2 * np.pi * (500 + 900 * t) * t) + 0.05 * z


def _close(found: Any, expected: Any, where: str) -> None:
    difference = np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected.astype(np.float64))
    assert difference < 2e-5, f"{where}: {difference}"
