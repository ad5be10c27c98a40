"""`talknet` gives the published numbers, in both ports' files."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ego.extractors.face_crops import FaceCrops
from ego.extractors.talknet import TalkNet
from ego.fields import Weights
from ego.layers.audio_frontend import Mfcc, scaled_to
from ego.layers.talknet import TalkNet as Layers


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any], watching: ModuleType) -> None:
    published = pins("talknet")
    # the published code lets the clips of a batch run into each other; here each is computed alone
    del published.facts["outputs"]["visual_embedding_release_batched"]
    state = {key if key.startswith("loss") else f"model.{key}": tensor for key, tensor in published.state().items()}
    state["lossAV.criterion.weight"] = torch.tensor([1.0, 4.0])
    weights, files = keep(state, "talknet.model")
    network = TalkNet(weights=weights).network(files)
    names = ["visualFrontend", "audioEncoder", "crossA2V", "crossV2A"]
    seen = watching.watch(network, *names)
    faces, cepstra = published.input("faces"), published.input("mfcc") * 10
    truth = published.input("labels").flatten()
    with torch.inference_mode():
        found = network(faces, cepstra)
        embedding = network.seen(faces)
    logits = {"AV": found.logits, "A": found.heard_logits, "V": found.seen_logits}
    losses = [functional.cross_entropy(x.flatten(0, 1), truth, torch.tensor([1.0, 4.0])) for x in logits.values()]
    outputs = published.facts["outputs"]
    assert outputs.pop("correct")["shape"] == [1]
    score = found.logits.softmax(dim=2)
    right = (score[..., 1] > 0.5).long().flatten() == truth
    assert int(right.sum()) == int(published.arrays["correct"].item())
    published.check_outputs({
        "visual_frontend_512": seen["visualFrontend"], "visual_embedding": embedding,
        "audio_embedding": seen["audioEncoder"], "audio_after_cross": seen["crossA2V"],
        "visual_after_cross": seen["crossV2A"], "fused_256": found.feature, "score": score,
        **{f"logits_{sense}": x for sense, x in logits.items()},
        "loss_AV_A_V_total": torch.stack([*losses, losses[0] + 0.4 * losses[1] + 0.4 * losses[2]]),
    })  # fmt: skip


def test_each_track_is_shown_with_its_own_seconds(watching: ModuleType) -> None:
    spec = TalkNet(weights=Weights("random:4"))
    pictures = watching.pixels(5, 8, 60, 80, 3).numpy()
    sound = watching.normal(6, 16000 * 8 // 30 + 9).numpy() * 0.1
    faces = [(frame, track, [0.3, 0.2, 0.7, 0.8]) for frame in range(8) for track in (1, 2) if track == 1 or frame > 2]
    found = watching.followed(spec, watching.shown(pictures, faces, 3, 30.0, sound), {})
    assert found.arrays["track"].tolist() == [track for _, track, _ in faces]
    network = spec.network({})
    assert isinstance(network, Layers)
    for track, first in ((1, 0), (2, 3)):
        count = 8 - first
        heard = sound[round(first / 30 * 16000) :][: round(count / 30 * 16000)]
        cepstra = Mfcc(30.0, count)(scaled_to(torch.from_numpy(heard)[None], 0.1)).float()
        mine = found.arrays["track"] == track
        crops = crops_of(pictures[first:], watching)
        with torch.inference_mode():
            expected = network(torch.from_numpy(crops)[None], cepstra)
        np.testing.assert_allclose(found.arrays["logits"][mine], expected.logits[0], rtol=1e-3, atol=1e-3)


def crops_of(pictures: np.ndarray, watching: ModuleType) -> np.ndarray:
    """TalkNet's windows around a face that stands still in the middle."""
    faces = [(frame, 1, [0.3, 0.2, 0.7, 0.8]) for frame in range(len(pictures))]
    crops: np.ndarray = watching.followed(FaceCrops(rule="asd"), watching.shown(pictures, faces), {}).arrays["feature"]
    return crops


def test_files_bear_both_ports_names(keep: Callable[..., Any]) -> None:
    state = Layers().state_dict()
    both = {f"module.model.{key}" if not key.startswith("loss") else f"module.{key}": x for key, x in state.items()}
    for form in (state, both, {"model": state}):
        weights, files = keep(form, "talknet.pt")
        loaded = TalkNet(weights=weights).network(files).state_dict()
        assert all(torch.equal(loaded[key], tensor) for key, tensor in state.items())
