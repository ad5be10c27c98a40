"""Data sets with videos that are not there: refused with file and line, or gone without."""

from pathlib import Path

import pytest

from ego.datasets._base import Annotation, Annotations, present
from ego.errors import BadRequest


@pytest.fixture
def found(tmp_path: Path) -> Annotations:
    for name in "ab":
        (tmp_path / f"{name}.mp4").write_bytes(b"video")
    clips = tuple(
        Annotation(name, ((0.0, 1.0),), {"verb": "cut"}, source=f"t.csv, line {line}")
        for line, name in enumerate("abcab", 2)
    )
    folds = {
        name: {
            "train": tuple(i for i, clip in enumerate(clips) if clip.video != name),
            "validation": tuple(i for i, clip in enumerate(clips) if clip.video == name),
        }
        for name in "abc"
    }
    return Annotations({name: tmp_path / f"{name}.mp4" for name in "abc"}, {"verb": ("cut",)}, clips, folds)


def test_an_absent_video_is_refused_where_it_is_listed(found):
    message = r"t.csv, line 4: no video 'c' at .*c.mp4 \(1 of the 3 annotated videos are not there\); .*--skip-missing"
    with pytest.raises(BadRequest, match=message):
        present(found)


def test_skipping_goes_on_without_its_clips_and_folds(found):
    left, absent = present(found, skip_missing=True)
    assert absent == ["c"]
    assert [clip.video for clip in left.clips] == ["a", "b", "a", "b"]
    assert left.folds == {"a": {"train": (1, 3), "validation": (0, 2)}, "b": {"train": (0, 2), "validation": (1, 3)}}
    assert left.classes == found.classes
    assert present(left) == (left, [])


def test_without_any_video_there_is_nothing_to_go_on_with(found):
    for path in found.videos.values():
        path.unlink(missing_ok=True)
    with pytest.raises(BadRequest, match=r"no video 'a' at .*, nor any other of the 3; look at --data"):
        present(found, skip_missing=True)
