"""Live equals cached: what an extractor computes now against what the store holds of the same windows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Files, Network
from ego.media.decode import Decoded
from ego.pipeline.threads import about_run
from ego.pipeline.windows import Shown
from ego.video import Video

WINDOWS = 8
"""How many windows of a video are computed again."""


@dataclass(frozen=True)
class Parity:
    """How far the live rows of a video lie from the stored ones: the greatest relative L2, over how many rows."""

    video: Video
    rows: int
    distance: float


def check_parity(
    extractor: Network,
    module: nn.Module,
    video: Video,
    key: FeatureKey,
    shown: Sequence[Shown],
    decoded: Decoded,
    store: FeatureStore,
    files: Files,
    device: str,
) -> Parity | None:
    """The distance of a few windows of one video; None where the store has no rows of it.

    Beyond the extractor's tolerance, or where the stored rows lie at other times, it is a BadRequest
    that names which facts of the entry differ from this run's.
    """
    unique = list({one.row.time: one for one in shown}.values())[:: max(1, len(shown) // WINDOWS)][:WINDOWS]
    if key not in store or not unique:
        return None
    stored = store.read(key)
    if not len(stored.time):
        return None
    times = np.array([one.row.time for one in unique])
    places = np.searchsorted(stored.time[:, 0], times[:, 0] - 1e-6).clip(max=len(stored.time) - 1)
    marker = store.marker(key)
    if np.abs(stored.time[places] - times).max() > 1e-3:
        raise BadRequest(_words(extractor, video, "lie at other times", marker.about, decoded, device))
    live = _compute(extractor, module, unique, files, device)
    distance = max(_distance(live[name], stored[name][places]) for name in live)
    if not distance <= extractor.tolerance:
        what = f"differ by {distance:.3g} (relative L2, the tolerance is {extractor.tolerance:g})"
        raise BadRequest(_words(extractor, video, what, marker.about, decoded, device))
    return Parity(video, len(unique), distance)


def _compute(
    extractor: Network, module: nn.Module, shown: Sequence[Shown], files: Files, device: str
) -> dict[str, NDArray[Any]]:
    """The rows of some windows, cast as they are stored."""
    inputs = {need: np.stack([one.given[need] for one in shown]) for need in shown[0].given}
    with torch.inference_mode():
        outputs = module.to(device).eval()(**{need: torch.from_numpy(x).to(device) for need, x in inputs.items()})
    arrays = extractor.rows(files)
    return {name: array.cast(outputs[name].float().cpu().numpy()) for name, array in arrays.items()}


def _distance(live: NDArray[Any], stored: NDArray[Any]) -> float:
    """The greatest relative L2 of a row."""
    one, two = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (live, stored))
    return float((np.linalg.norm(one - two, axis=1) / np.maximum(np.linalg.norm(two, axis=1), 1e-12)).max())


def _words(extractor: Network, video: Video, what: str, then: Mapping[str, Any], decoded: Decoded, device: str) -> str:
    was, now = _facts(then), _facts(about_run(decoded, device, video))
    differences = [f"{name} was {was[name]}, is {now[name]}" for name in now if name in was and was[name] != now[name]]
    return (
        f"the stored rows of {extractor.name} for {video.name!r} {what} from what is computed now; "
        f"{'; '.join(differences) or 'its marker names no difference'}: remove that entry and extract it again"
    )


def _facts(about: Mapping[str, Any]) -> dict[str, Any]:
    """What may move a number, by name: the device, the decoder, and each library's version."""
    kept = {name: about.get(name) for name in ("ego", "device", "time_base")}
    decoded = about.get("decoded") or {}
    kept |= {name: decoded.get(name) for name in ("decoder", "decoder_version", "libraries")}
    return {name: value for name, value in kept.items() if value is not None} | dict(about.get("libraries") or {})
