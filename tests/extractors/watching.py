"""What the tests of networks of faces share: drawn inputs, what modules inside gave, and blocks of frames."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ego.extractors._base import Beside, Block, Rows, Tracker

RATE = 16_000


def pixels(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.Generator(np.random.PCG64(seed)).integers(0, 256, shape, np.uint8))


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, np.float32))


def imagenet(faces: torch.Tensor) -> torch.Tensor:
    """(N, T, 3, H, W) normalised of (N, T, H, W, 3)."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((faces.float() / 255 - mean) / std).permute(0, 1, 4, 2, 3)


def watch(network: torch.nn.Module, *names: str) -> dict[str, torch.Tensor]:
    """What each of these modules gives, filled in when the network runs."""
    seen: dict[str, torch.Tensor] = {}
    for name in names:

        def keep(_: Any, __: Any, out: Any, name: str = name) -> None:
            seen[name] = out[0] if isinstance(out, tuple) else out

        network.get_submodule(name).register_forward_hook(keep)
    return seen


def shown(
    pictures: np.ndarray,
    faces: list[tuple[int, int, Any]],
    each: int = 16,
    fps: float = 25.0,
    sound: np.ndarray | None = None,
) -> Iterator[Block]:
    """Frames in blocks of `each` with faces (frame, track, box) and, by tenths of a second, sound held beside."""
    index = np.arange(len(pictures))
    time, source = np.stack([index, index + 0.5, index + 1], axis=1) / fps, np.stack([index] * 4, axis=1)
    tenth = 0
    for first in range(0, len(index), each):
        here = slice(first, min(first + each, len(index)))
        mine = [one for one in faces if here.start <= one[0] < here.stop]
        frame = np.array([one[0] for one in mine], int)
        arrays = {"box": np.array([one[2] for one in mine], float).reshape(-1, 4),
                  "track": np.array([one[1] for one in mine], np.int32)}  # fmt: skip
        held = {"faces": Rows(arrays, time[frame], source[frame])}
        if sound is not None:
            ends = here.stop == len(index)
            until = tenth
            while (until + 1) / 10 <= time[here.stop - 1, 2] + 1e-9 or (ends and until / 10 < time[-1, 2]):
                until += 1
            heard = np.pad(sound, (0, max(0, until * 1600 - len(sound))))[tenth * 1600 : until * 1600]
            starts = np.arange(tenth, until) / 10
            held["sound"] = Rows({"feature": heard.reshape(-1, 1600).astype(np.float32)},
                                 np.stack([starts, starts + 0.05, starts + 0.1], axis=1),
                                 np.zeros((until - tenth, 4), int))  # fmt: skip
            tenth = until
        yield Block({"frames": pictures[here]}, time[here], source[here], held)


def followed(spec: Tracker, blocks: Iterator[Block], files: Any) -> Rows:
    """All rows, checked against what is declared and for their order."""
    found = list(spec.follow(blocks, Beside({}, 64, 48), files, "cpu"))
    declared = spec.rows(files)
    assert all(set(one.arrays) == set(declared) for one in found)
    arrays = {name: np.concatenate([one.arrays[name] for one in found]) for name in declared}
    times, sources = np.concatenate([one.time for one in found]), np.concatenate([one.source for one in found])
    whole = Rows(arrays, times, sources)
    assert {name: array.shape[1:] for name, array in whole.arrays.items()} == {
        name: array.shape for name, array in declared.items()
    }
    assert all(np.isfinite(declared[name].cast(array)).all() for name, array in whole.arrays.items())
    assert (np.diff(whole.time[:, 0]) >= 0).all()
    return whole
