"""GTEA's label files, and which segments overlap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


spans = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 5)).map(lambda one: (one[0], one[0] + one[1])), max_size=12
)


@given(spans)
def test_a_span_is_paired_exactly_if_it_overlaps_an_earlier_one(some):
    pairs = overlapping(some)
    assert all(some[b][0] < some[a][1] and some[a] <= some[b] for a, b in pairs)
    late = {b for _, b in pairs}
    order = sorted(range(len(some)), key=lambda index: some[index])
    for place, index in enumerate(order):
        assert (index in late) == any(some[index][0] < some[other][1] for other in order[:place])
