"""What the networks of face tracks ask for, give and refuse."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._face_network import published_keys
from ego.extractors.faces import Faces
from ego.extractors.lam import LAM
from ego.extractors.light_asd import LightASD
from ego.extractors.sound import Waveform
from ego.extractors.talknet import TalkNet
from ego.extractors.ttm import TTM
from ego.fields import Weights
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.needs import check, pictures_of, sounds_of
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Picture, Reading, Video

RANDOM = Weights("random:0")
WIDTHS = {LAM: 256, TTM: 256, TalkNet: 256, LightASD: 128}


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_row_is_a_face_in_a_frame(kind: type[Any]) -> None:
    spec = kind(weights=RANDOM)
    shapes = {name: array.shape for name, array in spec.rows({}).items()}
    assert shapes == {"feature": (WIDTHS[kind],), "logits": (2,), "score": (), "track": ()}
    assert pictures_of(spec) == {"frames": Picture("native", 0)}
    assert spec.needs()["faces"] == Faces()
    assert ("sound" in spec.needs()) == (kind is not LAM)
    assert not sounds_of(spec)
    check([spec])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fps": 0.0}, "fps 0"),
        ({"fps": 61.0}, "at most 60"),
        ({"piece_seconds": 0.01}, "at least one tick"),
        ({"loudness": -0.1}, "loudness -0.1"),
        ({"sound": Waveform(Window(frames=2, fps=10.0))}, "overlap"),
        ({"sound": Waveform(Window(stride=2, fps=10.0))}, "gaps"),
        ({"window": Window(frames=2)}, "sees one"),
        ({"faces": Faces(window=Window(fps=10.0))}, "two windows"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    for kind in (TTM, TalkNet, LightASD):
        with pytest.raises(BadRequest, match=words):
            kind(weights=RANDOM, **fields)


def test_the_names_of_published_files() -> None:
    one = torch.zeros(1)
    found = {"model.GRU.bias": one, "lossAV.FC.bias": one, "lossV.criterion.weight": one}
    assert set(published_keys(found)) == {"GRU.bias", "lossAV.FC.bias"}


def drawn(path: Path, heard: bool, watching: ModuleType) -> Video:
    """A second of a patch that grows brighter, with noise or without sound."""
    encode(path, watching.pixels(3, 25, 48, 64, 3).numpy(), 25, sound=(NOISE, 16_000) if heard else None)
    with Decoder() as decoder:
        (video,) = scan([path], decoder)
    assert isinstance(video, Video)
    return video


NOISE = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


def test_one_pass_gives_faces_and_sound_to_all(tmp_path: Path, watching: ModuleType) -> None:
    frames = np.array([*range(2, 20), *range(10, 16)])
    boxes = np.repeat([[0.2, 0.2, 0.6, 0.9], [0.5, 0.1, 0.9, 0.6]], [18, 6], axis=0)
    seconds = np.repeat((frames[:, None] + 0.5) / 25, 2, axis=1)
    tracks = Reading("face_tracks", seconds, {"box": boxes, "track": np.repeat([1, 2], [18, 6]).astype(np.int32)})
    videos = [drawn(tmp_path / "heard.mp4", True, watching), drawn(tmp_path / "mute.mp4", False, watching)]
    readings = {video.digest: {"face_tracks": tracks} for video in videos}
    extractors = [kind(weights=RANDOM) for kind in (LAM, TTM, LightASD)]
    store = FeatureStore(tmp_path / "store", create=True)
    done = list(extract(work(videos, extractors, store, readings), store, {}))
    assert not [one for one in done if isinstance(one, Outcome) and one.state == "failed"], done
    for spec in extractors:
        rows = store.read(entry_key(videos[0], spec, readings[videos[0].digest]))
        assert sorted(rows["track"].tolist()) == [1] * 18 + [2] * 6
        assert rows.source[:, 0].tolist() == sorted(frames.tolist())
        assert np.isfinite(rows["logits"]).all()
        mute = store.read(entry_key(videos[1], spec, readings[videos[1].digest]))
        assert len(mute.time) == (24 if isinstance(spec, LAM) else 0)


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_tail_judges_stored_features_as_the_whole_does(kind: type[Any], watching: ModuleType) -> None:
    fields = ({"precision": "float32"} if kind in (LAM, TTM) else {}) | ({} if kind is LAM else {"fps": 25.0})
    spec = kind(weights=RANDOM, **fields)
    pictures = watching.pixels(5, 9, 48, 64, 3).numpy()
    sound = watching.normal(6, 16_000 * 9 // 25).numpy() * 0.1
    faces = [(frame, 4, [0.25, 0.25, 0.75, 0.75]) for frame in range(9)]
    found = watching.followed(spec, watching.shown(pictures, faces, 4, 25.0, sound), {})
    feature, logits = (torch.from_numpy(found.arrays[name]).float() for name in ("feature", "logits"))
    beside = {}
    if kind is LAM:
        feature, logits = torch.stack([feature[row - 3 : row + 4] for row in range(3, 6)]), logits[3:6]
    elif kind is TTM:
        feature, logits = feature[None], logits[:1]
        beside = {"sound": torch.from_numpy(sound[: spec.samples(9)])[None]}
    tail = spec.tail("feature", {})
    with torch.no_grad():
        again = tail(feature, **beside)
    assert set(again) == {"logits"}
    assert torch.allclose(again["logits"], logits, rtol=1e-3, atol=1e-3)
    tail.train()(feature, **beside)["logits"].square().sum().backward()
    assert all(one.grad is not None for one in tail.parameters())
    whole = spec.network({}).state_dict()
    kept = {key.removeprefix("model."): x for key, x in tail.state_dict().items()}
    assert {key.split(".")[0] for key in kept} == set(spec.above)
    assert all(torch.equal(x, whole[key]) for key, x in kept.items() if not key.endswith(("_mean", "_var", "_tracked")))
    with pytest.raises(BadRequest, match="expected `feature`"):
        spec.tail("score", {})


def test_a_tail_that_hears_asks_for_its_sound() -> None:
    with pytest.raises(BadRequest, match="sound="):
        TTM(weights=RANDOM).tail("feature", {})(torch.zeros(1, 3, 256))
