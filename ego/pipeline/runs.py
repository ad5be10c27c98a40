"""The folder of one run: what was learnt from what, its weights, figures and predictions; written once and whole.

runs/<digest16>/
    recipe.toml          the recipe's text
    run.json             every spec, key and setting, and what it ran on
    weights[-N].safetensors   one a fold, in the order of run.json; metadata say what it was trained on
    network-NAME[-N].safetensors  each network that was trained with the head, as weights for its extractor
    metrics.json         figures by fold, split and task, and pooled over folds
    log.jsonl            one line a training step or epoch
    [FOLD/]events.out.tfevents.*  the same for TensorBoard
    embeddings.npz       what the head makes of each tested clip that has a class, and that class
    predictions.parquet  one line a clip, fold, split and task (`ego.pipeline.predictions`)
    figures/             pictures, where some were drawn
"""

import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
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
from ego.pipeline.events import write_events
from ego.pipeline.live import Joined
from ego.pipeline.predictions import write_predictions
from ego.samplers import Sampling
from ego.spec import canonical_json
from ego.tasks._base import Judged
from ego.tasks.classify import Classify
from ego.video import Array

Figures = dict[str, dict[str, float]]
"""Metrics by task, then by name."""
TrainedOn = Sequence[tuple[str, Sequence[Sequence[float]]]]
"""What weights were trained on: the digests of videos, and the seconds of each (none: all of it)."""
Labels = Mapping[str, Mapping[int, NDArray[Any]]]
"""The labels that a fold is trained on: by task, then by the number of the clip."""
Embedded = tuple[Indices, NDArray[np.float16]]
"""Numbers of clips, and a vector (n, D) of each."""


@dataclass(frozen=True)
class Plan:
    """All that decides a run's numbers: the deed, what is to be learnt, from which features, by which head.

    `features` describes what each named feature is, `keys` the entries read. `inherited` is what the weights of
    the extractors were trained on, as far as their files say.
    """

    deed: str
    problem: Problem
    head: Head
    sampling: Sampling
    training: Training
    features: Mapping[str, Any]
    keys: Sequence[FeatureKey]
    inherited: TrainedOn = ()

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

    @cached_property
    def digest(self) -> str:
        """64 hex digits over the description."""
        return hashlib.sha256(canonical_json(self.describe()).encode()).hexdigest()

    def path(self, out: Path) -> Path:
        """Where this run lies, or will."""
        return out / self.digest[:16]


@dataclass
class FoldResult:
    """One trained fold: its module, the log of its training, and predictions by split and task.

    `shapes` are the features as its head sees them. `trained` are the labels it was trained on; None: those of the
    problem's split `train`. `best_on_test` are
    figures chosen by looking at what is tested, where the training asks for them.
    """

    name: str
    module: torch.nn.Module
    log: list[dict[str, Any]]
    predictions: Mapping[str, Mapping[str, Predicted]]
    shapes: Mapping[str, Array] = field(default_factory=dict)
    trained: Labels | None = None
    embedded: Embedded | None = None
    best_on_test: Mapping[str, Any] = field(default_factory=dict)


def figures(problem: Problem, folds: Sequence[FoldResult]) -> dict[str, Any]:
    """`{"folds": {fold: {split: {task: metrics}}}, "mean": {split: ...}, "pooled": {split: ...}}`.

    The mean is that of the folds' own figures, as papers average over official splits. Pooled figures are over all
    folds' clips at once: with one video left out at a time, over every clip. Beside them stands `best_on_test` by fold,
    split and task where the training asks for it.
    """
    by_fold = {fold.name: {split: _judge(problem, [fold], split) for split in fold.predictions} for fold in folds}
    splits = {split: None for fold in folds for split in fold.predictions}
    best = {fold.name: fold.best_on_test for fold in folds if fold.best_on_test}
    found = {
        "folds": by_fold,
        "mean": {split: _mean([some[split] for some in by_fold.values() if split in some]) for split in splits},
        "pooled": {split: _judge(problem, [f for f in folds if split in f.predictions], split) for split in splits},
    }
    return found | ({"best_on_test": best} if best else {})


def _mean(folds: Sequence[Figures]) -> Figures:
    """The mean of the folds that have a figure; `clips` are all of them together."""
    found: Figures = {}
    for task in folds[0]:
        each = [fold[task] for fold in folds]
        names = dict.fromkeys(name for one in each for name in one)
        found[task] = {name: float(np.mean([one[name] for one in each if name in one])) for name in names}
        found[task]["clips"] = sum(one["clips"] for one in each)
    return found


