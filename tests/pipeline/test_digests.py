"""A digest is read once, again when the file changed, and a bad memory costs only time."""

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ego.pipeline.digests import FRESH_SECONDS, cache_folder, file_sha256


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file changed long ago."""
    path = tmp_path / "weights.pt"
    path.write_bytes(b"abc" * 1000)
    age(path)
    return path


def age(path: Path) -> None:
    old = time.time() - 100 * FRESH_SECONDS
    os.utime(path, (old, old))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def notes() -> list[Path]:
    return list((cache_folder() / "digests").glob("*.json"))


def test_it_is_the_sha256_and_remembered(file: Path) -> None:
    assert file_sha256(file) == sha256(file)
    (note,) = notes()
    facts = json.loads(note.read_text())
    note.write_text(json.dumps({**facts, "sha256": "f" * 64}))
    assert file_sha256(file) == "f" * 64  # the note is what was read, not the file


def test_a_file_replaced_under_its_name_and_times_is_read_again(file: Path, tmp_path: Path) -> None:
    first = file_sha256(file)
    before = file.stat()
    other = tmp_path / "other"
    other.write_bytes(b"xyz" * 1000)
    os.replace(other, file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert file_sha256(file) == sha256(file) != first


def test_a_file_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"1")
    file_sha256(tmp_path / "new")
    assert not notes()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"facts": 1}', b'{"facts": [], "sha256": 5}', b"\xff\x00"])
def test_a_corrupt_note_is_harmless(file: Path, content: bytes) -> None:
    file_sha256(file)
    (note,) = notes()
    note.write_bytes(content)
    assert file_sha256(file) == sha256(file)
    assert json.loads(note.read_text())["sha256"] == sha256(file)


def test_a_cache_that_cannot_be_written_is_harmless(file: Path, private_cache: Path) -> None:
    private_cache.write_text("a file where the folder should be")
    assert file_sha256(file) == sha256(file)


def test_many_at_once(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: file_sha256(file), range(64))) == {sha256(file)}
    assert len(notes()) == 1
    assert not list((cache_folder() / "digests").glob(".*"))
