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
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import ego
from ego.cache.key import FeatureKey
from ego.errors import BadRequest, EgoError
from ego.heads._base import Head
from ego.heads._train import Predicted
from ego.heads._training import Training
from ego.pipeline.clips import Indices, Problem
from ego.samplers import Sampling
from ego.spec import canonical_json
from ego.tasks._base import Judged

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
    sampling: Sampling
    training: Training
    features: Mapping[str, Any]
    keys: Sequence[FeatureKey]

    def describe(self) -> dict[str, Any]:
        """The plan as plain JSON, without places, names of files or the recipe's comments."""
        return {
            "deed": self.deed,
            "problem": self.problem.describe(),
            "head": self.head.describe(),
            "sampling": self.sampling.describe(),
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
    predictions: Mapping[str, Mapping[str, Predicted]]


def figures(plan: Plan, folds: Sequence[FoldResult]) -> dict[str, Any]:
    """`{"folds": {fold: {split: {task: metrics}}}, "pooled": {split: {task: metrics}}}`.

    Pooled figures are over all folds' clips at once: with one video left out at a time, over every clip.
    """
    problem = plan.problem
    by_fold: dict[str, dict[str, Figures]] = {}
    pooled: dict[str, Figures] = {}
    for fold in folds:
        by_fold[fold.name] = {
            split: _judge(problem, [(predictions, problem.folds[fold.name])], split)
            for split, predictions in fold.predictions.items()
        }
    for split in {split: None for fold in folds for split in fold.predictions}:
        parts = [(f.predictions[split], problem.folds[f.name]) for f in folds if split in f.predictions]
        pooled[split] = _judge(problem, parts, split)
    return {"folds": by_fold, "pooled": pooled}


def _judge(
    problem: Problem, parts: Sequence[tuple[Mapping[str, Predicted], Mapping[str, Indices]]], split: str
) -> Figures:
    """Metrics by task over one split of some folds taken together; `clips` is how many have a label."""
    found: Figures = {}
    for name, task in problem.tasks.items():
        some = [_flat(fold[split], predictions[name], bool(task.reads)) for predictions, fold in parts]
        joined = _Parts(*(np.concatenate(column) for column in zip(*some, strict=True)))
        trained = None
        if name in problem.labels:
            known = np.unique(np.concatenate([fold["train"] for _, fold in parts]))  # a clip that many folds train on
            trained = problem.labels[name][known[problem.labelled[name][known]]]
        judged = Judged(joined.predictions, joined.labels, joined.mask, joined.clips, trained)
        counted = judged.mask.reshape(len(judged.mask), -1).any(axis=1)
        found[name] = {**task.metrics(judged), "clips": len(np.unique(judged.clips[counted]))}
    return found


class _Parts(NamedTuple):
    predictions: NDArray[Any]
    labels: NDArray[Any]
    mask: NDArray[np.bool_]
    clips: NDArray[np.int64]


def _flat(clips: Indices, said: Predicted, of_steps: bool) -> _Parts:
    """Predictions, labels, mask and clip numbers; of a task of steps, the steps of all clips one after another."""
    if not of_steps:
        return _Parts(said.predictions, said.labels, said.mask, clips)
    found, label, mask = (part.reshape(-1, *part.shape[2:]) for part in (said.predictions, said.labels, said.mask))
    return _Parts(found, label, mask, np.repeat(clips, said.mask.shape[1]))


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
        _prediction(problem, fold.name, split, name, int(index), said, place)
        for fold in folds
        for split, predictions in fold.predictions.items()
        for name, said in predictions.items()
        for place, index in enumerate(problem.folds[fold.name][split])
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _prediction(
    problem: Problem, fold: str, split: str, name: str, index: int, said: Predicted, place: int
) -> dict[str, Any]:
    clip, task = problem.clips[index], problem.tasks[name]
    scores, label, mask = said.predictions[place], said.labels[place], said.mask[place]
    if task.reads:
        words: Any = [task.say(one) for one in scores]
        known: Any = [task.say_label(one) if there.any() else None for one, there in zip(label, mask, strict=True)]
    else:
        words, known = task.say(scores), task.say_label(label) if mask else None
    return {
        "fold": fold,
        "split": split,
        "video": clip.video.name,
        "digest": clip.video.digest,
        "start_seconds": clip.parts[0][0] if clip.parts else None,
        "stop_seconds": clip.parts[-1][1] if clip.parts else None,
        "source": problem.sources[index],
        "task": name,
        "label": json.dumps(known) if known is not None else None,
        "said": json.dumps(words),
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
