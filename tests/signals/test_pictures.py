"""Pictures as signals: which frames each is of, read only when asked, known by their bytes."""

from pathlib import Path

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.signals.pictures import FileBytes, Pace, pictures_reading


def written(folder: Path, numbers: dict[int, bytes]) -> dict[int, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in numbers.items():
        (folder / f"{number}.jpg").write_bytes(data)
    return {number: folder / f"{number}.jpg" for number in numbers}


def test_an_item_lasts_from_its_first_frame_to_the_end_of_its_last(tmp_path):
    planes = {plane: written(tmp_path / plane, {1: b"a", 2: b"b", 5: b"c"}) for plane in "xy"}
    reading = pictures_reading("flow_images", planes, Pace(10.0, first=1))
    assert reading.arrays["frame"].tolist() == [[0, 1], [1, 2], [4, 5]]  # 3 and 4 are missing: no item
    assert reading.seconds == pytest.approx(np.array([[0, 0.2], [0.1, 0.3], [0.4, 0.6]]))
    assert list(reading.encoded["x"]) == [b"a", b"b", b"c"]
    assert reading.sources[2] == str(tmp_path / "x/5.jpg")


def test_every_second_frame_over_three(tmp_path):
    reading = pictures_reading("flow_images", {"x": written(tmp_path, {1: b"", 4: b""})}, Pace(60.0, 1, 2, 3))
    assert reading.arrays["frame"].tolist() == [[0, 3], [6, 9]]
    assert reading.seconds[1] == pytest.approx([0.1, 10 / 60])


def test_one_plane_without_the_other_is_refused(tmp_path):
    planes = {"x": written(tmp_path / "x", {1: b"", 2: b""}), "y": written(tmp_path / "y", {1: b""})}
    with pytest.raises(BadRequest, match=r"x/2.jpg is plane x of picture 2, which has no plane y"):
        pictures_reading("flow_images", planes, Pace(10.0, 1))


def test_files_are_read_when_asked_for_and_by_whom(tmp_path):
    files = FileBytes(tuple(written(tmp_path, {1: b"one", 2: b"two"}).values()))
    (tmp_path / "2.jpg").write_bytes(b"changed")
    assert (len(files), files[1], list(files[:1])) == (2, b"changed", [b"one"])
    (tmp_path / "1.jpg").unlink()
    with pytest.raises(BadRequest, match=r"1.jpg cannot be read: No such file"):
        files[0]


def test_the_digest_covers_bytes_and_times_but_no_names(tmp_path):
    def reading(folder: str, data: bytes, rate: float = 10.0) -> str:
        planes = {"map": written(tmp_path / folder, {1: b"first", 2: data})}
        return pictures_reading("map_images", planes, Pace(rate, 1, reach=0)).digest

    assert reading("a", b"x") == reading("b", b"x")
    assert len({reading("a", b"x"), reading("c", b"y"), reading("d", b"x", 20.0), reading("e", b"")}) == 4
