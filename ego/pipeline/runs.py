"""The folder of one run: what was learnt from what, its weights, figures and predictions; written once and whole.

runs/<digest16>/
    recipe.toml          the recipe's text
    run.json             every spec, key and setting, and what it ran on
    weights[-N].safetensors   one a fold, in the order of run.json; metadata say what it was trained on
    network-NAME[-N].safetensors  each network that was trained with the head, as weights for its extractor
    metrics.json         figures by fold, split and task, and pooled over folds
    tables.npz           figures that are tables, by split, task and name: who is taken for whom, pooled over folds
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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ego
from ego.cache.key import FeatureKey
from ego.errors import BadRequest, EgoError
from ego.heads._base import Head
from ego.heads._training import Training
from ego.pipeline.clips import Problem
from ego.pipeline.events import write_events
from ego.pipeline.judge import FoldResult as FoldResult
from ego.pipeline.judge import figures as figures
from ego.pipeline.judge import tables
from ego.pipeline.live import Joined
from ego.pipeline.predictions import write_predictions
from ego.samplers import Sampling
from ego.spec import canonical_json
from ego.tasks.classify import Classify

TrainedOn = Sequence[tuple[str, Sequence[Sequence[float]]]]
"""What weights were trained on: the digests of videos, and the seconds of each (none: all of it)."""


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
        return {**self._own(), "problem": self.problem.description}

    def _own(self) -> dict[str, Any]:
        """The same but for the problem."""
        return {
            "deed": self.deed,
            "head": self.head.describe(),
            "sampling": self.sampling.describe(),
            "training": self.training.describe(),
            "features": dict(self.features),
            "keys": sorted([key.extractor, key.video, *key.signals] for key in self.keys),
        }

    @cached_property
    def digest(self) -> str:
        """64 hex digits over the one text of the description."""
        texts = {name: canonical_json(value) for name, value in self._own().items()} | {"problem": self.problem.text}
        whole = ",".join(f'"{name}":{texts[name]}' for name in sorted(texts))
        return hashlib.sha256(f"{{{whole}}}".encode()).hexdigest()

    def path(self, out: Path) -> Path:
        """Where this run lies, or will."""
        return out / self.digest[:16]


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
    (folder / "run.json").write_text(_in_lines(about) + "\n")
    (folder / "metrics.json").write_text(json.dumps(figures(plan.problem, folds), indent=1) + "\n")
    made: dict[str, Any] = tables(plan.problem, folds)
    np.savez_compressed(folder / "tables.npz", **made)
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


def _in_lines(value: Any, depth: int = 3, indent: str = "") -> str:
    """JSON whose outer dictionaries have an entry a line; what lies deeper, such as thousands of clips, is one line."""
    if not depth or not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = (f"{indent} {json.dumps(key)}: {_in_lines(one, depth - 1, indent + ' ')}" for key, one in value.items())
    return "{\n" + ",\n".join(inner) + f"\n{indent}}}"


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
        [plan.problem.clips[i].video.digest, plan.problem.clips[i].parts]
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
        "made": datetime.now(UTC).isoformat(timespec="milliseconds"),  # runs of one second are told in their order
    }
