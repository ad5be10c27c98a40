"""Rows as heads take them: steps of maps, tokens, two rates on one, and nothing of what is masked."""

import torch

from ego.heads._rows import aligned, clean, in_front, in_pieces, joined, map_steps, mean, tokens, vector_steps
from ego.video import Array

MASK = torch.tensor([[True, True, False]])


def test_what_is_masked_is_zero_whatever_it_holds():
    rows = torch.full((1, 3, 2), float("nan"))
    rows[0, :2] = 1
    assert clean(rows, MASK).tolist() == [[[1, 1], [1, 1], [0, 0]]]
    assert mean(rows, MASK).tolist() == [[1, 1]]
    assert mean(rows, torch.zeros_like(MASK)).tolist() == [[0, 0]]


def test_a_map_of_many_moments_is_as_many_steps():
    rows = torch.arange(1 * 3 * 2 * 4 * 1 * 1.0).view(1, 3, 2, 4, 1, 1)
    found, mask = map_steps(rows, MASK, Array((2, 4, 1, 1), kind="map"))
    assert found.shape == (1, 12, 2, 1, 1)
    assert mask.tolist() == [[True] * 8 + [False] * 4]
    assert found[0, 5, :, 0, 0].tolist() == rows[0, 1, :, 1, 0, 0].tolist()
    assert vector_steps(rows, MASK, Array((2, 4, 1, 1), kind="map"))[0].shape == (1, 12, 2)


def test_tokens_are_every_place_of_every_row():
    rows = torch.arange(1 * 3 * 2 * 4.0).view(1, 3, 2, 2, 2)
    found, mask = tokens(rows, MASK, Array((2, 2, 2), kind="map"))
    assert found.shape == (1, 12, 2)
    assert found[0, 6].tolist() == rows[0, 1, :, 1, 0].tolist()
    assert mask.sum() == 8
    assert tokens(rows.flatten(3), MASK, Array((2, 4), kind="tokens"))[0].shape == (1, 6, 4)
    assert tokens(rows.flatten(2), MASK, Array((8,)))[0].shape == (1, 3, 8)


def test_two_rates_meet_by_place_in_the_clip():
    x = torch.arange(4.0)[None, :, None]
    there = torch.ones(1, 4, dtype=torch.bool)
    double = aligned(x, there, torch.ones(1, 8, dtype=torch.bool))
    assert double[0, :, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    half = aligned(x, there, torch.tensor([[True, False, True]]))
    assert half[0, :, 0].tolist() == [1, 0, 3]
    short = aligned(x, torch.tensor([[True, False, True, False]]), there)
    assert short[0, :, 0].tolist() == [0, 0, 2, 2]
    assert aligned(x, torch.zeros(1, 4, dtype=torch.bool), there).abs().sum() == 0
    assert aligned(x, there, there) is x


def test_features_stand_side_by_side_on_the_steps_of_the_first():
    features = {"a": torch.ones(1, 2, 3), "b": torch.arange(4.0).view(1, 4, 1)}
    masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
    found, mask = joined(features, masks, {"a": Array((3,)), "b": Array((1,))}, ("a", "b"))
    assert found[0, :, 3].tolist() == [1, 3]
    assert mask.shape == (1, 2)


def test_what_is_there_comes_first_in_its_order():
    assert in_front(torch.tensor([[False, True, False, True]])).tolist() == [[1, 3, 0, 2]]


def test_steps_count_in_each_piece_by_the_time_they_share_with_it():
    mask = torch.tensor([[True, False, True, True], [False, True, False, False], [False] * 4])
    found = in_pieces(mask, 2)
    assert torch.allclose(found[0], torch.tensor([[2 / 3, 0, 1 / 3, 0], [0, 0, 1 / 3, 2 / 3]]))
    assert found[1].tolist() == [[0, 1, 0, 0], [0, 1, 0, 0]]
    assert not found[2].any()
    assert torch.allclose(in_pieces(mask, 1)[:2, 0] @ torch.arange(4.0), torch.tensor([5 / 3, 1.0]))
