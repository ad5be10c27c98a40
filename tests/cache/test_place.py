"""Where bytes lie: put whole, published once, swept only when their writer is dead."""

import os
import subprocess
import sys
import threading
import time

import pytest

from ego.cache import layout
from ego.cache import place as place_module
from ego.cache.place import Folder, machine
from ego.cache.verify import quarantine
from ego.errors import BadRequest, BrokenEntry
from ego.video import Array


@pytest.fixture
def folder(fast_path) -> Folder:
    return Folder(fast_path)


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leave(folder: Folder, name: str, hours: float = 0.0) -> None:
    """A staged folder with a file in it, last changed so long ago by the folder's clock."""
    path = folder.root / "staging" / name
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "data").write_bytes(b"x")
    for one in (path / "inner" / "data", path / "inner", path):
        os.utime(one, (time.time() - hours * 3600,) * 2)


def test_only_what_dead_writers_left_is_swept(folder):
    random = "0123456789abcdef"
    leave(folder, f"host-{machine()}-{os.getpid()}-{random}", hours=1000 / 3600)
    leave(folder, f"host-{machine()}-{dead_pid()}-{random}")
    leave(folder, f"other-{'0' * 12}-{dead_pid()}-{random}", hours=95)
    leave(folder, f"other-{'0' * 12}-1-{random}", hours=97)
    leave(folder, "strange", hours=95)
    leave(folder, "strange and old", hours=97)
    (folder.root / "staging" / f"host-{machine()}-{dead_pid()}-fedcba9876543210").write_bytes(b"a note half put")
    swept = folder.sweep()
    assert len(swept) == 4
    left = sorted(os.listdir(folder.root / "staging"))
    assert left == sorted(
        [f"host-{machine()}-{os.getpid()}-{random}", next(n for n in left if "other" in n), "strange"]
    )
    assert "other-000000000000-1-" not in left[1]


def test_one_young_file_keeps_all_of_a_writers_rows(folder):
    leave(folder, "old", hours=200)
    os.utime(folder.root / "staging" / "old" / "inner" / "data")
    assert folder.sweep() == []


@pytest.mark.parametrize("skew_seconds", [-3600, 3600, 30 * 86400])
def test_age_is_not_asked_where_the_stores_clock_differs_from_ours(folder, monkeypatch, skew_seconds):
    leave(folder, "young", hours=1)
    leave(folder, "old", hours=97)
    leave(folder, f"host-{machine()}-{dead_pid()}-0123456789abcdef")
    monkeypatch.setattr(place_module.time, "time", lambda now=time.time: now() + skew_seconds)
    assert [name for name in folder.sweep() if name in ("young", "old")] == []
    assert sorted(os.listdir(folder.root / "staging")) == ["old", "young"]


@pytest.mark.parametrize("arrays", [{"feature": Array((8,))}, {"flow": Array((8,), "int8")}])
def test_a_sleeper_whose_rows_were_swept_cannot_publish(store, make, monkeypatch, arrays):
    monkeypatch.setattr(layout, "CHUNK_ROWS", 5)
    monkeypatch.setattr(layout, "SHARD_BYTES", 200)
    writer = store.writing(make.key(), arrays)
    writer.append(make.block(arrays, 100))
    assert any((store.place / "staging").rglob("c/0/0"))
    for path in (store.place / "staging").rglob("*"):
        os.utime(path, (1, 1))
    assert len(store.sweep()) == 1
    with pytest.raises((OSError, BrokenEntry)):
        writer.publish({})
    assert make.key() not in store


def test_readers_see_a_note_whole_while_it_is_put_again_and_again(folder):
    texts = [bytes([65 + number]) * 10_000 for number in range(8)]
    folder.put("notes/a.json", texts[0])
    stop, seen = threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            seen.add(folder.get("notes/a.json"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [
        threading.Thread(target=lambda: [folder.put("notes/a.json", text) for text in texts * 10]) for _ in range(2)
    ]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert seen <= set(texts)
    assert os.listdir(folder.root / "staging") == []


def test_publish_keeps_the_first(folder):
    for number in range(2):
        staged = folder.stage()
        staged.mkdir()
        (staged / "file").write_text(str(number))
        assert folder.publish(staged, "group/entry") is (number == 0)
    assert folder.get("group/entry/file") == b"0"
    (folder.root / "group" / "a file").write_text("here first")
    assert folder.publish(staged, "group/a file") is False


def test_quarantine_never_takes_a_sound_entry_that_came_in_between(folder):
    (folder.root / "group" / "entry").mkdir(parents=True)
    (folder.root / "group" / "entry" / "broken").touch()
    judged = folder.identity("group/entry")
    folder.move("group/entry", "quarantine/elsewhere")
    (folder.root / "group" / "entry").mkdir()
    (folder.root / "group" / "entry" / "sound").touch()
    assert quarantine(folder, "group/entry", judged) is None
    assert folder.files("group/entry") == ["sound"]


def test_quarantine_puts_back_what_was_swapped_under_its_hands(folder, monkeypatch):
    (folder.root / "group" / "entry").mkdir(parents=True)
    judged, move = folder.identity("group/entry"), folder.move

    def swap(path, to):
        os.rename(folder.root / path, folder.root / "gone")
        (folder.root / path).mkdir()
        (folder.root / path / "sound").touch()
        return move(path, to)

    monkeypatch.setattr(folder, "move", swap)
    assert quarantine(folder, "group/entry", judged) is None
    assert folder.files("group/entry") == ["sound"]


def test_a_missing_folder_is_nothing_but_a_missing_store_is_an_error(fast_path):
    folder = Folder(fast_path / "store")
    (fast_path / "store").mkdir()
    assert folder.names("notes") is None
    assert folder.size("notes/x") is None
    (fast_path / "store").rmdir()
    for path in ("", "notes"):
        with pytest.raises(BadRequest, match="mounted"):
            folder.names(path)


@pytest.mark.skipif(os.getuid() == 0, reason="root may list everything")
def test_a_folder_that_may_not_be_listed_is_an_error(folder):
    (folder.root / "secret").mkdir(mode=0)
    with pytest.raises(PermissionError):
        folder.names("secret")


def test_ranges(folder):
    folder.put("a", bytes(range(100)))
    assert folder.get("a") == bytes(range(100))
    assert folder.get("a", 90) == bytes(range(90, 100))
    assert folder.get("a", 10, 5) == bytes(range(10, 15))
    assert folder.get("a", 95, 50) == bytes(range(95, 100))
    with pytest.raises(FileNotFoundError):
        folder.get("b")
