from pathlib import Path

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.mfcc import Mfcc
from ego.sampling import Window


def test_rows_are_those_of_both_ports(shared_data: Path) -> None:
    with np.load(shared_data / "parity" / "mfcc_frontend.npz") as stored:
        sound = torch.from_numpy(stored["waveform_int16"].astype(np.float32) / 32768)[None]
        port, ava = stored["ego4d_30fps_normalised"], stored["ava_25fps"]
    found = Mfcc().build({})(sound)["feature"]
    assert found.dtype == torch.float32
    assert np.linalg.norm(found[0].numpy() - port) < 1e-5 * np.linalg.norm(port)
    loud = Mfcc(Window(25, 25, fps=25.0), loudness=0.0).build({})(sound)["feature"]
    assert np.linalg.norm(loud[0].numpy() - ava) < 1e-5 * np.linalg.norm(ava)


def test_four_vectors_a_tick_at_any_rate() -> None:
    for window in (
        Window(1, fps=30.0),
        Window(7, 3, fps=24.0),
        Window(300, 300, fps=30.0),
        Window(5, interval=2, fps=15.0),
    ):
        spec = Mfcc(window)
        found = spec.build({})(torch.randn(2, spec.samples))["feature"]
        assert tuple(found.shape[1:]) == spec.rows({})["feature"].shape == (4 * window.span, 13)


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(BadRequest, match="without fps"):
        Mfcc(Window(30))
    with pytest.raises(BadRequest, match="loudness"):
        Mfcc(loudness=-0.1)
