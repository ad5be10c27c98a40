"""`light_asd` with its real weights: the published numbers, real speakers and drawn ones."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import torch
from torch.nn import functional

from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.shoot import Shoot
from ego.extractors._base import Beside, Rows
from ego.extractors._face_detectors import YuNet
from ego.extractors._weights import read
from ego.extractors.faces import Faces
from ego.extractors.light_asd import LightASD
from ego.fields import Weights

NAMES = ("finetuning_TalkSet", "pretrain_AVA_CVPR")


@pytest.fixture
def real(shared_data: Path) -> Callable[[str], tuple[LightASD, dict[Weights, Path]]]:
    """The extractor with one of the published files, as it was published."""

    def named(name: str) -> tuple[LightASD, dict[Weights, Path]]:
        (published,) = [one for one in LightASD.published if one.name == f"{name}.model"]
        path = shared_data / "weights" / "light_asd" / published.name
        assert path.stat().st_size == published.bytes
        weights = Weights(f"sha256:{published.sha256}")
        return LightASD(weights=weights), {weights: path}

    return named


@pytest.mark.parametrize("name", NAMES)
def test_published_numbers(name: str, pins: Callable[..., Any], real: Callable[..., Any], watching: ModuleType) -> None:
    published = pins(f"light_asd_{name}")
    spec, files = real(name)
    network = spec.network(files)
    seen = watching.watch(network, "visualEncoder", "audioEncoder")
    noise, blocks = published.input("faces_noise"), published.input("faces_blocks")
    blocks = blocks.repeat_interleave(8, 2).repeat_interleave(8, 3)
    cepstra, truth = published.input("mfcc") * 10, published.input("labels").flatten()
    outputs = {}
    for kind, faces in (("noise", noise), ("blocks", blocks)):
        with torch.inference_mode():
            found = network(faces, cepstra)
        both, one = (functional.cross_entropy(x.flatten(0, 1), truth) for x in (found.logits, found.seen_logits))
        outputs |= {
            f"{kind}_visual_embedding": seen["visualEncoder"], "audio_embedding": seen["audioEncoder"],
            f"{kind}_av_128": found.feature, f"{kind}_logits_AV": found.logits, f"{kind}_logits_V": found.seen_logits,
            f"{kind}_score": found.logits.softmax(dim=2),
            f"{kind}_loss_AV_V_total": torch.stack([both, one, both + 0.5 * one]),
        }  # fmt: skip
    published.check_outputs(outputs)
    assert sum(x.numel() for x in read(next(iter(files.values()))).values()) == 1_026_146


FRAMES = 50


@pytest.fixture(scope="module")
def speaker(shared_data: Path, watching: ModuleType) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int, Any]]]:
    """Two seconds of somebody who speaks while she paints her eyelids: pictures, sound and the boxes of her face."""
    path = shared_data / "nasty" / "mmaction2" / "tests_data_test.avi"
    with av.open(str(path)) as video:
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)][:FRAMES])
    with av.open(str(path)) as video:
        resampler = av.AudioResampler("flt", "mono", 16_000)
        heard = [part.to_ndarray()[0] for frame in video.decode(audio=0) for part in resampler.resample(frame)]
    found = path.parents[2] / "weights" / "yunet" / "yunet_n_dynamic.onnx"
    weights = Weights("sha256:104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12")
    rows = list(
        Faces(detector=YuNet(weights=weights)).follow(
            watching.shown(pictures, []), Beside({}, 320, 240, True), {weights: found}, "cpu"
        )
    )
    boxes = np.concatenate([row.arrays["box"] for row in rows])
    assert np.concatenate([row.source[:, 0] for row in rows]).tolist() == list(range(FRAMES))
    return pictures, np.concatenate(heard), [(frame, 1, box) for frame, box in enumerate(boxes)]


def scores(spec: LightASD, files: Any, watching: ModuleType, *shown: Any) -> Rows:
    pictures, sound, faces = shown
    found: Rows = watching.followed(spec, watching.shown(pictures, faces, 16, 25.0, sound), files)
    return found


def test_a_real_speaker_is_told_from_a_still_face_and_from_silence(
    watching: ModuleType, speaker: Any, real: Callable[..., Any]
) -> None:
    pictures, sound, faces = speaker
    spec, files = real("pretrain_AVA_CVPR")
    still = np.repeat(pictures[10:11], FRAMES, axis=0), sound, [(frame, 1, faces[10][2]) for frame in range(FRAMES)]
    speaks = scores(spec, files, watching, pictures, sound, faces).arrays["score"]
    assert len(speaks) == FRAMES
    assert np.mean(speaks > 0.5) > 0.9
    assert scores(spec, files, watching, *still).arrays["score"].max() < 0.2
    assert scores(spec, files, watching, pictures, 0 * sound, faces).arrays["score"].max() < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_drawn_speakers_are_told_from_drawn_listeners(
    name: str, real: Callable[..., Any], watching: ModuleType
) -> None:
    film = direct(Order(0, 7, "train", 9.0, 25, (912, 512)))
    shoot = Shoot(film)
    pictures = np.stack([picture.copy() for picture in shoot.frames()])
    boxes = shoot.arrays["face_boxes"] / np.tile(shoot.arrays["size"], 2)
    there = np.argwhere(np.isfinite(boxes).all(axis=2))
    faces = [(int(frame), int(person), boxes[frame, person]) for frame, person in there]
    spec, files = real(name)
    found = scores(spec, files, watching, pictures, film.sound, faces)
    talks = shoot.arrays["face_talking"][there[:, 0], there[:, 1]]
    assert found.arrays["track"].tolist() == there[:, 1].tolist()
    score = found.arrays["score"]
    assert score[talks].mean() > score[~talks].mean() + 0.4
    assert np.mean(score[talks][:, None] > score[~talks]) > 0.9
