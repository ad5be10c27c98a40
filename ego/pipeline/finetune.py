"""`ego finetune`: clips -> decoded windows -> backbones and head joined -> the same loop -> a run."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network, Tracker
from ego.heads._train import begin
from ego.media.decode import Decoded
from ego.pipeline import cached, runs
from ego.pipeline.clips import Problem
from ego.pipeline.fit import (
    Finished,
    Trained,
    Workplace,
    finish,
    head_of,
    planned,
    run_loop,
    stored_clips,
)
from ego.pipeline.learnable import check_learnable
from ego.pipeline.live import Joined, LiveClips, decode
from ego.pipeline.parity import Parity, check_parity
from ego.pipeline.recipe import Recipe
from ego.pipeline.windows import Shown
from ego.samplers import Sampling
from ego.spec import weight_fields
from ego.video import Array, Signal


@dataclass(frozen=True)
class Frozen:
    """An extractor with weights that is read from the store and not trained: the recipe's name of it, and why."""

    own: str
    extractor: str
    why: str


def finetune(
    recipe: Recipe, at: Workplace, folds: Sequence[str] = ()
) -> Iterator[Frozen | Parity | Trained | Finished]:
    """Trains the recipe's head together with the networks it reads, fold by fold; last the finished run.

    Every network with parameters that the head reads runs live on decoded windows, their sound, and the stored
    rows of what it holds; whatever else the head reads comes from the store, and is told where it has weights
    (`Frozen`). First each stored entry of a live network is held against what it computes now (`Parity`). The
    windows of all clips are held in memory.
    """
    head = head_of(recipe)
    if head.tails:
        raise BadRequest("finetune trains whole networks; leave head.tails out and name the end points in taps")
    if not recipe.sampling.rows:
        raise BadRequest("finetune decodes a few windows a clip: set how many with --set sampling.rows=2")
    if recipe.training.mixup or recipe.training.feature_dropout:
        raise BadRequest("training.mixup and training.feature_dropout are for stored features; finetune sees pictures")
    if recipe.sampling.permuted or recipe.sampling.shuffled:
        raise BadRequest("sampling.permuted and sampling.shuffled are controls of what is stored; ask ego fit-heads")
    if recipe.sampling != Sampling(rows=recipe.sampling.rows):
        raise BadRequest("finetune decodes evenly spaced windows; [sampling] may hold rows and nothing else")
    extractors = cached.sources(head, recipe)
    live, built = _live(extractors, at.files)
    yield from _frozen(extractors, live)
    plan, entries = planned("finetune", recipe, at, folds, live)
    if (metrics := runs.read(plan.path(at.out))) is not None:
        yield Finished(plan.path(at.out), metrics, found=True)
        return
    check_learnable(plan.problem)
    shown = {}
    for own, extractor in live.items():
        shown[own], decoded = decode(plan.problem, extractor, at.decoder, at.store, recipe.sampling.rows)
        yield from _parities(plan.problem, extractor, built[own], shown[own], decoded, at)
    arrays = {own: _arrays(own, extractor, head.features, at.files) for own, extractor in live.items()}
    clips = LiveClips(stored_clips(plan, entries, at), shown, arrays)
    results = []
    for name in plan.problem.folds:
        results.append((yield from _fold(name, plan, clips, live, at)))
    yield finish(plan, results, recipe, at)


def _live(extractors: Mapping[str, Extractor], files: Files) -> tuple[dict[str, Network], dict[str, nn.Module]]:
    """The extractors that can be trained, and their modules; none is a BadRequest."""
    networks = {own: one for own, one in extractors.items() if isinstance(one, Network) and not _reads_signals(one)}
    built = {own: one.build(files) for own, one in networks.items()}
    live = {own: one for own, one in networks.items() if any(True for _ in built[own].parameters())}
    if not live:
        names = ", ".join(f"{own} ({one.name})" for own, one in extractors.items())
        raise BadRequest(
            f"the head reads {names}: none is a network with weights to train; use resnet or i3d, or `ego fit-heads`"
        )
    return live, built


def _frozen(extractors: Mapping[str, Extractor], live: Mapping[str, Network]) -> Iterator[Frozen]:
    """What has weights of its own and does not run live."""
    for own, one in extractors.items():
        if own not in live and weight_fields(type(one)):
            why = "it follows a video in order" if isinstance(one, Tracker) else "its file cannot be trained"
            yield Frozen(own, one.name, why)


def _reads_signals(extractor: Extractor) -> bool:
    return any(isinstance(need, Signal) for need in extractor.needs().values())


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
    at: Workplace,
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
        parity = check_parity(extractor, module, video, key, mine, decoded[digest], at.store, at.files, at.device)
        if parity is not None:
            yield parity


def _fold(
    name: str, plan: runs.Plan, clips: LiveClips, live: Mapping[str, Network], at: Workplace
) -> Generator[Trained, None, runs.FoldResult]:
    """Trains one fold from the networks' own weights, and returns its result."""
    head = begin(plan.head, clips.shapes, plan.problem.trained_tasks, plan.training)
    module = Joined({own: extractor.build(at.files) for own, extractor in live.items()}, head)
    return (yield from run_loop(name, plan, module, clips, at))
