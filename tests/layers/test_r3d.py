"""R3D-18 and R(2+1)D-18 have the published tensors."""

import pytest
import torch

from ego.layers.r3d import R3D


@pytest.mark.parametrize(
    ("factored", "total", "trunk", "entries"),
    [(False, 33_371_472, 33_166_272, 122), (True, 31_505_325, 31_300_125, 224)],
)
def test_counts(factored: bool, total: int, trunk: int, entries: int) -> None:
    with torch.device("meta"):
        network = R3D(factored)
    assert sum(x.numel() for x in network.parameters()) == total
    assert total - sum(x.numel() for x in network.fc.parameters()) == trunk
    assert len(network.state_dict()) == entries


def test_names_and_shapes_of_published_tensors() -> None:
    with torch.device("meta"):
        whole, factored = ({key: tuple(x.shape) for key, x in R3D(one).state_dict().items()} for one in (False, True))
    assert whole["stem.0.weight"] == (64, 3, 3, 7, 7)
    assert whole["layer3.1.conv2.0.weight"] == (256, 256, 3, 3, 3)
    assert whole["layer4.0.downsample.0.weight"] == (512, 256, 1, 1, 1)
    assert factored["stem.3.weight"] == (64, 45, 3, 1, 1)
    assert factored["layer1.0.conv1.0.0.weight"] == (144, 64, 1, 3, 3)
    assert factored["layer2.0.conv1.0.0.weight"] == (230, 64, 1, 3, 3)
    assert factored["layer2.0.conv2.0.3.weight"] == (128, 230, 3, 1, 1)
    assert factored["layer2.1.conv1.0.1.running_var"] == (288,)
    assert factored["layer4.1.conv2.1.bias"] == (512,)
