"""Who has seen what: weights say which seconds of which videos they were trained on, and none of those are tested."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files
from ego.fields import Weights
from ego.pipeline.clips import Problem
from ego.pipeline.needs import in_order
from ego.pipeline.runs import TrainedOn
from ego.spec import Spec
from ego.video import Clip


def check_unseen(problem: Problem, fold: str, trained_on: TrainedOn, who: str, advice: str) -> None:
    """Nothing, or a BadRequest where `who` was trained on a clip that this fold tests.

    It is the video that may not be in both, or where the authors split within videos, its seconds.
    """
    seen: dict[str, list[tuple[tuple[float, ...], ...]]] = {}
    for digest, parts in trained_on:
        seen.setdefault(digest, []).append(tuple(tuple(part) for part in parts))
    for split, indices in problem.folds[fold].items():
        if split == "train":
            continue
        for index in indices:
            clip = problem.clips[index]
            if clip.video.digest in seen and (not problem.within_videos or _overlap(clip, seen[clip.video.digest])):
                name = f" of fold {fold!r}" if fold else ""
                raise BadRequest(f"{who} was trained on {clip.video.name!r}, which {split!r}{name} tests; {advice}")


def _overlap(clip: Clip, seen: Iterable[tuple[tuple[float, ...], ...]]) -> bool:
    """Whether a clip shares some time with spans of its video; no spans are all of it."""
    if not clip.parts:
        return True
    return any(
        not parts
        or any(start < stop_too and start_too < stop for start, stop in clip.parts for start_too, stop_too in parts)
        for parts in seen
    )


def check_extractors(extractors: Mapping[str, Extractor], files: Files, problem: Problem) -> TrainedOn:
    """What the weights of these extractors were trained on, where their files say; a tested clip among it is refused.

    Weights whose file is not on this machine are passed over: their rows are in the store already.
    """
    found: list[tuple[str, Any]] = []
    for own, extractor in extractors.items():
        for weights in weights_of(extractor):
            if weights.seed is not None or weights not in files:
                continue
            trained_on = trained_on_of(files[weights])
            for fold in problem.folds:
                who = f"the network of {own!r} ({files[weights].name})"
                advice = "take weights from that fold's own training, or others"
                check_unseen(problem, fold, trained_on, who, advice)
            found += trained_on
    return found


def weights_of(extractor: Extractor) -> list[Weights]:
    """All weights of an extractor and of those it holds, in order."""
    found = dict.fromkeys(one for held in in_order([extractor]) for one in _weights(held))
    return list(found)


def _weights(value: Any) -> Iterator[Weights]:
    if isinstance(value, Weights):
        yield value
    elif isinstance(value, Spec):
        for field in dataclasses.fields(value):
            yield from _weights(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _weights(one)


def trained_on_of(path: Path) -> TrainedOn:
    """What a safetensors file says it was trained on; nothing where it does not say."""
    return list(metadata(path).get("trained_on", [])) if path.suffix == ".safetensors" else []


def metadata(path: Path) -> dict[str, Any]:
    """What `ego` wrote into a safetensors file; nothing where another program wrote it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("ego", "{}")
        found = json.loads(text)
    except (OSError, SafetensorError, ValueError) as error:
        raise BadRequest(f"the weights {path} cannot be read ({type(error).__name__}); make them again") from error
    return found if isinstance(found, dict) else {}
