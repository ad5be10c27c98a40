"""The folder of one run: what was learnt from what, its weights, figures and predictions; written once and whole.

runs/<digest16>/
    recipe.toml          the recipe's text
    run.json             every spec, key and setting, and what it ran on
    weights[-N].safetensors   one a fold, in the order of run.json; metadata say what it was trained on
    metrics.json         figures by fold, split and task, and pooled over folds
    log.jsonl            one line a training step or epoch
    predictions.parquet  one line a clip, fold, split and task
"""

import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ego
from ego.cache.key import FeatureKey
from ego.errors import BadRequest, EgoError
from ego.heads._base import Head
from ego.heads._training import Training
from ego.pipeline.clips import Indices, Problem
from ego.spec import canonical_json

Figures = dict[str, dict[str, float]]
"""Metrics by task, then by name."""


@dataclass(frozen=True)
class Plan:
    """All that decides a run's numbers: the deed, what is to be learnt, from which features, by which head.

    `features` describes what each named feature is, `keys` the entries read.
    """

    deed: str
    problem: Problem
    head: Head
    training: Training
    features: Mapping[str, Any]
    keys: Sequence[FeatureKey]

    def describe(self) -> dict[str, Any]:
        """The plan as plain JSON, without places, names of files or the recipe's comments."""
        return {
            "deed": self.deed,
            "problem": self.problem.describe(),
            "head": self.head.describe(),
            "training": self.training.describe(),
            "features": dict(self.features),
            "keys": sorted([key.extractor, key.video, *key.signals] for key in self.keys),
        }

    @property
    def digest(self) -> str:
        """64 hex digits over the description."""
        return hashlib.sha256(canonical_json(self.describe()).encode()).hexdigest()

    def path(self, out: Path) -> Path:
        """Where this run lies, or will."""
        return out / self.digest[:16]


@dataclass
class FoldResult:
    """One trained fold: its module, the log of its training, and predictions by split and task."""

    name: str
    module: torch.nn.Module
    log: list[dict[str, Any]]
    predictions: Mapping[str, Mapping[str, Any]]


def figures(plan: Plan, folds: Sequence[FoldResult]) -> dict[str, Any]:
    """`{"folds": {fold: {split: {task: metrics}}}, "pooled": {split: {task: metrics}}}`.

    Pooled figures are over all folds' clips at once: with one video left out at a time, over every clip.
    """
    problem = plan.problem
    by_fold: dict[str, dict[str, Figures]] = {}
    pooled: dict[str, Figures] = {}
    for fold in folds:
        by_fold[fold.name] = {
            split: _judge(problem, [(predictions, problem.folds[fold.name][split])])
            for split, predictions in fold.predictions.items()
        }
    for split in {split: None for fold in folds for split in fold.predictions}:
        parts = [(f.predictions[split], problem.folds[f.name][split]) for f in folds if split in f.predictions]
        pooled[split] = _judge(problem, parts)
    return {"folds": by_fold, "pooled": pooled}


def _judge(problem: Problem, parts: Sequence[tuple[Mapping[str, Any], Indices]]) -> Figures:
    """Metrics by task over the labelled clips of some splits taken together; `clips` is their number."""
    found: Figures = {}
    for name, task in problem.tasks.items():
        there = [problem.labelled[name][indices] for _, indices in parts]
        both = list(zip(parts, there, strict=True))
        labels = np.concatenate([problem.labels[name][indices][ok] for (_, indices), ok in both])
        said = np.concatenate([predictions[name][ok] for (predictions, _), ok in both])
        found[name] = {**(task.metrics(said, labels) if len(labels) else {}), "clips": len(labels)}
    return found


def read(folder: Path) -> dict[str, Any] | None:
    """The metrics of a finished run, or None where there is none."""
    try:
        found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadRequest(f"the run {folder} cannot be read ({error}); remove that folder and run again") from error
    return found


def write(out: Path, plan: Plan, folds: Sequence[FoldResult], recipe: Mapping[str, Any], text: str) -> Path:
    """The folder of a finished run: staged aside, then renamed; one that is already there stays.

    `recipe` are the facts that change no number (its name, settings), `text` its TOML.
    """
    staging = out / f".staging-{uuid.uuid4().hex}"
    try:
        staging.mkdir(parents=True)
        _fill(staging, plan, folds, recipe, text)
        target = plan.path(out)
        try:
            os.rename(staging, target)
        except OSError:
            if read(target) is None:
                raise
    except OSError as error:
        raise EgoError(f"the run cannot be written to {out}: {error.strerror or error}; name another --out") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target


def _fill(folder: Path, plan: Plan, folds: Sequence[FoldResult], recipe: Mapping[str, Any], text: str) -> None:
    names = [f"weights{f'-{number}' if len(folds) > 1 else ''}.safetensors" for number in range(1, len(folds) + 1)]
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    about = {
        "digest": plan.digest,
        "recipe": dict(recipe),
        "folds": [{"name": fold.name, "weights": name} for fold, name in zip(folds, names, strict=True)],
        "environment": environment(),
        "plan": plan.describe(),
    }
    (folder / "run.json").write_text(json.dumps(about, indent=1) + "\n")
    (folder / "metrics.json").write_text(json.dumps(figures(plan, folds), indent=1) + "\n")
    lines = [json.dumps({"fold": fold.name, **line}) for fold in folds for line in fold.log]
    (folder / "log.jsonl").write_text("".join(line + "\n" for line in lines))
    for fold, name in zip(folds, names, strict=True):
        _write_weights(folder / name, plan, fold)
    _write_predictions(folder / "predictions.parquet", plan.problem, folds)


def _write_weights(path: Path, plan: Plan, fold: FoldResult) -> None:
    from safetensors.torch import save

    trained_on = [
        [plan.problem.clips[i].video.digest, [list(part) for part in plan.problem.clips[i].parts]]
        for i in plan.problem.folds[fold.name]["train"]
    ]
    about = {"run": plan.digest, "fold": fold.name, "head": plan.head.describe(), "trained_on": trained_on}
    tensors = {key: tensor.contiguous() for key, tensor in fold.module.cpu().state_dict().items()}
    path.write_bytes(save(tensors, metadata={"ego": canonical_json(about)}))


def _write_predictions(path: Path, problem: Problem, folds: Sequence[FoldResult]) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [
        _prediction(problem, fold.name, split, name, int(index), scores)
        for fold in folds
        for split, predictions in fold.predictions.items()
        for name, array in predictions.items()
        for index, scores in zip(problem.folds[fold.name][split], array, strict=True)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _prediction(problem: Problem, fold: str, split: str, name: str, index: int, scores: Any) -> dict[str, Any]:
    clip, task = problem.clips[index], problem.tasks[name]
    return {
        "fold": fold,
        "split": split,
        "video": clip.video.name,
        "digest": clip.video.digest,
        "start_seconds": clip.parts[0][0] if clip.parts else None,
        "stop_seconds": clip.parts[-1][1] if clip.parts else None,
        "source": problem.sources[index],
        "task": name,
        "label": json.dumps(task.say_label(problem.labels[name][index])) if problem.labelled[name][index] else None,
        "said": json.dumps(task.say(scores)),
        "scores": [float(score) for score in np.ravel(scores)],
    }


def environment() -> dict[str, str]:
    """What a run ran on: facts beside its numbers, never part of its digest."""
    return {
        "ego": ego.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
