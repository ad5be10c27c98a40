import torch
from torch import nn

from ego.extractors._heard import Heard


def test_sound_is_scaled_before_it_is_heard() -> None:
    sound = torch.tensor([[0.3, -0.3], [0.0, 0.0]])
    assert Heard(nn.Identity(), 0.1, 7.0)(sound)["feature"].allclose(torch.tensor([[0.1, -0.1], [0.0, 0.0]]))
    assert torch.equal(Heard(nn.Identity(), 0.0, 2.0)(sound)["feature"], sound * 2)
