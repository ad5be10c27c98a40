"""Sharing: rows are those of a network alone, and nothing is computed twice for one video."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import readable
import torch

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Files, Network, Shared
from ego.extractors.i3d import I3D
from ego.extractors.resnet import ResNet
from ego.extractors.slow import Slow
from ego.media.decode import Decoder
from ego.pipeline.engine import How
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Job, Outcome, entry_key, work
from ego.pipeline.lanes import WindowLane
from ego.pipeline.scan import scan
from ego.pipeline.sharing import SharingLane, lanes_of
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Array, Picture, Reading, Timeline, Video

Make = Callable[..., Path]
RANDOM = Weights("random:0")
SEEN: Counter[int] = Counter()
"""How often each frame's number was read."""


class _Numbers(torch.nn.Module):
    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        said = [[readable.read_number(picture.numpy()) for picture in window] for window in frames]
        SEEN.update(number for window in said for number in window)
        return {"feature": torch.tensor(said, dtype=torch.float32)}


class _Squares(torch.nn.Module):
    def forward(self, feature: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"feature": feature[..., 0] ** 2}


@dataclass(frozen=True)
class Whole(Network):
    """The numbers of a row's frames; settings on different grids have whole rows in common."""

    window: Window = Window()

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("short", 96)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((self.window.frames,), "float32")}

    def shared(self) -> Shared:
        return self.on_any_grid()

    def build(self, files: Files) -> torch.nn.Module:
        return _Numbers()


@dataclass(frozen=True)
class Squares(Network):
    """The squares of the numbers of a row's frames, which are read by themselves."""

    window: Window = Window()

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("short", 96)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((self.window.frames,), "float32")}

    def shared(self) -> Shared:
        return Shared(Whole(), lambda files: _Squares())

    def build(self, files: Files) -> torch.nn.Module:
        raise AssertionError("its windows overlap")


def seen(*paths: Path) -> list[Video]:
    with Decoder() as decoder:
        return [one for one in scan(paths, decoder) if isinstance(one, Video)]


def run(
    store: FeatureStore, videos: list[Video], extractors: list[Extractor], beside: dict[str, Reading], **how: object
) -> None:
    SEEN.clear()
    jobs = [replace(job, readings=beside) for job in work(videos, extractors, store)]
    events = list(extract(jobs, store, {}, **how))  # type: ignore[arg-type]
    assert [event.state for event in events if isinstance(event, Outcome)] == ["stored"] * len(videos)


GRIDS = [
    Window(4, stride=1), Window(4, stride=2), Window(4, stride=3, edge="drop"), Window(4, stride=2, interval=2),
    Window(4, stride=4, fps=6.0), Window(4, stride=1, fps=40.0), Window(1), Window(2, stride=5),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "power"), [(Whole, 1), (Squares, 2)])
@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (5, 2), (64, 1)])
def test_rows_are_those_of_each_window_and_no_frame_is_read_twice(
    tmp_path: Path, readable_video: Make, kind: type[Network], power: int, batch: int, workers: int
) -> None:
    lengths = {"a": 37, "b": 3}
    paths = [
        readable_video(tmp_path / f"{name}.mp4", frames=frames, fps=15, size=(160, 120 + 16 * (name == "b")))
        for name, frames in lengths.items()
    ]
    store = FeatureStore(tmp_path / "store", create=True)
    kinds: list[Extractor] = [kind(window) for window in GRIDS]
    run(store, seen(*paths), kinds, {}, batch=batch, workers=workers)
    for video in seen(*paths):
        for extractor in kinds:
            rows = extractor.window.rows(Timeline.regular(lengths[video.name], 15))
            if not rows:
                continue
            stored = store.read(entry_key(video, extractor, {}))
            assert stored["feature"].tolist() == [[float(i**power) for i in row.frames] for row in rows]
            assert np.allclose(stored.time, [row.time for row in rows], atol=1e-4)
    if kind is Squares:  # frames 0 to 2 are in both videos
        assert Counter([*range(37), *range(3)]) == SEEN


def test_spans_share_frames_with_one_another_and_with_the_grid(tmp_path: Path, readable_video: Make) -> None:
    (video,) = seen(readable_video(tmp_path / "a.mp4", frames=60, fps=15))
    spans = np.array([[0.0, 2.0], [0.5, 3.5], [1.0, 4.0], [3.0, 9.0]])
    reading = Reading("segments", spans, {})
    store = FeatureStore(tmp_path / "store", create=True)
    extractors = [Squares(Window(5, at="segments")), Squares(Window(3, stride=2))]
    run(store, [video], list(extractors), {"segments": reading}, batch=3)
    for extractor in extractors:
        at = spans if extractor.window.at == "segments" else None
        rows = extractor.window.rows(Timeline.regular(60, 15), at)
        stored = store.read(entry_key(video, extractor, {"segments": reading} if at is not None else {}))
        assert stored["feature"].tolist() == [[float(i * i) for i in row.frames] for row in rows]
    assert Counter(range(60)) == SEEN


