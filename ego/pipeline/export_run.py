"""`ego export RUN`: a run's model as a program that needs no ego: torch.export's .pt2, or ONNX.

Where the head reads one network that sees pictures alone, the model takes uint8 frames: crop, scaling and mean are in
it. Otherwise it is the head, which takes features and masks by name.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ego.errors import BadRequest, EgoError
from ego.extractors._base import Extractor, Files, Network
from ego.heads._base import slot
from ego.pipeline import cached, tails
from ego.pipeline.live import Joined
from ego.pipeline.read_run import Run
from ego.tasks._base import Task
from ego.video import Array, Picture

Form = Literal["torch", "onnx"]
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}
TOLERANCE = 1e-4
ROWS = 4
"""How many rows the example has that the program is traced with."""


@dataclass(frozen=True)
class Exported:
    """What was written: inputs and outputs by name and shape (0: any), and how far it is from the run's own module.

    `away` is the greatest difference from the run's scores on the example, over their greatest; None: not tried.
    `why` says why the features come from elsewhere; empty where the model takes frames.
    """

    path: Path
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    away: float | None
    why: str


class Frames(nn.Module):
    """forward({"frames": (B, N, T, H, W, 3) uint8}) -> {task: scores}: N windows of a clip, all of them there."""

    def __init__(self, own: str, network: nn.Module, need: str, head: nn.Module, tasks: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.head = network, head
        self._own, self._need, self._tasks = own, need, tasks

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scores by task, before any softmax."""
        frames = inputs["frames"]
        clips, rows = frames.shape[:2]
        found = self.network(**{self._need: frames.flatten(0, 1)})
        features = {
            cached.feature_name(self._own, array): value.unflatten(0, (clips, rows)) for array, value in found.items()
        }
        there = torch.ones(clips, rows, dtype=torch.bool, device=frames.device)
        said: dict[str, Tensor] = self.head(features, dict.fromkeys(features, there), self._tasks)
        return said


