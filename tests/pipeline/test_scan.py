"""Scanning: which files are meant, what is remembered, what is refused."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BadVideo
from ego.media.decode import Decoder
from ego.media.frames import folder_stamp
from ego.pipeline.scan import Failure, file_digest, find_videos, folder_digest, scan
from ego.pipeline.staged import check_unchanged, remember
from ego.video import Header, Video

Make = Callable[..., Path]


class Watched:
    """A decoder that counts how often a container is opened."""

    def __init__(self) -> None:
        self.probed: list[str] = []
        self._decoder = Decoder()

    def probe(self, path: str, rate: float = 0.0) -> Header:
        self.probed.append(Path(path).name)
        return self._decoder.probe(path, rate)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def one(path: Path, decoder: Watched, **how: object) -> Video:
    (found,) = scan([path], decoder, **how)  # type: ignore[arg-type]
    assert isinstance(found, Video), found
    return found


def test_files_folders_patterns_and_lists(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MP4", "deep/c.mkv", "notes.txt", "odd\nname.avi", "deep/.hidden.webm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("b.mp4\n\ndeep/c.mkv\nmissing.mp4\n")
    names = [path.name for path in find_videos([str(tmp_path)])]
    assert names == ["a.MP4", "b.mp4", ".hidden.webm", "c.mkv", "odd\nname.avi"]
    assert [path.name for path in find_videos([str(tmp_path / "list.txt")])] == ["b.mp4", "c.mkv", "missing.mp4"]
    assert [path.name for path in find_videos([str(tmp_path / "*.mp4"), str(tmp_path / "b.mp4")])] == ["b.mp4"]
    for nothing in (str(tmp_path / "*.xyz"), str(tmp_path / "deep" / "nothing*")):
        with pytest.raises(BadRequest, match="matches no file"):
            find_videos([nothing])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadRequest, match="no video"):
        find_videos([str(tmp_path / "empty")])
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadRequest, match="UTF-8"):
        find_videos([str(tmp_path / "binary.txt")])


def test_a_video_is_its_bytes(readable_video: Make, tmp_path: Path, watched: Watched) -> None:
    path = readable_video(tmp_path / "a.mp4")
    video = one(path, watched)
    assert video.digest == file_digest(path)
    assert (video.name, video.header.frames_from_header if video.header else 0) == ("a", 60)
    other = tmp_path / "über die Küche\n2 .mp4"
    other.write_bytes(path.read_bytes())
    again = one(other, watched)
    assert again == video
    assert again.name == "über die Küche\n2 "


def test_what_was_hashed_is_remembered_until_it_changes(readable_video: Make, tmp_path: Path, watched: Watched) -> None:
    path = readable_video(tmp_path / "a.mp4")
    first = one(path, watched)
    assert one(path, watched) == first
    assert watched.probed == ["a.mp4"]
    readable_video(path, frames=61)
    assert one(path, watched) != first
    os.utime(path, ns=(1, 1))
    one(path, watched)
    one(path, watched, rehash=True)
    assert watched.probed == ["a.mp4"] * 4


def test_a_colleagues_note_saves_hashing_but_rehash_reads_every_byte(
    readable_video: Make, tmp_path: Path, watched: Watched, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path / "store", create=True)
    path = readable_video(tmp_path / "a.mp4")
    video = one(path, watched)
    remember(store, video)
    hashed: list[str] = []
    monkeypatch.setattr("ego.pipeline.scan.file_digest", lambda where: hashed.append(where) or file_digest(where))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another-user"))
    assert one(path, watched, store=store) == video
    assert hashed == []
    assert one(path, watched, store=store, rehash=True) == video
    assert hashed == [str(path)]


@pytest.mark.parametrize("damage", [b"not a database at all" * 50, b"", None])
def test_a_damaged_memory_costs_only_time(
    readable_video: Make, tmp_path: Path, watched: Watched, private_cache: Path, damage: bytes | None
) -> None:
    path = readable_video(tmp_path / "a.mp4")
    first = one(path, watched)
    base = private_cache / "ego" / "videos.sqlite"
    if damage is None:
        with sqlite3.connect(base) as connection:
            connection.execute("update videos set header = '{\"nonsense\": 1}'")
    else:
        base.write_bytes(damage)
    assert one(path, watched) == first
    assert one(path, watched) == first
    assert one(path, watched) == first


def test_what_is_no_video_is_told_in_one_line(tmp_path: Path, watched: Watched) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noise.mp4").write_bytes(os.urandom(5000))
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "loop.mp4").symlink_to(tmp_path / "loop.mp4")
    paths = [tmp_path / name for name in ("empty.mp4", "noise.mp4", "folder.mp4", "loop.mp4", "missing.mp4")]
    found = list(scan(paths, watched))
    assert all(isinstance(failure, Failure) for failure in found)
    assert all("\n" not in failure.error and failure.error for failure in found)  # type: ignore[union-attr]
    assert [failure.digest is not None for failure in found] == [False, True, False, False, False]
    assert find_videos([str(tmp_path / "missing.mp4")]) == [tmp_path / "missing.mp4"]


def test_a_name_that_is_not_text_travels(readable_video: Make, tmp_path: Path, watched: Watched) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    readable_video(tmp_path / "a.mp4").rename(path)
    video = one(path, watched)
    assert one(path, watched) == video
    store = FeatureStore(tmp_path / "store", create=True)
    remember(store, video)
    assert [note.name for note in store.video_notes().values()] == [video.name]


def test_a_folder_of_pictures_is_its_pictures_in_order_and_its_rate(tmp_path: Path, watched: Watched) -> None:
    folder = tmp_path / "S1/open/1"
    folder.mkdir(parents=True)
    for number in range(1, 4):
        Image.new("RGB", (16, 16), (number * 20, 0, 0)).save(folder / f"f_{number}.png")
    rates = {str(folder): 15.0}
    first = one(folder, watched, rates=rates)
    assert first.name == "S1/open/1"
    assert first.digest == folder_digest(folder, 15.0)
    assert one(folder, watched, rates=rates) == first
    assert len(watched.probed) == 1
    other = one(folder, watched, rates={str(folder): 30.0})
    assert other.digest != first.digest
    for number in range(3, 0, -1):
        (folder / f"f_{number}.png").rename(folder / f"f_{number + 10:04d}.png")
    moved = one(folder, watched, rates=rates)
    assert moved.digest == first.digest  # where the numbers begin and how they are written does not matter
    (folder / "f_0012.png").unlink()
    assert one(folder, watched, rates=rates).digest != first.digest
    (found,) = scan([folder], watched)
    assert isinstance(found, Failure)
    assert "got the folder" in found.error
    check_unchanged(replace(moved, stamp=folder_stamp(folder)))
    with pytest.raises(BadVideo, match="was changed after it was hashed"):
        check_unchanged(moved)
