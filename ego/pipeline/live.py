"""Clips whose features are computed as they are trained: decoded windows in, extractors and head joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Network
from ego.heads._base import Batch, Tensors, slot
from ego.media.decode import Decoded, Decoder
from ego.pipeline.averaging import Looked
from ego.pipeline.beside import completed
from ego.pipeline.cached import CachedClips, feature_name
from ego.pipeline.clips import Indices, Problem, moments
from ego.pipeline.windows import Shown, nearest_windows
from ego.video import Array, Clip

GIVEN = "given to "


@dataclass(frozen=True, eq=False)
class LiveClips:
    """Clips of a problem with the windows of their live features in memory; the rest comes from the store.

    `shown` holds the windows of each clip by the recipe's name of a live extractor, with all that it is shown,
    `arrays` what the head calls its arrays and what they are.
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

    @property
    def still(self) -> bool:
        """What the networks say of a clip changes as they learn."""
        return False

    def only(self, chosen: Indices) -> "LiveClips":
        """The same clips narrowed to these."""
        return LiveClips(self.cached.only(chosen), self.shown, self.arrays)

    def looked(self) -> Looked:
        """One look at each clip."""
        return Looked.once(self)

    def batch(self, indices: NDArray[np.int64], draw: np.random.Generator | None = None) -> Batch:
        """A batch whose live features are what their networks are shown, by need: pictures (B, N, T, H, W, 3) uint8."""
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
            for need in clips[0][0].given:
                given = [[one.given[need] for one in clip] for clip in clips]
                features[f"{GIVEN}{name}/{need}"] = _stack(given, count)
        return Batch(features, masks, rest.labels, rest.labelled)


def _stack(clips: Sequence[Sequence[NDArray[Any]]], count: int) -> Tensor:
    """(B, count, *shape); a clip with fewer windows repeats its last, which is masked."""
    shapes = {given.shape for clip in clips for given in clip}
    if len(shapes) > 1:
        # pictures are (frames, height, width, 3), fields of flow (frames, 2, height, width)
        sides = [(shape[2], shape[1]) if shape[-1] == 3 else (shape[-1], shape[-2]) for shape in sorted(shapes)]
        sizes = ", ".join(f"{wide}x{tall}" for wide, tall in sides)
        raise BadRequest(f"got pictures of {sizes} in one batch; set picture.fit=squash for the extractor")
    return torch.from_numpy(np.stack([np.stack([*clip, *[clip[-1]] * (count - len(clip))]) for clip in clips]))


def decode(
    problem: Problem, extractor: Network, decoder: Decoder, store: FeatureStore, rows: int
) -> tuple[list[list[Shown]], dict[str, Decoded]]:
    """The windows of every clip (`rows` of each part, evenly spaced), and how each video was decoded, once.

    What the network holds is read from the store.
    """
    facts = {}
    found: list[list[Shown]] = [[] for _ in problem.clips]
    order = sorted(range(len(problem.clips)), key=lambda i: problem.clips[i].video.digest)
    for digest, group in groupby(order, key=lambda i: problem.clips[i].video.digest):
        indices = list(group)
        wanted = [moments(_spans(problem.clips[i]), rows) for i in indices]
        video, readings = problem.videos[digest], problem.readings.get(digest, {})
        seen = nearest_windows(decoder, video, extractor, readings, np.concatenate(wanted))
        facts[digest] = decoder.decoded
        shown = completed(seen, extractor, video, readings, store)
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
    """Backbones and a head as one module: forward takes what they are shown where the head takes features.

    The backbones stay in eval mode, so that what is live keeps the statistics of what is stored
    while their weights learn.
    """

    def __init__(self, backbones: Mapping[str, nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.backbones = nn.ModuleDict({slot(name): module for name, module in backbones.items()})
        self.head = head
        self._names = tuple(backbones)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The backbones by the recipe's names."""
        return {name: self.backbones[slot(name)] for name in self._names}

    def train(self, mode: bool = True) -> "Joined":
        """Training mode for the head alone."""
        super().train(mode)
        self.backbones.eval()
        return self

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> Mapping[str, Tensor]:
        """The head's predictions."""
        seen = {name: value for name, value in features.items() if not name.startswith(GIVEN)}
        for name in self._names:
            prefix = f"{GIVEN}{name}/"
            given = {key.removeprefix(prefix): value for key, value in features.items() if key.startswith(prefix)}
            clips, rows = next(iter(given.values())).shape[:2]
            outputs = self.backbones[slot(name)](**{need: value.flatten(0, 1) for need, value in given.items()})
            for array, output in outputs.items():
                seen[feature_name(name, array)] = output.unflatten(0, (clips, rows))
        found: Mapping[str, Tensor] = self.head(seen, masks, tasks, labels)
        return found
