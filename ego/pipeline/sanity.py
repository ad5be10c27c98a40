"""What a network says it sees in a few windows of a video, where its file has the classes it was trained on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network
from ego.extractors._model_folder import class_names_beside
from ego.media.decode import Decoder
from ego.pipeline.windows import windows
from ego.spec import Weights
from ego.video import Picture, Video

TOP = 5
WINDOWS = 3
"""How many windows of a video are looked at, spread over it."""
GUESSED_FPS = 10.0
"""A rate below that of nearly any video, so that a cut is long enough for one window."""


@dataclass(frozen=True)
class Glance:
    """The likeliest classes of one window: (index, share of 1), best first, of so many."""

    start: float
    stop: float
    top: tuple[tuple[int, float], ...]
    classes: int


def glances(extractor: Network, video: Video, decoder: Decoder, files: Files, device: str) -> list[Glance] | None:
    """The likeliest classes of a few windows; None where the network has no classes, or sees more than pictures."""
    if not all(isinstance(one, Picture) for one in extractor.needs().values()):
        return None
    classes = extractor.classifier(files)
    if classes is None:
        return None
    classes = replace(classes, window=replace(classes.window, at="grid", edge="repeat"))
    module = classes.build(files).to(device).eval()
    return list(_glances(classes, module, video, decoder, device))


def _glances(
    classes: Network, module: torch.nn.Module, video: Video, decoder: Decoder, device: str
) -> Iterator[Glance]:
    for part in _parts(video, classes.window.span / (classes.window.fps or GUESSED_FPS)):
        shown = next(windows(decoder, part, classes, {}), None)
        if shown is None:
            continue
        with torch.inference_mode():
            given = {need: torch.from_numpy(pixels)[None].to(device) for need, pixels in shown.given.items()}
            scores = shares(module(**given)["feature"][0])
        best = scores.topk(min(TOP, len(scores)))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        yield Glance(shown.row.time[0], shown.row.time[2], tuple(pairs), len(scores))


def shares(row: torch.Tensor) -> torch.Tensor:
    """(classes,) that sum to 1, of a row of scores: one vector, moments (T, classes) or a map (classes, ...)."""
    scores = row.double().cpu()
    scores = scores.mean(dim=0) if scores.ndim == 2 else scores.flatten(1).mean(dim=1) if scores.ndim > 2 else scores
    total = float(scores.sum())
    # a softmax of 8 bits rounds a thousand small shares: its sum is only about 1
    are_shares = scores.min() >= 0 and scores.max() <= 1 and abs(total - 1) < 0.25
    return scores / total if are_shares else scores.softmax(dim=0)


def _parts(video: Video, seconds: float) -> list[Video]:
    """Cuts of a video long enough for a window each, at its beginning and evenly after it."""
    length = video.header.seconds_from_header if video.header else 0.0
    if video.part is not None or length <= WINDOWS * seconds:
        return [video]
    starts = (video.header.start_seconds if video.header else 0.0, length)
    return [video.cut(at := max(0.0, starts[0]) + k * length / WINDOWS, at + seconds + 1) for k in range(WINDOWS)]


def class_names(extractor: Extractor, files: Files, given: Path | None, classes: int) -> Sequence[str] | None:
    """The names of so many classes: of the file given, else of one beside the weights; None where there is none.

    Beside `best.pth` that is `best.classes.txt`, one name a line, or the configuration of a model folder. Another
    number of names is a BadRequest.
    """
    names = _names(extractor, files, given)
    if names is not None and len(names) != classes:
        raise BadRequest(
            f"got the names of {len(names)} classes for {extractor.name}, whose file has {classes}: names or weights "
            "are of another training; name the right ones with --classes"
        )
    return names


def _names(extractor: Extractor, files: Files, given: Path | None) -> Sequence[str] | None:
    if given is not None:
        return _read(given)
    weights = getattr(extractor, "weights", None)
    if not isinstance(weights, Weights) or weights.seed is not None:
        return None
    beside = files[weights].with_suffix(".classes.txt")
    return _read(beside) if beside.is_file() else class_names_beside(files[weights])


def _read(path: Path) -> list[str]:
    """One name a line, a JSON list, or a JSON table by index."""
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
        if isinstance(table, Mapping):
            return [str(table[key]) for key in sorted(table, key=int)]
        return [str(name) for name in table]
    except (OSError, ValueError, TypeError) as error:
        raise BadRequest(f"got class names {path} ({error}), expected one name a line or a JSON list") from error
