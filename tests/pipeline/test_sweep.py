"""Which settings a sweep asks for."""

import pytest

from ego.errors import BadRequest
from ego.pipeline.sweep import seeds_of, settings_of


def test_combinations_are_all_of_them_and_short_names_are_the_trainings():
    assert settings_of(["lr=1e-4,3e-4", "head.norm=none"]) == [
        ("training.lr=1e-4", "head.norm=none"),
        ("training.lr=3e-4", "head.norm=none"),
    ]
    assert settings_of(["milestones=[1,2],[3]"]) == [("training.milestones=[1,2]",), ("training.milestones=[3]",)]
    assert settings_of([]) == [()]
    assert seeds_of("3..6") == [3, 4, 5, 6]
    assert seeds_of("5,1") == [5, 1]


@pytest.mark.parametrize("words", ["lr", "=1", "lr=1,,2", "speed=1", "seed=1,2"])
def test_a_sweep_that_cannot_be_is_refused(words):
    with pytest.raises(BadRequest, match="got --sweep"):
        settings_of([words])


@pytest.mark.parametrize("text", ["9..0", "a", "1,", "0..99999999"])
def test_seeds_that_cannot_be_are_refused(text):
    with pytest.raises(BadRequest, match=r"got --seeds .* expected such as 0\.\.9"):
        seeds_of(text)
    with pytest.raises(BadRequest, match="got --sweep lr twice"):
        settings_of(["lr=1,2", "training.lr=3"])
