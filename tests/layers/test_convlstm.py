"""The ConvLSTM gives the published numbers and closed forms, and a masked step changes nothing."""

import numpy as np
import pytest
import torch

from ego.layers.convlstm import ConvLSTM


def drawn(shape, seed):
    return torch.from_numpy(np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, np.float32))


@pytest.mark.parametrize("pin", ["b2_c8_h5_w6_zero", "b2_c8_h5_w6_state", "b1_c512_h7_w7_zero"])
def test_published_numbers(pin, cell_pins):
    published = cell_pins("convlstm_cell", pin)
    about = published.pins[pin]
    config, inputs = about["config"], about["inputs"]
    shape = (config["B"], config["channels"], config["H"], config["W"])
    cell = ConvLSTM(shape[1], shape[1]).eval()
    cell.load_state_dict(published.state())
    x = torch.stack([drawn(shape, inputs["seed"] + step) for step in range(3)], dim=1)
    state = None
    if inputs["start_state"] == "drawn":
        state = drawn(shape, inputs["seed"] + 10), drawn(shape, inputs["seed"] + 11)
    with torch.no_grad():
        found = list(cell.unroll(x, None, state))
        last = cell(x, torch.ones(x.shape[:2], dtype=torch.bool), state)
    published.check(pin, {f"{name}_{step}": one[i] for step, one in enumerate(found) for i, name in enumerate("hc")})
    assert all(torch.equal(*pair) for pair in zip(last, found[-1], strict=True))


def test_the_count_of_512_channels():
    assert sum(x.numel() for x in ConvLSTM(512, 512).parameters()) == 18_876_416


def test_all_weights_zero_halve_the_cell_at_every_step():
    cell = ConvLSTM(3, 4)
    for weight in cell.parameters():
        weight.data.zero_()
    start = torch.rand(2, 4, 5, 5), torch.rand(2, 4, 5, 5)
    for step, (h, c) in enumerate(cell.unroll(torch.rand(2, 3, 3, 5, 5), None, start), 1):
        assert torch.allclose(c, start[1] / 2**step)
        assert torch.allclose(h, torch.tanh(c) / 2)


def test_open_gates_fill_the_cell_with_one():
    cell = ConvLSTM(3, 4)
    for gate, value in {"i": 50.0, "c": 50.0, "f": -50.0}.items():
        cell.get_parameter(f"conv_{gate}_xx.bias").data.fill_(value)
    assert torch.allclose(cell(torch.rand(1, 2, 3, 5, 5))[1], torch.ones(1, 4, 5, 5))


def test_a_masked_step_changes_nothing_wherever_it_is():
    torch.manual_seed(0)
    cell, x = ConvLSTM(3, 4), torch.randn(2, 4, 3, 5, 5)
    mask = torch.tensor([[True, False, True, True], [True, True, True, False]])
    h, c = cell(x, mask)
    for row, kept in enumerate(([0, 2, 3], [0, 1, 2])):
        alone = cell(x[row : row + 1, kept])
        assert torch.allclose(h[row], alone[0][0], atol=1e-6)
        assert torch.allclose(c[row], alone[1][0], atol=1e-6)


def test_weights_begin_xavier_normal_and_biases_at_zero():
    torch.manual_seed(0)
    expected = (2 / (64 * 9 * 2)) ** 0.5
    for name, x in ConvLSTM(64, 64).state_dict().items():
        assert (
            float(x.abs().max()) == 0 if name.endswith("bias") else float(x.std()) == pytest.approx(expected, rel=0.05)
        )