def _judge(problem: Problem, folds: Sequence[FoldResult], split: str) -> Figures:
    """Metrics by task over one split of some folds taken together; `clips` is how many have a label."""
    found: Figures = {}
    trained = [fold.trained if fold.trained is not None else trained_labels(problem, fold.name) for fold in folds]
    for name, task in problem.tasks.items():
        some = [
            _flat(problem.folds[fold.name][split], fold.predictions[split][name], bool(task.reads)) for fold in folds
        ]
        joined = _Parts(*(np.concatenate(column) for column in zip(*some, strict=True)))
        known = [one[name] for one in trained if name in one]
        # a clip that many folds train on is one clip
        each = {clip: label for one in known for clip, label in one.items()}
        labels = np.stack(list(each.values())) if each and len(known) == len(folds) else None
        judged = Judged(joined.predictions, joined.labels, joined.mask, joined.clips, labels)
        counted = judged.mask.reshape(len(judged.mask), -1).any(axis=1)
        found[name] = {**task.metrics(judged), "clips": len(np.unique(judged.clips[counted]))}
    return found


def trained_labels(problem: Problem, fold: str) -> Labels:
    """The labels of the clips that a fold trains on, by task and clip; of tasks that label clips."""
    train = problem.folds[fold]["train"]
    return {
        name: {int(i): labels[i] for i in train[problem.labelled[name][train]]}
        for name, labels in problem.labels.items()
    }


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
    except NotADirectoryError as error:
        raise BadRequest(f"{folder.parent} is no folder to keep runs in; name another --out") from error
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
        "shapes": {name: array.describe() for fold in folds[:1] for name, array in fold.shapes.items()},
        "environment": environment(),
        "plan": plan.describe(),
    }
    (folder / "run.json").write_text(json.dumps(about, indent=1) + "\n")
    (folder / "metrics.json").write_text(json.dumps(figures(plan.problem, folds), indent=1) + "\n")
    lines = [json.dumps({"fold": fold.name, **line}) for fold in folds for line in fold.log]
    (folder / "log.jsonl").write_text("".join(line + "\n" for line in lines))
    write_events(folder, {fold.name: fold.log for fold in folds})
    for fold, name in zip(folds, names, strict=True):
        provenance = _provenance(plan, fold)
        _write_weights(folder / name, fold.module, provenance)
        for own, network in fold.module.networks.items() if isinstance(fold.module, Joined) else ():
            _write_weights(folder / name.replace("weights", f"network-{own}", 1), network, provenance)
    said = {fold.name: fold.predictions for fold in folds}
    write_predictions(folder / "predictions.parquet", plan.problem, said)
    _write_embeddings(folder / "embeddings.npz", plan.problem, folds)


def _write_embeddings(path: Path, problem: Problem, folds: Sequence[FoldResult]) -> None:
    """Vectors and classes of the clips that have one, of the first task that has classes, and the number of the fold.

    Each fold has a head of its own, so that vectors of two folds cannot be compared.
    """
    found = [(name, task) for name, task in problem.tasks.items() if isinstance(task, Classify)]
    parts = [(*one.embedded, np.full(len(one.embedded[0]), i)) for i, one in enumerate(folds) if one.embedded]
    if not found or not parts:
        return
    name, task = found[0]
    clips, features, fold = (np.concatenate(some) for some in zip(*parts, strict=True))
    known = problem.labelled[name][clips]
    labels = problem.labels[name][clips[known]]
    np.savez(path, features=features[known], labels=labels, fold=fold[known], classes=list(task.classes))


def _provenance(plan: Plan, fold: FoldResult) -> dict[str, Any]:
    trained_on = [
        [plan.problem.clips[i].video.digest, [list(part) for part in plan.problem.clips[i].parts]]
        for i in plan.problem.folds[fold.name]["train"]
    ]
    trained_on += [[digest, [list(part) for part in parts]] for digest, parts in plan.inherited]
    return {"run": plan.digest, "fold": fold.name, "head": plan.head.describe(), "trained_on": trained_on}


def _write_weights(path: Path, module: torch.nn.Module, about: Mapping[str, Any]) -> None:
    from safetensors.torch import save

    tensors = {key: tensor.contiguous() for key, tensor in module.cpu().state_dict().items()}
    path.write_bytes(save(tensors, metadata={"ego": canonical_json(about)}))


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
