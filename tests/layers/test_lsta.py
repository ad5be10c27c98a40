"""LSTA's cell gives the published numbers and closed forms; what has a gradient in it and what has none."""

import numpy as np
import pytest
import torch

from ego.layers.convlstm import ConvLSTM
from ego.layers.lsta import LSTA, Memory


def drawn(shape, seed):
    return torch.from_numpy(np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, np.float32))


@pytest.mark.parametrize("pin", ["b2_m512_k100_zero", "b1_m512_k1000_state"])
def test_published_numbers(pin, cell_pins):
    published = cell_pins("lsta_cell", pin)
    config, inputs = published.pins[pin]["config"], published.pins[pin]["inputs"]
    batch, channels, seed = config["B"], config["memory"], inputs["seed"]
    cell = LSTA(channels, config["K"]).eval()
    cell.load_state_dict(published.state())
    x = torch.stack([drawn((batch, channels, 7, 7), seed + step) for step in range(3)], dim=1)
    cam = torch.stack([drawn((batch, 1, 7, 7), seed + 20 + step)[:, 0] for step in range(3)], dim=1)
    state = None
    if inputs["start_state"] == "drawn":
        a, s = drawn((batch, 1, 7, 7), seed + 40), drawn((batch, 1, 7, 7), seed + 41)
        c, o = drawn((batch, channels, 7, 7), seed + 42), drawn((batch, channels, 7, 7), seed + 43).sigmoid()
        state = Memory(a, s, c, o)
    found = {}
    with torch.no_grad():
        for step, (attended, memory) in enumerate(cell.unroll(x, cam, None, state)):
            scores = cell.scores(memory.c, attended)
            best = scores.topk(2).values
            u = (memory.s + cam[:, step, None]).flatten(1).softmax(1).view(-1, 7, 7)
            found |= {"a": memory.a, "s": memory.s, "u": u, "x_att": attended, "c": memory.c, "o": memory.o,
                      "pool_logits": scores, "pool_idx": scores.argmax(1)}  # fmt: skip
            theirs = published.pins[pin]["taps"]
            for name, value in found.items():
                if f"{name}_{step}" in theirs:
                    published.check_tap(pin, f"{name}_{step}", value)
            assert published.arrays[f"{pin}/pool_margin_{step}"] == pytest.approx((best[:, 0] - best[:, 1]), rel=1e-3)


def test_counts():
    def count(cell):
        return sum(x.numel() for x in cell.parameters())

    assert count(LSTA(512, 100)) == 18_978_892
    assert count(LSTA(512, 1000)) == 19_900_492
    assert len(LSTA(512, 100).state_dict()) == 26
    attention = [
        x.numel() for name, x in LSTA(512).named_parameters() if name.endswith(("_s.weight", "_s.bias", "_cam.weight"))
    ]
    assert sum(attention) == 76


def still(channels, classes=4):
    """A cell whose every weight is 0."""
    cell = LSTA(channels, classes)
    for weight in cell.parameters():
        weight.data.zero_()
    return cell


def centre(cell, *names):
    """Sets kernels to 1 at their centre."""
    for name in names:
        cell.get_parameter(f"conv_{name}.weight").data[..., 1, 1] = 1


def test_without_attention_weights_the_softmax_is_of_the_activation_alone():
    cell, x, cam = still(2), torch.randn(1, 2, 2, 7, 7), torch.randn(1, 2, 7, 7)
    for (attended, memory), one, v in zip(cell.unroll(x, cam), x.unbind(1), cam.unbind(1), strict=True):
        assert float(memory.s.detach().abs().max()) == 0
        weights = v.flatten(1).softmax(1).view(1, 1, 7, 7)
        assert float(weights.sum()) == pytest.approx(1)
        assert torch.allclose(attended, one * weights)
    assert torch.allclose(next(cell.unroll(x, 0 * cam))[0], x[:, 0] / 49)
    again = next(cell.unroll(x, cam + 3))[0]
    assert torch.allclose(again, next(cell.unroll(x, cam))[0], atol=1e-6)


