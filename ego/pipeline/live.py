"""Clips whose features are computed as they are trained: decoded windows in, extractors and head joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.extractors._base import Network
from ego.heads._base import Batch, Tensors, slot
from ego.media.decode import Decoded, Decoder
from ego.pipeline.averaging import Looked
from ego.pipeline.cached import CachedClips, feature_name
from ego.pipeline.clips import Indices, Problem, moments
from ego.pipeline.windows import Shown, nearest_windows
from ego.video import Array, Clip

PIXELS = "pixels of "


@dataclass(frozen=True, eq=False)
class LiveClips:
    """Clips of a problem with the windows of their live features in memory; the rest comes from the store.

    `shown` holds the windows of each clip by the recipe's name of a live extractor, `arrays` what the
    head calls its arrays and what they are.
    """

    cached: CachedClips
    shown: Mapping[str, Sequence[Sequence[Shown]]]
    arrays: Mapping[str, Mapping[str, Array]]

    def __len__(self) -> int:
        return len(self.cached)

    @property
    def shapes(self) -> dict[str, Array]:
        """What a row of each feature is, live or stored."""
        return self.cached.shapes | {name: what for some in self.arrays.values() for name, what in some.items()}

    def only(self, chosen: Indices) -> "LiveClips":
        """The same clips narrowed to these."""
        return LiveClips(self.cached.only(chosen), self.shown, self.arrays)

    def looked(self) -> Looked:
        """One look at each clip."""
        return Looked.once(self)

    def batch(self, indices: NDArray[np.int64], draw: np.random.Generator | None = None) -> Batch:
        """A batch whose live features are (B, N, T, H, W, 3) uint8 by need."""
        picked = self.cached.chosen[indices]
        rest = self.cached.batch(indices, draw)
        features, masks = dict(rest.features), dict(rest.masks)
        for name, windows in self.shown.items():
            clips = [windows[i] for i in picked]
            count = max(map(len, clips))
            masks |= {
                feature: torch.tensor([[n < len(clip) for n in range(count)] for clip in clips])
                for feature in self.arrays[name]
            }
            for need in clips[0][0].pixels:
                pixels = [[one.pixels[need] for one in clip] for clip in clips]
                features[f"{PIXELS}{name}/{need}"] = _stack(pixels, count)
        return Batch(features, masks, rest.labels, rest.labelled)


def _stack(clips: Sequence[Sequence[NDArray[np.uint8]]], count: int) -> Tensor:
    """(B, count, T, H, W, 3); a clip with fewer windows repeats its last, which is masked."""
    shapes = {pixels.shape for clip in clips for pixels in clip}
    if len(shapes) > 1:
        sizes = ", ".join(f"{shape[2]}x{shape[1]}" for shape in sorted(shapes))
        raise BadRequest(f"got pictures of {sizes} in one batch; set picture.fit=squash for the extractor")
    return torch.from_numpy(np.stack([np.stack([*clip, *[clip[-1]] * (count - len(clip))]) for clip in clips]))


def decode(
    problem: Problem, extractor: Network, decoder: Decoder, rows: int
) -> tuple[list[list[Shown]], dict[str, Decoded]]:
    """The windows of every clip (`rows` of each part, evenly spaced), and how each video was decoded, once."""
    facts = {}
    found: list[list[Shown]] = [[] for _ in problem.clips]
    order = sorted(range(len(problem.clips)), key=lambda i: problem.clips[i].video.digest)
    for digest, group in groupby(order, key=lambda i: problem.clips[i].video.digest):
        indices = list(group)
        wanted = [moments(_spans(problem.clips[i]), rows) for i in indices]
        shown = nearest_windows(
            decoder, problem.videos[digest], extractor, problem.readings.get(digest, {}), np.concatenate(wanted)
        )
        facts[digest] = decoder.decoded
        ends = np.cumsum([len(one) for one in wanted])
        for i, stop, one in zip(indices, ends, wanted, strict=True):
            found[i] = shown[stop - len(one) : stop]
    return found, facts


def _spans(clip: Clip) -> Sequence[tuple[float, float]]:
    header = clip.video.header
    if clip.parts:
        return clip.parts
    if header is None or not header.seconds_from_header:
        raise BadRequest(f"{clip.video.name!r} does not say how long it is; annotate its clips in seconds")
    return ((header.start_seconds, header.start_seconds + header.seconds_from_header),)


class Joined(nn.Module):
    """Backbones and a head as one module: forward takes pixels where the head takes features.

    The backbones stay in eval mode, so that what is live keeps the statistics of what is stored
    while their weights learn.
    """

    def __init__(self, backbones: Mapping[str, nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict({slot(name): module for name, module in backbones.items()})
        self.head = head
        self._names = tuple(backbones)

    def train(self, mode: bool = True) -> "Joined":
        """Training mode for the head alone."""
        super().train(mode)
        self.backbones.eval()
        return self

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> Mapping[str, Tensor]:
        """The head's predictions."""
        seen = {name: value for name, value in features.items() if not name.startswith(PIXELS)}
        for name in self._names:
            prefix = f"{PIXELS}{name}/"
            pixels = {key.removeprefix(prefix): value for key, value in features.items() if key.startswith(prefix)}
            clips, rows = next(iter(pixels.values())).shape[:2]
            outputs = self.backbones[slot(name)](**{need: value.flatten(0, 1) for need, value in pixels.items()})
            for array, output in outputs.items():
                seen[feature_name(name, array)] = output.unflatten(0, (clips, rows))
        found: Mapping[str, Tensor] = self.head(seen, masks, tasks, labels)
        return found
