"""Values of JSON annotations, each with the place where it stands."""

import os

import pytest

from ego.datasets._json import Item, read_json, read_list, read_object
from ego.errors import BadRequest


def test_values_and_places(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"clips": [{"name": " it ", "id": 7, "start": 1, "stop": 2.5, "in": {"deep": [{"x": 1}]}}]}')
    (item,) = read_list(path, "clips")
    assert (item.text("name"), item.text("id"), item.whole("id"), item.span("start", "stop")) == (
        "it",
        "7",
        7,
        (1.0, 2.5),
    )
    (deep,) = item.item("in").items("deep")
    assert deep.source == "a.json, clips[0].in.deep[0]"
    assert list(item.items("nothing")) == []
    path.write_text('[{"name": "b"}]')
    assert [one.source for one in read_list(path, "clips")] == ["a.json, [0]"]


@pytest.mark.parametrize(
    ("value", "read", "message"),
    [
        (None, "text", "here: no 'x' among 'x'"),
        ("", "text", "here: got '' as 'x', expected a text"),
        (True, "number", "here: got True as 'x', expected a number"),
        (float("nan"), "number", "here: got nan as 'x', expected a number"),
        (10**400, "number", "expected a number"),
        (1.5, "whole", "here: got 1.5 as 'x', expected a whole number"),
        ([], "item", r"here.x: got \[\], expected an object"),
    ],
)
def test_what_a_value_is_not(value, read, message):
    with pytest.raises(BadRequest, match=message):
        getattr(Item({"x": value}, "here"), read)("x")


def test_a_list_must_be_one():
    with pytest.raises(BadRequest, match="here: got 3 as 'x', expected a list"):
        list(Item({"x": 3}, "here").items("x"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1,\n}', "a.json, line 2: .*, expected JSON"),
        (b"\xff\xfe{", "a.json is not UTF-8 text|a.json, line 1|is no JSON"),
        (b"[" * 100_000, "a.json is no JSON that can be read|a.json, line 1"),
        (b"3", "a.json, : got 3, expected an object|a.json: got 3"),
    ],
)
def test_what_is_no_json(tmp_path, data, message):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(BadRequest, match=message):
        read_object(tmp_path / "a.json")


def test_a_changed_file_is_read_again(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1]")
    assert read_json(path) == [1]
    path.write_text("[2]")
    os.utime(path, ns=(1, 1))
    assert read_json(path) == [2]
