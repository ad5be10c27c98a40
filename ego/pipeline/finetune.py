"""`ego finetune`: clips -> decoded windows -> backbones and head joined -> the same loop -> a run."""

from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network
from ego.heads._train import begin
from ego.media.decode import Decoded, Decoder
from ego.pipeline import cached, runs
from ego.pipeline.clips import Problem, problem
from ego.pipeline.fit import Finished, Trained, check_learnable, head_of, result, run_loop
from ego.pipeline.live import Joined, LiveClips, decode
from ego.pipeline.parity import Parity, check_parity
from ego.pipeline.recipe import Recipe
from ego.pipeline.windows import Shown
from ego.video import Array


def finetune(
    recipe: Recipe,
    root: Path,
    store: FeatureStore,
    files: Files,
    decoder: Decoder,
    out: Path,
    *,
    device: str = "cpu",
    folds: tuple[str, ...] = (),
    rehash: bool = False,
) -> Iterator[Parity | Trained | Finished]:
    """Trains the recipe's head together with the networks it reads, fold by fold; last the finished run.

    Every network with parameters that the head reads runs live on decoded windows; whatever else it
    reads comes from the store. First each stored entry of a live network is held against what it
    computes now (`Parity`). The windows of all clips are held in memory.
    """
    head = head_of(recipe)
    if not recipe.training.rows:
        raise BadRequest("finetune decodes a few windows a clip: set how many with --set training.rows=2")
    learnt = problem(recipe, root, decoder, store, rehash).only(folds)
    extractors = cached.sources(head, recipe)
    live, built = _live(extractors, files)
    entries = {own: cached.keys(learnt, extractor) for own, extractor in extractors.items() if own not in live}
    cached.check_stored({own: some.values() for own, some in entries.items()}, recipe, learnt, root, store)
    plan = runs.Plan(
        deed="finetune",
        problem=learnt,
        head=head,
        training=recipe.training,
        features={own: {"extractor": one.digest, "live": own in live} for own, one in extractors.items()},
        keys=[key for some in entries.values() for key in some.values()],
    )
    if (metrics := runs.read(plan.path(out))) is not None:
        yield Finished(plan.path(out), metrics, found=True)
        return
    check_learnable(learnt)
    shown = {}
    for own, extractor in live.items():
        shown[own], decoded = decode(learnt, extractor, decoder, recipe.training.rows)
        yield from _parities(learnt, extractor, built[own], shown[own], decoded, store, files, device)
    columns = cached.read_columns(learnt, entries, head.features, store, recipe.training.rows)
    arrays = {own: _arrays(own, extractor, head.features, files) for own, extractor in live.items()}
    shapes = {name: column.array for name, column in columns.items()}
    shapes |= {name: array for some in arrays.values() for name, array in some.items()}
    clips = LiveClips(
        cached.CachedClips(columns, learnt, np.arange(len(learnt.clips))),
        shown,
        {own: tuple(some) for own, some in arrays.items()},
    )
    results = []
    for name in learnt.folds:
        results.append((yield from _fold(name, plan, clips, live, shapes, files, device)))
    folder = runs.write(out, plan, results, {"name": recipe.name, "settings": list(recipe.settings)}, recipe.text)
    yield Finished(folder, runs.read(folder) or {}, found=False)


def _live(extractors: Mapping[str, Extractor], files: Files) -> tuple[dict[str, Network], dict[str, nn.Module]]:
    """The extractors that can be trained, and their modules; none is a BadRequest."""
    networks = {own: one for own, one in extractors.items() if isinstance(one, Network)}
    built = {own: one.build(files) for own, one in networks.items()}
    live = {own: one for own, one in networks.items() if any(True for _ in built[own].parameters())}
    if not live:
        names = ", ".join(f"{own} ({one.name})" for own, one in extractors.items())
        raise BadRequest(f"the head reads {names}: none has weights to train; use resnet or i3d, or `ego fit-heads`")
    return live, built


def _arrays(own: str, extractor: Network, features: tuple[str, ...], files: Files) -> dict[str, Array]:
    """What the head calls the arrays of a live network, and what they are."""
    arrays = {cached.feature_name(own, array): what for array, what in extractor.rows(files).items()}
    return {name: what for name, what in arrays.items() if not features or name in features}


def _parities(
    learnt: Problem,
    extractor: Network,
    module: nn.Module,
    shown: list[list[Shown]],
    decoded: Mapping[str, Decoded],
    store: FeatureStore,
    files: Files,
    device: str,
) -> Iterator[Parity]:
    """Each video with an entry, held against what is computed now."""
    for digest, key in cached.keys(learnt, extractor).items():
        mine = [
            one
            for clip, windows in zip(learnt.clips, shown, strict=True)
            if clip.video.digest == digest
            for one in windows
        ]
        video = learnt.videos[digest]
        parity = check_parity(extractor, module, video, key, mine, decoded.get(digest), store, files, device)
        if parity is not None:
            yield parity


def _fold(
    name: str,
    plan: runs.Plan,
    clips: LiveClips,
    live: Mapping[str, Network],
    shapes: Mapping[str, Array],
    files: Files,
    device: str,
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold from the networks' own weights, and returns its result."""
    head = begin(plan.head, shapes, plan.problem.tasks, plan.training)
    module = Joined({own: extractor.build(files) for own, extractor in live.items()}, head)
    log: list[dict[str, Any]] = yield from run_loop(
        name, plan, module, clips.only(plan.problem.folds[name]["train"]), device
    )
    return result(name, plan, module, clips, device, log)