def test_what_is_shared_is_forgotten_with_its_frames(tmp_path: Path, readable_video: Make) -> None:
    from ego.pipeline.ride import Ride

    (video,) = seen(readable_video(tmp_path / "a.mp4", frames=200))
    most, held = 0, Ride.cells

    def counted(self: Ride, digest: str) -> object:
        nonlocal most
        most = max(most, len(held(self, digest)))
        return held(self, digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ride, "cells", counted)
        store = FeatureStore(tmp_path / "store", create=True)
        run(store, [video], [Squares(Window(8)), Squares(Window(2, stride=3))], {}, batch=4)
    assert most <= 9  # the longest window, and the frame that came last


@pytest.mark.parametrize(
    ("networks", "sharing"),
    [
        ([ResNet(weights=RANDOM)], [False]),
        ([ResNet(weights=RANDOM), ResNet(weights=RANDOM, window=Window(fps=5.0))], [True, True]),
        ([ResNet(weights=RANDOM), ResNet(weights=Weights("random:1"))], [False, False]),
        ([ResNet(weights=RANDOM), ResNet(weights=RANDOM, taps=("logits",))], [False, False]),
        ([I3D(weights=RANDOM)], [False]),
        ([I3D(weights=RANDOM, window=Window(32, stride=8, fps=25.0))], [True]),
        ([I3D(weights=RANDOM), I3D(weights=RANDOM, window=Window(32, stride=32))], [True, True]),
        ([Slow(weights=RANDOM)], [False]),
        ([Slow(weights=RANDOM, window=Window(8, stride=8, interval=8, fps=30.0))], [True]),
        ([Slow(weights=RANDOM, window=Window(8, stride=8, interval=8), taps=("res2", "pool"))], [False]),
    ],
)
def test_only_those_share_who_have_something_in_common(networks: list[Network], sharing: list[bool]) -> None:
    lanes = lanes_of(networks, {}, How())
    assert [isinstance(lanes[one.digest], SharingLane) for one in networks] == sharing
    assert {type(lane) for lane in lanes.values()} <= {SharingLane, WindowLane}


def stored_alone(tmp_path: Path, video: Video, extractor: Network) -> np.ndarray:
    """Its rows without sharing."""
    module = extractor.build({})
    from ego.pipeline.windows import windows

    with Decoder() as decoder, torch.inference_mode():
        shown = [torch.from_numpy(one.given["frames"]) for one in windows(decoder, video, extractor, {})]
        return np.concatenate([module(frames=one[None])["feature"].numpy() for one in shown]).astype(np.float16)


@pytest.mark.parametrize(
    "extractors",
    [
        [ResNet(weights=RANDOM, size=64, picture=Picture("short", 64), window=w) for w in (Window(), Window(stride=3))],
        [
            Slow(weights=RANDOM, size=64, picture=Picture("short", 64), window=Window(4, stride, 2), views=views)
            for stride, views in ((2, ("centre",)), (6, ("centre",)), (2, ("centre", "centre flipped")))
        ],
        [
            I3D(
                weights=RANDOM,
                size=64,
                picture=Picture("short", 64),
                window=Window(frames, stride),
                taps=("Mixed_4f",),
                views=views,
            )
            for frames, stride, views in ((16, 4, ("centre",)), (10, 3, ("centre",)), (12, 2, ("centre", "left")))
        ],
    ],
    ids=["resnet", "slow", "i3d"],
)
def test_networks_give_the_numbers_they_give_alone(
    tmp_path: Path, readable_video: Make, extractors: list[Network]
) -> None:
    (video,) = seen(readable_video(tmp_path / "a.mp4", frames=16))
    store = FeatureStore(tmp_path / "store", create=True)
    run(store, [video], list(extractors), {}, batch=4)
    for extractor in extractors:
        shared = store.read(entry_key(video, extractor, {}))["feature"].astype(np.float32)
        alone = stored_alone(tmp_path, video, extractor).astype(np.float32)
        assert shared.shape == alone.shape
        assert np.linalg.norm(shared - alone) <= 2e-3 * np.linalg.norm(alone)


def test_a_network_that_fails_ends_the_run(tmp_path: Path, readable_video: Make) -> None:
    videos = seen(readable_video(tmp_path / "a.mp4", frames=40, size=(160, 120)))
    networks = [ResNet(weights=RANDOM, window=Window(stride=n)) for n in (1, 2)]
    small = [replace(one, picture=Picture("squash", 224)) for one in networks]
    store = FeatureStore(tmp_path / "store", create=True)
    jobs = [Job(video, tuple(small), {}) for video in videos]

    def broken(self: object, *given: object, **named: object) -> None:
        raise BadRequest("got a broken network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ego.extractors._tapped.Tapped.forward", broken)
        with pytest.raises(BadRequest, match="broken network"):
            list(extract(jobs, store, {}, batch=4))