def test_the_attention_recurrence_in_closed_form():
    cell = still(1)
    centre(cell, *(f"{gate}_{side}" for gate in "ifao" for side in ("s", "cam")))
    cam = torch.zeros(1, 3, 7, 7)
    cam[:, :, 3, 3] = 1
    found = list(cell.unroll(torch.ones(1, 3, 1, 7, 7), cam))
    assert [float(memory.a[0, 0, 3, 3]) for _, memory in found] == pytest.approx(
        [0.556770, 1.144446, 1.739488], abs=2e-6
    )
    assert [float(memory.s[0, 0, 3, 3]) for _, memory in found] == pytest.approx(
        [0.369606, 0.650535, 0.788766], abs=2e-6
    )
    assert [float(u[0, 0, 3, 3]) for u, _ in found] == pytest.approx([0.075746, 0.097910, 0.110816], abs=2e-6)
    assert [float(u[0, 0, 0, 0]) for u, _ in found] == pytest.approx([0.019255, 0.018794, 0.018525], abs=2e-6)


def test_the_memory_in_closed_form():
    cell = still(1)
    centre(cell, *(f"{gate}_{side}" for gate in "ifco" for side in ("x", "c")))
    cell.c_classifier.weight.data.fill_(2)
    found = list(cell.unroll(torch.ones(1, 3, 1, 7, 7), torch.zeros(1, 3, 7, 7)))
    assert [float(memory.c[0, 0, 3, 3]) for _, memory in found] == pytest.approx(
        [0.010307, 0.018188, 0.024290], abs=2e-6
    )
    assert [float(memory.o[0, 0, 3, 3]) for _, memory in found] == pytest.approx(
        [0.505153, 0.510394, 0.514461], abs=2e-6
    )


def test_without_memory_weights_nothing_is_remembered():
    memory = still(2)(torch.randn(1, 3, 2, 7, 7), torch.randn(1, 3, 7, 7))
    assert float(memory.c.detach().abs().max()) == 0
    assert torch.equal(memory.o, torch.full_like(memory.o, 0.5))


def test_without_attention_and_pooling_it_is_the_convlstm(monkeypatch):
    torch.manual_seed(0)
    cell, plain = LSTA(3, 4), ConvLSTM(3, 3)
    for gate in "ifco":
        of_x, of_m = ("c", "x") if gate == "o" else ("x", "c")
        plain.get_parameter(f"conv_{gate}_xx.weight").data = cell.get_parameter(f"conv_{gate}_{of_x}.weight").data
        plain.get_parameter(f"conv_{gate}_hh.weight").data = cell.get_parameter(f"conv_{gate}_{of_m}.weight").data
        cell.get_parameter(f"conv_{gate}_x.bias").data.normal_()
        plain.get_parameter(f"conv_{gate}_xx.bias").data = cell.get_parameter(f"conv_{gate}_x.bias").data
    for gate in "ifao":
        for side in ("s", "cam"):
            cell.get_parameter(f"conv_{gate}_{side}.weight").data.zero_()
    x = torch.randn(2, 4, 3, 5, 5)
    monkeypatch.setattr(cell, "_pooled", lambda c, attended: attended)
    found = cell(x * 25, torch.zeros(2, 4, 5, 5))  # each of the 25 places is attended to by 1 / 25
    assert torch.allclose(found.c, plain(x)[1], atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2])
def test_what_learns(steps):
    torch.manual_seed(0)
    cell = LSTA(4, 5)
    assert not cell.coupling_fc.weight.requires_grad
    cell.coupling_fc.requires_grad_(True)
    cell(torch.randn(2, steps, 4, 5, 5), torch.randn(2, steps, 5, 5)).c.sum().backward()
    assert cell.coupling_fc.weight.grad is None
    learnt = {name for name, x in cell.named_parameters() if x.grad is not None and float(x.grad.abs().sum()) > 0}
    late = {"c_classifier.weight", "conv_o_x.weight", "conv_o_x.bias", "conv_o_c.weight"}
    if steps == 1:
        assert not late & learnt
    else:
        assert {"c_classifier.weight", "conv_o_c.weight"} <= learnt


def test_a_soft_pool_teaches_both_matrices():
    torch.manual_seed(0)
    cell = LSTA(4, 5, soft_pool=True)
    cell(torch.randn(2, 2, 4, 5, 5), torch.randn(2, 2, 5, 5)).c.sum().backward()
    assert float(cell.coupling_fc.weight.grad.abs().sum()) > 0


def test_a_masked_step_changes_nothing():
    torch.manual_seed(0)
    cell, x, cam = LSTA(3, 4), torch.randn(1, 4, 3, 5, 5), torch.randn(1, 4, 5, 5)
    found = cell(x, cam, torch.tensor([[True, False, True, False]]))
    for mine, alone in zip(found, cell(x[:, [0, 2]], cam[:, [0, 2]]), strict=True):
        assert torch.allclose(mine, alone, atol=1e-6)
