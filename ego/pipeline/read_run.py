"""A finished run read back: its recipe as specs, its label spaces, and each fold's module with its weights."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ego.datasets._base import Dataset
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network
from ego.heads._base import Head
from ego.heads._training import Training
from ego.pipeline import runs, tails
from ego.pipeline.judge import Labels
from ego.pipeline.live import Joined
from ego.pipeline.provenance import metadata
from ego.pipeline.recipe import Recipe
from ego.samplers import Sampling
from ego.spec import canonical_json, rebuild, rebuild_part
from ego.tasks._base import Task
from ego.video import Array


@dataclass(frozen=True)
class Run:
    """A run's folder and what `run.json` says; specs are made when they are asked for."""

    folder: Path
    about: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """64 hex digits over all that decided its numbers."""
        return str(self.about["digest"])

    @property
    def folds(self) -> dict[str, Path]:
        """The weights of each trained fold, by its name."""
        return {fold["name"]: self.folder / fold["weights"] for fold in self.about["folds"]}

    @property
    def figures(self) -> Path:
        """Where pictures of this run lie."""
        return self.folder / "figures"

    @property
    def deed(self) -> str:
        """`fit-heads` or `finetune`."""
        return str(self.about["plan"]["deed"])

    @cached_property
    def metrics(self) -> Mapping[str, Any]:
        """The figures it was written with."""
        found = runs.read(self.folder)
        if found is None:
            raise BadRequest(f"{self.folder} has no metrics.json; fit the run again")
        return found

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe as it was run: tasks with their label space, weights by their bytes, settings applied."""
        facts, plan = self.about["recipe"], self.about["plan"]
        dataset = rebuild(facts["dataset"]) if facts.get("dataset") else None
        return Recipe(
            name=facts["name"],
            text=self.text,
            extractors={own: _as(Extractor, rebuild(one)) for own, one in facts["extractors"].items()},
            tasks={name: _as(Task, rebuild(one)) for name, one in plan["problem"]["tasks"].items()},
            dataset=_as(Dataset, dataset) if dataset else None,
            head=self.head,
            training=rebuild_part(Training, plan["training"]),
            sampling=rebuild_part(Sampling, plan["sampling"]),
            path=str(self.folder / "recipe.toml"),
            settings=tuple(facts["settings"]),
        )

    @property
    def text(self) -> str:
        """The recipe's TOML."""
        return (self.folder / "recipe.toml").read_text(encoding="utf-8")

    @cached_property
    def head(self) -> Head:
        """The head, untrained."""
        head: Head = _as(Head, rebuild(self.about["plan"]["head"]))
        return head

    @cached_property
    def shapes(self) -> dict[str, Array]:
        """What a row of each feature is, as the head sees it."""
        return {name: rebuild_part(Array, one) for name, one in self.about["shapes"].items()}

    @property
    def live(self) -> dict[str, Network]:
        """The networks that were trained with the head, by the recipe's names."""
        named = [own for own, one in self.about["plan"]["features"].items() if one["live"]]
        return {own: _as(Network, self.recipe.extractors[own]) for own in named}

    @property
    def trained_tasks(self) -> dict[str, Task]:
        """The tasks that have something to learn of their own, by name."""
        return {name: task for name, task in self.recipe.tasks.items() if not task.of}

    def pick_folds(self, names: tuple[str, ...]) -> list[str]:
        """These folds, or all; one that was not trained is a BadRequest."""
        for name in names:
            if name not in self.folds:
                raise BadRequest(f"got fold {name!r}, {self.folder} has: {', '.join(map(repr, self.folds))}")
        return list(names or self.folds)

    def trained_on(self, fold: str) -> runs.TrainedOn:
        """The videos and seconds that a fold's weights have seen."""
        return list(metadata(self.folds[fold]).get("trained_on", []))

    def trained_labels(self, fold: str) -> Labels:
        """The labels a fold was trained on, by task and clip."""
        told = self.about["plan"]["problem"]
        train = told["folds"][list(self.folds).index(fold)]["train"]
        labels = {i: told["clips"][i]["labels"] for i in train}
        names = [name for name, task in self.recipe.tasks.items() if not task.reads]
        return {name: {i: np.asarray(one[name]) for i, one in labels.items() if name in one} for name in names}

    def clips(self, fold: str, split: str) -> list[Mapping[str, Any]] | None:
        """The clips of a split that the run saw (`video`, `parts`, `track`, `labels`); None where it had none."""
        told = self.about["plan"]["problem"]
        indices = told["folds"][list(self.folds).index(fold)].get(split)
        return None if indices is None else [told["clips"][i] for i in indices]

    def module(self, fold: str, files: Files) -> nn.Module:
        """A fold's module with its weights, in eval mode; weights that do not fit it are a BadRequest.

        Networks trained with the head are part of it: their own files are needed to build them.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        module = self.head.build(self.shapes, self.trained_tasks)
        if self.live:
            module = Joined({own: network.build(files) for own, network in self.live.items()}, module)
        above = tails.tails_of(self.head, self.recipe.extractors, files)
        module = tails.joined(module, above, self.head.tail_norms, files)
        path = self.folds[fold]
        try:
            module.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            words = str(error).strip().splitlines()[0]
            raise BadRequest(f"the weights {path} do not fit the run ({words:.160}); fit it again") from error
        return module.eval()


def open_run(folder: Path) -> Run:
    """The run in a folder, its description checked against its digest; anything else is a BadRequest."""
    advice = "name a run's folder such as runs/0123456789abcdef; `ego runs` lists them"
    try:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        plan = hashlib.sha256(canonical_json(about["plan"]).encode()).hexdigest()
        lacking = {"digest", "recipe", "folds", "environment"} - set(about)
    except FileNotFoundError as error:
        raise BadRequest(f"{folder} is no run: it has no run.json; {advice}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"the run {folder} is damaged: run.json cannot be read; remove it and fit again") from error
    if lacking or plan != about["digest"]:
        raise BadRequest(f"the run {folder} is damaged: run.json was changed; remove it and fit again")
    if "shapes" not in about or "extractors" not in about["recipe"]:
        raise BadRequest(f"the run {folder} was written by an older ego and says too little; fit it again")
    gone = [path.name for path in Run(folder, about).folds.values() if not path.is_file()]
    if gone:
        raise BadRequest(f"the run {folder} is damaged: {gone[0]} is gone; remove it and fit again")
    return Run(folder, about)


def _as(kind: type[Any], spec: object) -> Any:
    if not isinstance(spec, kind):
        raise BadRequest(f"got {type(spec).__name__}, expected {kind.__name__}: the run is damaged; fit it again")
    return spec
