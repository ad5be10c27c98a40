"""GTEA's label files, and which segments overlap."""

import pytest

from ego.errors import BadRequest
from ego.signals.segments import overlapping, read_gtea_labels, segments_reading


def test_a_label_file(tmp_path):
    (tmp_path / "S1_Cheese_C1.txt").write_bytes(
        b"# notes\r<take><cup> (120-165) [1]\r\n\n<stir><spoon,cup> (15-29)\n<x> (1-2)\n"
    )
    first, second = read_gtea_labels(tmp_path / "S1_Cheese_C1.txt")
    assert (first.start, first.stop, first.verb, first.nouns) == (8.0, 166 / 15, "take", ("cup",))
    assert (second.start, second.stop, second.nouns) == (1.0, 2.0, ("spoon", "cup"))
    assert second.source == "S1_Cheese_C1.txt, line 4"
    assert segments_reading([first, second]).seconds.tolist() == [[1.0, 2.0], [8.0, 166 / 15]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("<take><cup> 12 to 16", r"a.txt, line 1: got '<take><cup> 12 to 16', expected <verb><noun,noun>"),
        ("<take><cup> (20-10)", "a.txt, line 1: got frames 20 to 10, expected 0 <= first <= last"),
        ("<take><cup> (-3-10)", "a.txt, line 1: got frames -3 to 10"),
    ],
)
def test_each_error_is_one_sentence_with_file_and_line(tmp_path, line, message):
    (tmp_path / "a.txt").write_text(line + "\n")
    with pytest.raises(BadRequest, match=message):
        read_gtea_labels(tmp_path / "a.txt")


def test_overlapping_spans_are_paired():
    assert overlapping([(0, 2), (2, 3)]) == []
    assert overlapping([(5, 6), (0, 10), (1, 2), (11, 12)]) == [(1, 2), (1, 0)]
