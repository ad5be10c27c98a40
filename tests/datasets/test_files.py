"""Videos by the names that annotations use: files, folders of pictures, absent and ambiguous ones."""

from pathlib import Path

import pytest

from ego.datasets._files import FileIndex, by_stem
from ego.errors import BadRequest


def fill(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return root


def test_folders_of_pictures_are_named_by_their_place(tmp_path):
    index = FileIndex(
        fill(tmp_path, "open/a.1/f_1.jpg", "open/b/f_1.png", "notes/readme.txt", ".x/f_1.jpg"), frames=True
    )
    assert dict(index.items()) == {"open/a.1": tmp_path / "open/a.1", "open/b": tmp_path / "open/b"}
    assert index.find("a.1", "t.csv, line 2") == "open/a.1"
    assert index.find("open\\b", "t.csv, line 2") == "open/b"


def test_an_absent_video_keeps_its_name_and_is_not_found(tmp_path):
    index = FileIndex(fill(tmp_path, "a.mp4"))
    assert index.named("x\\y", "t.csv, line 2") == "x/y"
    assert index.path("x/y") == tmp_path / "x/y"
    with pytest.raises(BadRequest, match=r"t.csv, line 2: no video 'y' among the 1 in"):
        index.find("y", "t.csv, line 2")


def test_by_stem_wherever_it_lies(tmp_path):
    fill(tmp_path, "one/a.MP4", "b.avi", "two/c.txt")
    assert by_stem(tmp_path, ["a", "b", "c"], "{name}.mp4") == {
        "a": tmp_path / "one/a.MP4", "b": tmp_path / "b.avi", "c": tmp_path / "c.mp4"
    }  # fmt: skip
    fill(tmp_path, "two/a.mp4")
    with pytest.raises(BadRequest, match=r"two videos are called 'a': .*one/a.MP4 and .*two/a.mp4; keep one of them"):
        by_stem(tmp_path, ["a"], "{name}.mp4")
