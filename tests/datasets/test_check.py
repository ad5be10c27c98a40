"""What annotations tell of themselves: counts, class tables, strangers, doubles, overlaps."""

from pathlib import Path

from ego.datasets._base import Annotation, Annotations
from ego.datasets._check import class_table, counts, look_at


def annotations(clips, **more):
    videos = {clip.video: Path(clip.video) for clip in clips}
    folds = {"": {"train": tuple(range(len(clips) - 1)), "test": (len(clips) - 1,)}}
    return Annotations(videos, {"verb": ("cut", "put", "wash")}, tuple(clips), folds, **more)


def clip(video, start, stop, verb, line):
    return Annotation(video, ((start, stop),), {"verb": verb}, source=f"t.csv, line {line}")


CLIPS = [clip("a", 0, 2, "cut", 2), clip("a", 2, 4, "put", 3), clip("b", 0, 9, "cut", 4)]


def test_counts_stand_beside_the_published_ones():
    found = counts(annotations(CLIPS, subsets={"tail": {"verb": ("put",)}}), {"clips": 3, "verb classes": 4, "dogs": 1})
    assert [(one.what, one.here, one.published, one.matches) for one in found] == [
        ("videos", 2, None, True), ("clips", 3, 3, True), ("train clips", 2, None, True),
        ("test clips", 1, None, True), ("verb classes", 3, 4, False), ("tail verb classes", 1, None, True),
        ("dogs", 0, 1, False),
    ]  # fmt: skip


def test_the_clips_of_each_class_by_split():
    assert class_table(annotations(CLIPS), "verb") == (
        ["train", "test"], [("cut", 2, [1, 1]), ("put", 1, [1, 0]), ("wash", 0, [0, 0])]
    )  # fmt: skip


def test_sound_annotations_have_only_their_notes():
    found = list(look_at(annotations(CLIPS, notes=("a note",))))
    assert [(one.level, one.text) for one in found] == [
        ("note", "a note"), ("note", "1 of 3 verb classes have no clip, such as 'wash'")
    ]  # fmt: skip


def test_strangers_doubles_and_overlaps_are_told_with_their_lines():
    more = [*CLIPS, clip("a", 1, 3, "wash", 5), clip("a", 2, 4, "put", 6), clip("b", 20, 21, "fly", 7)]
    told = {one.text: one.level for one in look_at(annotations(more))}
    assert told == {
        "t.csv, line 7: got 'fly' as 'verb', which is no class of it": "wrong",
        "t.csv, line 6: the same clip of 'a' stands in t.csv, line 3 too": "note",
        "2 segments overlap another: t.csv, line 5 (1 to 3 s of 'a') and t.csv, line 2 (0 to 2 s) "
        "are the first": "note",
    }
