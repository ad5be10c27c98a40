"""Which files of a folder are frames, what is missing between them, what cannot be a sequence."""

import os
from pathlib import Path

import pytest

from ego.errors import BadVideo
from ego.media.frames import folder_stamp, list_frames


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"picture")
    return folder


@pytest.mark.parametrize("names", [("frame_0000000001.jpg", "frame_0000000002.jpg"), ("img_00000.jpg", "img_00001.JPG"),
                                   ("rgb0001.png", "rgb0002.png"), ("9.png", "10.png")])  # fmt: skip
def test_numbers_count_from_the_lowest(tmp_path, names):
    found = list_frames(fill(tmp_path / "clip", *names, "Thumbs.db", "notes.txt"))
    assert found.names == names
    assert found.numbers == (0, 1)
    assert found.missing == 0


def test_gaps_copies_and_hidden_files(tmp_path):
    names = ("f_0003.jpg", "f_0006.jpg", "f_0003 (1).jpg", "f_0004(1).jpg", ".f_0004.jpg", "f_0004.jpg.part")
    found = list_frames(fill(tmp_path / "clip", *names))
    assert (found.numbers, found.lowest, found.missing) == ((0, 3), 3, 2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "'clip' holds no numbered picture, expected files such as frame_00001.jpg"),
        (("a.jpg",), "holds no numbered picture"),
        (("f_1.jpg", "f_01.jpg"), "'clip' holds frame 1 twice: f_01.jpg and f_1.jpg"),
        (("u_1.jpg", "v_2.jpg"), "'clip' holds several sequences, 'u_' and 'v_', expected one in a folder"),
    ],
)
def test_what_is_no_sequence(tmp_path, names, message):
    with pytest.raises(BadVideo, match=message):
        list_frames(fill(tmp_path / "clip", *names))


def test_an_absent_folder_is_a_bad_video(tmp_path):
    with pytest.raises(BadVideo, match="cannot be read: No such file"):
        list_frames(tmp_path / "nowhere")


def test_the_stamp_changes_with_any_frame(tmp_path):
    folder = fill(tmp_path / "clip", "f_1.jpg", "f_2.jpg")
    before = folder_stamp(folder)
    assert before[0] == 14
    (folder / "notes.txt").write_text("x")
    assert folder_stamp(folder) == before
    os.utime(folder / "f_1.jpg", ns=(1, before[1] + 1))
    assert folder_stamp(folder) != before
