"""`ttm` gives the published numbers, and judges each piece of a face track with its own sound."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ego.extractors.ttm import TTM
from ego.fields import Weights
from ego.layers.audio_frontend import LogMel, mel_filters, scaled_to
from ego.layers.face_lstm import TalkingToMe

RANDOM = Weights("random:2")


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any], watching: ModuleType) -> None:
    published = pins("ttm_baseline_lstm")
    state = published.state() | {"audio_encoder.torchfb.1.spectrogram.window": torch.hamming_window(400)}
    weights, files = keep({"state_dict": state}, "ttm.ckpt")
    network = TTM(weights=weights).network(files)
    assert isinstance(network, TalkingToMe)
    inner = ["instancenorm", "bn1", "layer1", "layer2", "layer3", "layer4", "attention"]
    seen = watching.watch(network, *(f"audio_encoder.{name}" for name in inner), "audio_encoder", "lstm")
    faces = watching.imagenet(published.input("faces"))
    front = LogMel()
    with torch.inference_mode():
        sound = torch.stack([published.input(f"waveform_{clip}") for clip in range(len(faces))])
        waveform = scaled_to(sound, 0.1).float()
        mel, spectra = front.mel(waveform), front(waveform)
        features = network.video_encoder(faces.flatten(0, 1)).unflatten(0, faces.shape[:2])
        logits = network(faces, spectra)
    audio = {name: seen[f"audio_encoder.{name}"] for name in inner}
    published.check_outputs({
        "waveform_normalised": waveform, "mel": mel.transpose(1, 2), "log_mel": spectra.transpose(1, 2),
        "log_mel_instancenorm": audio["instancenorm"], "audio_stem": audio["bn1"],
        **{f"audio_layer{stage}": audio[f"layer{stage}"] for stage in (1, 2, 3, 4)},
        "audio_attention": audio["attention"], "audio_512": seen["audio_encoder"], "feature_256": features,
        "lstm_last": seen["lstm"][:, -1], "logits": logits,
        "mel_filterbank_sum_per_bin": mel_filters(257, 64, 16_000, 0.0, 8000.0, "hertz").sum(0),
    })  # fmt: skip


def test_a_piece_is_judged_with_its_own_sound(watching: ModuleType) -> None:
    spec = TTM(weights=RANDOM, precision="float32", fps=25.0, piece_seconds=0.2)
    pictures = watching.pixels(5, 9, 48, 64, 3).numpy()
    sound = watching.normal(3, 16000 * 9 // 25 + 40).numpy() * 0.1
    box = [0.25, 0.25, 0.75, 0.75]
    faces = [(frame, 4, box) for frame in range(9) if frame != 2]
    found = watching.followed(spec, watching.shown(pictures, faces, 4, 25.0, sound), {})
    assert found.source[:, 0].tolist() == [0, 1, 3, 4, 5, 6, 7, 8]
    network = spec.network({})
    assert isinstance(network, TalkingToMe)
    with torch.inference_mode():
        away = network.video_encoder(watching.imagenet(torch.zeros(1, 1, 224, 224, 3))[0])[0].numpy()
        feature = found.arrays["feature"]
        for ticks, heard in (([*feature[:2], away, *feature[2:4]], sound[:2560]), (feature[4:], sound[3200:5120])):
            spectra = LogMel()(scaled_to(torch.from_numpy(heard).float()[None], 0.1))
            logits = network.judge(torch.from_numpy(np.stack(ticks))[None], spectra)[0].numpy()
            rows = slice(0, 4) if len(heard) == 2560 else slice(4, 8)
            np.testing.assert_allclose(found.arrays["logits"][rows], np.tile(logits, (4, 1)), rtol=1e-3, atol=1e-3)


def test_sound_is_asked_for() -> None:
    assert set(TTM(weights=RANDOM).needs()) == {"frames", "faces", "sound"}
