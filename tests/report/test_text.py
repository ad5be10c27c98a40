"""Text for a terminal: what is odd is escaped, columns line up, numbers are told in words."""

import math

import pytest

from ego.report.text import BARS, bars, columns, duration, one_line, size


def test_one_line_escapes_what_would_move_or_colour_the_terminal() -> None:
    assert one_line("a\nb\x1b[31mc\udce9") == "a\\nb\\x1b[31mc\\udce9"
    assert one_line("Küche 動画 'x'") == "Küche 動画 'x'"


def test_columns_line_up_and_numbers_stand_to_the_right() -> None:
    assert columns([("a", 5), ("longer", 12345)], ("name", "rows")) == ("name     rows\na           5\nlonger  12345")


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_345_678, "2.3 MB"), (3e12, "3.0 TB")]
)
def test_size(value: float, words: str) -> None:
    assert size(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (99.9, "99.9 s"), (99.96, "1 min 40 s"), (3599.6, "1 h 00 min"), (7800, "2 h 10 min")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_bars_run_from_the_least_to_the_greatest_value_in_at_most_the_width() -> None:
    assert bars([0, 1, 2, 3, 4, 5, 6, 7]) == BARS
    assert bars(list(range(800)), width=8) == BARS
    assert bars([1.0, math.nan, 2.0]) == "▁ █"
    assert bars([3.0, 3.0]) == "▁▁"
    assert bars([]) == ""