class Features(nn.Module):
    """forward({feature: (B, N, *shape), "feature mask": (B, N)}) -> {task: scores}."""

    def __init__(self, head: nn.Module, names: tuple[str, ...], tasks: tuple[str, ...]) -> None:
        super().__init__()
        self.head = head
        self._names, self._tasks = names, tasks

    def forward(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Scores by task, before any softmax."""
        features = {name: inputs[name] for name in self._names}
        said: dict[str, Tensor] = self.head(features, {name: inputs[mask_of(name)] for name in features}, self._tasks)
        return said


def mask_of(feature: str) -> str:
    """What the mask of a feature is called."""
    return f"{feature} mask"


def export(run: Run, fold: str, files: Files, form: Form, path: Path, frame: tuple[int, int]) -> Exported:
    """Writes a fold's model; `frame` is the width and height of the upright video it is made for."""
    if path.suffix != SUFFIXES[form]:
        raise BadRequest(f"got {str(path)!r}, expected a file that ends in {SUFFIXES[form]} for --to {form}")
    if not path.parent.is_dir():
        raise BadRequest(f"the folder {path.parent} is not there; make it or name another")
    with _quiet():
        return _written(run, fold, files, form, path, frame)


@contextmanager
def _quiet() -> Iterator[None]:
    """torch and onnxscript would tell what they do not need, what they do by themselves and what will change."""
    for name in ("torch.onnx", "torch.export", "onnxscript"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _written(run: Run, fold: str, files: Files, form: Form, path: Path, frame: tuple[int, int]) -> Exported:
    why = why_features(run)
    model, example = _features(run, fold, files) if why else _frames(run, fold, files, frame, form)
    with torch.no_grad():
        program, example, fixed = _program(model, example)
        expected = model(example)
    about = {"run": run.digest, "fold": fold, "outputs": {name: _space(run.recipe.tasks[name]) for name in expected}}
    try:
        if form == "torch":
            torch.export.save(program, path, extra_files={"ego.json": json.dumps(about)})
        else:
            _write_onnx(program, list(example), list(expected), about, path)
    except OSError as error:
        raise EgoError(f"{path} cannot be written: {error.strerror or error}; name another file") from error
    inputs = {name: (*fixed, *value.shape[2:]) for name, value in example.items()}
    outputs = {name: (fixed[0], *value.shape[1:]) for name, value in expected.items()}
    return Exported(path, inputs, outputs, _away(form, path, example, expected), why)


def why_features(run: Run) -> str:
    """Why the model takes features instead of frames; empty where it can take frames."""
    read = cached.sources(run.head, run.recipe)
    if run.head.tails:
        return f"it goes on above stored rows of {', '.join(run.head.tails)}"
    if len(read) > 1:
        return f"its features come from {len(read)} extractors: {', '.join(read)}"
    ((own, extractor),) = read.items()
    return f"{own} ({extractor.name}) is {_not_pictures(extractor)}" if _not_pictures(extractor) else ""


def _not_pictures(extractor: Extractor) -> str:
    if not isinstance(extractor, Network):
        return "a tracker, which follows a video in order"
    needs = list(extractor.needs().values())
    return "" if len(needs) == 1 and isinstance(needs[0], Picture) else "shown more than one picture of each frame"


def _frames(
    run: Run, fold: str, files: Files, frame: tuple[int, int], form: Form
) -> tuple[nn.Module, dict[str, Tensor]]:
    ((own, extractor),) = cached.sources(run.head, run.recipe).items()
    assert isinstance(extractor, Network)
    if form == "onnx" and getattr(extractor, "precision", "float32") != "float32":
        plain: dict[str, Any] = {"precision": "float32"}  # few programs of ONNX compute in 16 bits on a CPU
        extractor = replace(extractor, **plain)
    ((need, picture),) = extractor.needs().items()
    assert isinstance(picture, Picture)
    module, network = run.module(fold, files), extractor.build(files)
    head = module
    if isinstance(module, Joined):
        network.load_state_dict(module.backbones[slot(own)].state_dict())
        head = module.head
    width, height = picture.pixels(*frame)
    shape = (2, ROWS, extractor.window.frames, height, width, 3)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return Frames(own, network, need, head, tuple(run.trained_tasks)).eval(), {"frames": pixels}


def _features(run: Run, fold: str, files: Files) -> tuple[nn.Module, dict[str, Tensor]]:
    module = run.module(fold, files)
    head = module.head if isinstance(module, Joined) else module
    assert isinstance(head, nn.Module)
    above = tails.tails_of(run.head, run.recipe.extractors, files)
    names = tails.stored_features(run.head, above) or tuple(run.shapes)
    example: dict[str, Tensor] = {}
    for name in names:
        example[name] = _drawn(run.shapes.get(name) or _stored_array(run, name, files))
        example[mask_of(name)] = torch.ones(2, ROWS, dtype=torch.bool)
    return Features(head, names, tuple(run.trained_tasks)).eval(), example


def _stored_array(run: Run, name: str, files: Files) -> Array:
    """What is stored where a tail goes on from it."""
    own, _, array = name.partition(".")
    return run.recipe.extractors[own].rows(files)[array or "feature"]


def _drawn(array: Array) -> Tensor:
    """Two clips of random rows, as a head sees them."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(2, ROWS, *array.shape, generator=generator)
    whole = array.scale == 1 and array.dtype not in ("float16", "float32", "float64")
    kind = getattr(torch, array.dtype) if whole or array.scale == 1 else torch.float32
    return (rows * 100 if whole else rows).to(kind)


def _space(task: Task) -> dict[str, Any]:
    """What the scores of a task are of."""
    return {"task": task.name, "shape": list(task.shape), "classes": list(getattr(task, "classes", ()))}


def _program(
    model: nn.Module, example: dict[str, Tensor]
) -> tuple[ExportedProgram, dict[str, Tensor], tuple[int, int]]:
    """(the traced model, what it was traced with, its clips and rows: 0 for any).

    A model that asks how many clips or rows there are is traced for one clip, or for the example's rows.
    """
    one = {name: value[:1] for name, value in example.items()}
    clips, rows = Dim("clips"), Dim("rows")
    tries: list[tuple[dict[str, Tensor], dict[int, Any], tuple[int, int]]] = [
        (example, {0: clips, 1: rows}, (0, 0)), (one, {1: rows}, (1, 0)), (example, {0: clips}, (0, ROWS)),
        (one, {}, (1, ROWS)),
    ]  # fmt: skip
    why = ""
    for given, free, fixed in tries:
        try:
            program = torch.export.export(model, (given,), dynamic_shapes={"inputs": dict.fromkeys(given, free)})
        except (RuntimeError, ValueError) as error:  # torch's own errors of tracing are of these
            why = str(error).strip().splitlines()[0]
        else:
            return program, given, fixed
    raise BadRequest(f"the model cannot be traced: {why:.160}")


def _write_onnx(program: ExportedProgram, inputs: list[str], outputs: list[str], about: Any, path: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise BadRequest(
            f"--to onnx needs {' and '.join(missing)}; install ego with its extra: pip install ego[models]"
        )
    try:
        made = torch.onnx.export(program, input_names=inputs, output_names=outputs, dynamo=True, verbose=False)
    except torch.onnx.OnnxExporterError as error:
        why = (str(error.__cause__ or error).strip().splitlines() or [""])[0]
        raise BadRequest(f"the model has no form in ONNX ({why:.160}); write it with --to torch") from error
    assert made is not None
    made.model.metadata_props["ego"] = json.dumps(about)
    made.save(str(path))


def _away(form: Form, path: Path, example: dict[str, Tensor], expected: Mapping[str, Tensor]) -> float | None:
    """How far what was written is from the model, run once on the example."""
    if form == "torch":
        with torch.no_grad():
            found = torch.export.load(path).module()(example)
    elif find_spec("onnxruntime") is None:
        return None
    else:
        import onnxruntime  # type: ignore[import-untyped]

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        values = session.run(list(expected), {name: value.numpy() for name, value in example.items()})
        found = {name: torch.from_numpy(value) for name, value in zip(expected, values, strict=True)}
    return max(
        float((found[name] - one).abs().max() / one.abs().max().clamp(min=1e-12)) for name, one in expected.items()
    )
