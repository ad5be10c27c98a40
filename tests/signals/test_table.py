"""Cells of tables as texts, numbers and times."""

import pytest

from ego.errors import BadRequest
from ego.signals.table import Line, read_table, whole


@pytest.mark.parametrize(
    ("text", "seconds"), [("1.5", 1.5), ("00:00:03.37", 3.37), ("01:02:03.5", 3723.5), ("0:0:0", 0.0), ("1e1", 10.0)]
)
def test_seconds_are_plain_or_a_time_of_day(text, seconds):
    assert Line({"t": text}, "a.csv, line 2").seconds("t") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["00:61:00", "1:2", "0:0:-1", "nan", "inf", "x", "1:2:3:4"])
def test_what_is_no_time(text):
    with pytest.raises(BadRequest, match=f"a.csv, line 2: got '{text}' as 't', expected a number of seconds"):
        Line({"t": text}, "a.csv, line 2").seconds("t")


def test_whole_numbers():
    assert whole("4.0", "an id", "a.csv, line 2") == 4
    for text in ("4.5", "nan", "inf", ""):
        with pytest.raises(BadRequest, match=f"a.csv, line 2: got '{text}' as an id, expected a whole number"):
            whole(text, "an id", "a.csv, line 2")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_any_line_ends_have_their_line_numbers(tmp_path, ends):
    (tmp_path / "a.csv").write_bytes(f"a,b{ends}1,2{ends}{ends}3,4".encode())
    header, lines = read_table(tmp_path / "a.csv", ["b"])
    assert header == ("a", "b")
    assert [line.source for line in lines] == ["a.csv, line 2", "a.csv, line 4"]
