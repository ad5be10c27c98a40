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
from ego.extractors._base import Beside, Extractor, Files, Network, Tracker
from ego.extractors._weights import KeysDiffer, unwrapped
from ego.pipeline import drawn, recipe
from ego.pipeline.digests import file_sha256
from ego.pipeline.weights import WeightFinder
from ego.spec import find, weight_fields

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
    """The extractor `name` with the file as its weights, built and run once; an unknown name is a BadRequest."""
    cls = find("extractors", name)
    fields = weight_fields(cls)
    if not issubclass(cls, Extractor) or not fields:
        raise BadRequest(f"got --as {name}, which has no weights; `ego ls extractors` lists all")
    digest = None
    try:
        made = recipe.extractors_from((name,), (*settings, f"{name}.{fields[0]}={path}"), finder)[name]
        digest = made.digest
        made.rows(finder.files)  # says in a sentence where the network does not run on its window
        answers, seconds = _run(made, finder.files)
    except KeysDiffer as error:
        return Checked(digest, str(error), error.differences)
    except BadRequest as error:
        return Checked(digest, str(error))
    return Checked(digest, None, {}, answers, seconds)


def _run(made: Extractor, files: Files) -> tuple[dict[str, Answer], float]:
    """What comes out of one drawn window, or of a few drawn frames for a tracker, and in how many seconds."""
    if isinstance(made, Network):
        network, shown = made.build(files).eval(), drawn.window(made, files)
        start = time.perf_counter()
        with torch.inference_mode():
            found = {name: rows[0] for name, rows in network(**shown).items()}
    else:
        assert isinstance(made, Tracker)
        block = drawn.block(made, files)
        start = time.perf_counter()
        rows = list(made.follow(iter([block]), Beside({}, *drawn.FRAME), files, "cpu"))
        found = {name: torch.from_numpy(np.asarray(array[0])) for name, array in rows[0].arrays.items()}
    seconds = time.perf_counter() - start
    return {name: _answer(row.float()) for name, row in found.items()}, seconds


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
