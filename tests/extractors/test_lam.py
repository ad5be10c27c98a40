"""`lam` gives the published numbers, and judges the middle of seven frames of each face."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.faces import Faces
from ego.extractors.lam import LAM
from ego.fields import Weights
from ego.layers.face_lstm import LookingAtMe
from ego.sampling import Window

RANDOM = Weights("random:2")


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any], watching: ModuleType) -> None:
    published = pins("lam_baseline_lstm")
    state = {f"module.{key}": tensor for key, tensor in published.state().items()}
    weights, files = keep({"state_dict": state}, "lam.ckpt")
    network = LAM(weights=weights).network(files)
    stages = [f"layer{stage}" for stage in (1, 2, 3)]
    seen = watching.watch(network, *(f"base_model.{stage}" for stage in stages), "lstm", "last_layer1")
    faces = watching.imagenet(published.input("faces"))
    with torch.inference_mode():
        pooled = network.base_model.pooled(faces.flatten(0, 1)).unflatten(0, faces.shape[:2])
        features = network.base_model(faces.flatten(0, 1)).unflatten(0, faces.shape[:2])
        logits = network(faces)
    published.check_outputs({
        **{stage: seen[f"base_model.{stage}"] for stage in stages}, "pool_512": pooled, "feature_256": features,
        "lstm_out": seen["lstm"], "last_layer1": seen["last_layer1"], "logits": logits,
    })  # fmt: skip


@pytest.mark.parametrize("each", [1, 3, 100])
def test_each_face_is_judged_among_its_own_seven_frames(each: int, watching: ModuleType) -> None:
    spec = LAM(weights=RANDOM)
    pictures = watching.pixels(5, 9, 48, 64, 3).numpy()
    box = [0.25, 0.25, 0.75, 0.75]
    faces = [(frame, 4, box) for frame in range(9) if frame not in (3, 6)] + [(1, 7, [0.0, 0.0, 0.3, 0.3])]
    faces.sort(key=lambda one: one[0])
    found = watching.followed(spec, watching.shown(pictures, faces, each), {})
    assert found.source[:, 0].tolist() == [frame for frame, _, _ in faces]
    assert found.arrays["track"].tolist() == [track for _, track, _ in faces]
    mine = {int(frame): row for row, (frame, track, _) in enumerate(faces) if track == 4}
    feature = {frame: found.arrays["feature"][row] for frame, row in mine.items()}
    network = spec.network({})
    # frames 2 to 8 around frame 5: 3 is missing before it, 6 after it
    expected = {5: [2, 2, 4, 5, 7, 8, 8], 0: [0, 0, 0, 0, 1, 2, 2], 8: [5, 5, 7, 8, 8, 8, 8]}
    assert isinstance(network, LookingAtMe)
    for frame, seven in expected.items():
        with torch.inference_mode():
            logits = network.judge(torch.from_numpy(np.stack([feature[one] for one in seven]))[None])[0]
        np.testing.assert_allclose(found.arrays["logits"][mine[frame]], logits, rtol=1e-4, atol=1e-4)
        share = float(logits.softmax(0)[1])
        assert found.arrays["score"][mine[frame]] == pytest.approx(share, abs=1e-4)


def test_a_feature_is_that_of_the_crop_alone(watching: ModuleType) -> None:
    spec = LAM(weights=RANDOM, precision="float32")
    pictures = watching.pixels(6, 2, 224, 224, 3).numpy()
    found = watching.followed(spec, watching.shown(pictures, [(1, 0, [0, 0, 1, 1])]), {})
    network = spec.network({})
    with torch.inference_mode():
        alone = network.base_model(watching.imagenet(torch.from_numpy(pictures[1:])[None])[0])
    np.testing.assert_allclose(found.arrays["feature"], alone, rtol=1e-4, atol=1e-4)
    assert found.time.tolist() == [[0.04, 0.06, 0.08]]


def test_lower_precision_stays_within_the_tolerance(watching: ModuleType) -> None:
    pictures = watching.pixels(8, 4, 24, 24, 3).numpy()
    faces = [(frame, 0, [0, 0, 1, 1]) for frame in range(4)]
    exact, rough = (
        watching.followed(LAM(weights=RANDOM, precision=one), watching.shown(pictures, faces), {})
        for one in ("float32", "bfloat16")
    )
    for name in ("feature", "score"):
        apart = np.linalg.norm(exact.arrays[name] - rough.arrays[name]) / np.linalg.norm(exact.arrays[name])
        assert 0 < apart < LAM(weights=RANDOM).tolerance


def test_no_face_no_row(watching: ModuleType) -> None:
    pictures = watching.pixels(6, 5, 24, 24, 3).numpy()
    assert not list(LAM(weights=RANDOM).follow(watching.shown(pictures, []), None, {}, "cpu"))  # type: ignore[arg-type]


def test_another_network_is_refused_with_what_differs(keep: Callable[..., Any]) -> None:
    weights, files = keep(LookingAtMe().base_model.state_dict(), "trunk.pt")
    with pytest.raises(BadRequest, match=r"144 were expected.*missing: base_model\.conv1.*unexpected: conv1"):
        LAM(weights=weights).network(files)


def test_faces_have_the_same_frames() -> None:
    with pytest.raises(BadRequest, match="two windows"):
        LAM(weights=RANDOM, window=Window(fps=30.0))
    assert LAM(weights=RANDOM, window=Window(fps=30.0), faces=Faces(window=Window(fps=30.0))).window.fps == 30
