"""What a weights file is, whether it fills a network, and what that network gives for one drawn window."""

import time
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network
from ego.extractors._weights import KeysDiffer, unwrapped
from ego.pipeline import recipe
from ego.pipeline.digests import file_sha256
from ego.pipeline.weights import WeightFinder
from ego.spec import find, weight_fields
from ego.video import Picture, Sound

FRAME = (340, 256)
"""Width and height in pixels of the upright frame that is drawn."""
PLAIN = ("safetensors", "PyTorch zip", "PyTorch pickle")


@dataclass(frozen=True)
class Contents:
    """What a file is: its container, what its tensors lay in, and how many there are; `unread` says why none are."""

    path: Path
    sha256: str
    bytes: int
    container: str
    wrappers: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    dtypes: Mapping[str, int] = field(default_factory=dict)
    unread: str | None = None

    @property
    def numbers(self) -> int:
        """How many numbers its tensors hold."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())


@dataclass(frozen=True)
class Answer:
    """One array of a row of a drawn window."""

    shape: tuple[int, ...]
    mean: float
    deviation: float
    finite: bool


@dataclass(frozen=True)
class Checked:
    """Whether a file fills a network: the sentence that refuses it and every key that differs, else its answers."""

    digest: str | None
    problem: str | None = None
    differences: Mapping[str, list[str]] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether all keys fit and every number that came out is finite."""
        return self.problem is None and all(one.finite for one in self.answers.values())


def contents(path: Path) -> Contents:
    """What a file is; nothing in it is run."""
    kind = _container(path)
    facts: dict[str, Any] = {"path": path, "sha256": file_sha256(path), "bytes": path.stat().st_size, "container": kind}
    if kind not in PLAIN:
        return Contents(**facts)
    try:
        tensors, wrappers = unwrapped(path)
    except BadRequest as error:
        return Contents(**facts, unread=str(error))
    dtypes = Counter(str(one.dtype).removeprefix("torch.") for one in tensors.values())
    return Contents(**facts, wrappers=wrappers, shapes={k: tuple(v.shape) for k, v in tensors.items()}, dtypes=dtypes)


def check(path: Path, name: str, settings: Sequence[str], finder: WeightFinder) -> Checked:
    """The network `name` with the file as its weights, built and run once; an unknown name is a BadRequest."""
    cls = find("extractors", name)
    fields = weight_fields(cls)
    if not issubclass(cls, Network) or not fields:
        raise BadRequest(f"got --as {name}, which is no network with weights; `ego ls extractors` lists all")
    digest = None
    try:
        made = recipe.extractors_from((name,), (*settings, f"{name}.{fields[0]}={path}"), finder)[name]
        assert isinstance(made, Network)
        digest = made.digest
        made.rows(finder.files)  # says in a sentence where the network does not run on its window
        network = made.build(finder.files).eval()
        start = time.perf_counter()
        with torch.inference_mode():
            found = network(**drawn(made, finder.files))
        seconds = time.perf_counter() - start
    except KeysDiffer as error:
        return Checked(digest, str(error), error.differences)
    except BadRequest as error:
        return Checked(digest, str(error))
    return Checked(digest, None, {}, {name: _answer(rows[0].float()) for name, rows in found.items()}, seconds)


def drawn(extractor: Network, files: Files) -> dict[str, torch.Tensor]:
    """One window of noise for each need, as `Network.build` says."""
    random = np.random.Generator(np.random.PCG64(0))
    shown = {}
    for need, one in extractor.needs().items():
        if isinstance(one, Picture):
            width, height = one.pixels(*FRAME)
            shape = (1, extractor.window.frames, height, width, 3)
            shown[need] = torch.from_numpy(random.integers(0, 256, shape, np.uint8))
        elif isinstance(one, Sound):
            samples = round(extractor.window.span / (extractor.window.fps or 1) * one.rate)
            shown[need] = torch.from_numpy(random.normal(0, 0.1, (1, samples))).float()
        elif isinstance(one, Extractor):
            shown |= _held(need, one, extractor, files)
        else:
            raise BadRequest(f"{extractor.name} needs {need}, which cannot be drawn; extract a video with it instead")
    return shown


def _held(need: str, held: Extractor, extractor: Network, files: Files) -> dict[str, torch.Tensor]:
    """Noise in the place of what a held extractor gives."""
    width, height = next((one.pixels(*FRAME) for one in held.needs().values() if isinstance(one, Picture)), FRAME)
    before = (1,) if held.window == extractor.window else (1, extractor.window.frames)
    return {
        need if name == "feature" else f"{need}_{name}": torch.randn(*before, *array.sized(height, width).shape)
        for name, array in held.rows(files).items()
    }


def _answer(row: torch.Tensor) -> Answer:
    deviation = float(row.std()) if row.numel() > 1 else 0.0
    return Answer(tuple(row.shape), float(row.mean()), deviation, bool(torch.isfinite(row).all()))


def _container(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(9)
    if start[4:8] == b"TFL3":
        return "TFLite"
    if start[:4] == b"PK\x03\x04":
        return _zipped(path)
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size:
        return "safetensors"
    if start[:1] == b"\x80":
        return "PyTorch pickle"
    return "ONNX" if path.suffix.lower() == ".onnx" else "unknown"


def _zipped(path: Path) -> str:
    try:
        names = {name.partition("/")[2] for name in zipfile.ZipFile(path).namelist()}
    except (zipfile.BadZipFile, OSError):
        return "broken zip"
    if "archive_format" in names:
        return "exported PyTorch"
    return "TorchScript" if "constants.pkl" in names else "PyTorch zip" if "data.pkl" in names else "zip"
