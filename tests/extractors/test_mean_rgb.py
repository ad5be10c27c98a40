"""The tutorial extractor says the mean colour of what it is shown."""

import torch

from ego.extractors.mean_rgb import MeanRgb
from ego.video import Picture


def test_the_mean_of_each_colour_in_unit_range() -> None:
    frames = torch.zeros(2, 1, 4, 6, 3, dtype=torch.uint8)
    frames[0, ..., 0], frames[1, :, :2, :, 2] = 255, 102
    found = MeanRgb().build({})(frames=frames)["feature"]
    assert torch.allclose(found, torch.tensor([[1.0, 0, 0], [0, 0, 0.2]]))
    assert found.dtype == torch.float32


def test_it_sees_the_whole_frame_whatever_its_shape() -> None:
    assert MeanRgb().needs() == {"frames": Picture("squash", 64)}
    assert MeanRgb().rows({})["feature"].shape == (3,)
    assert MeanRgb().window.frames == 1
