import numpy as np
import torch

from ego.extractors.sound import Waveform
from ego.sampling import Window


def test_samples_survive_their_16_bits() -> None:
    spec = Waveform(Window(2, 1, fps=4.0))
    sound = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (3, spec.samples)).astype(np.float32))
    sound[0, :3] = torch.tensor([1.0, -1.0, 0.0])
    array = spec.rows({})["feature"]
    assert array.shape == (8000,)
    stored = array.cast(spec.build({})(sound)["feature"].numpy())
    assert stored.dtype == np.int16
    assert np.abs(array.real(stored) - sound.numpy()).max() <= 0.51 / 32767
