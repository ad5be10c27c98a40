"""Every changed bit is found; what is found is named, and set aside whole."""

import random
import re
from pathlib import Path

import numpy as np
import pytest

from ego.cache.place import Folder
from ego.cache.sealed import Damage
from ego.cache.store import FeatureStore
from ego.cache.verify import check_entry
from ego.errors import BadRequest, BrokenEntry
from ego.video import Array

ARRAYS = {"feature": Array((16,)), "flow": Array((2, 2, 2), "int8", compress=True)}


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ (1 << bit % 8)]) + data[bit // 8 + 1 :]


def test_a_thousand_flipped_bits_are_all_found(store, make, monkeypatch):
    from ego.cache import layout

    monkeypatch.setattr(layout, "CHUNK_ROWS", 10)
    monkeypatch.setattr(layout, "SHARD_BYTES", 1500)
    key = make.key()
    store.write(key, ARRAYS, [make.block(ARRAYS, 60)], {"video": "tea"})
    folder = store.place / key.path
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    kinds = {re.sub(r"\d+", "N", str(path.relative_to(folder))) for path in files}
    assert {"marker.json", "zarr.json", "time/c/N/N", "source/c/N/N", "feature/c/N/N", "flow/c/N/N/N/N"} <= kinds
    rng = random.Random(5)
    bits = [(path, rng.randrange(path.stat().st_size * 8)) for path in files for _ in range(1000 // len(files) + 1)]
    for path in (one for one in files if "/c/" in str(one)):  # the index at a shard's end, and its checksum
        bits += [(path, path.stat().st_size * 8 - 1 - rng.randrange(160)) for _ in range(10)]
    missed = []
    for path, bit in bits:
        whole = path.read_bytes()
        path.write_bytes(flipped(whole, bit))
        with pytest.raises(Damage):
            check_entry(Folder(store.place), key.path)
        try:
            store.read(key)
            missed.append((path.name, bit))
        except BrokenEntry:
            pass
        path.write_bytes(whole)
    assert len(bits) >= 1000
    assert missed == []  # reading every row finds them too
    assert all(finding.ok for finding in store.verify())


def test_lost_extra_and_foreign_files_are_found(store, make):
    key = make.key()
    store.write(key, ARRAYS, [make.block(ARRAYS, 60)], {"video": "tea"})
    folder = store.place / key.path
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        path.unlink()
        (finding,) = store.verify()
        assert not finding.ok
        assert str(path.relative_to(folder)) in finding.problem
        if path.name == "0" or path.name == "marker.json":
            with pytest.raises(BrokenEntry, match=str(path.relative_to(folder))):
                store.read(key)
        path.write_bytes(whole)
    for name in ("feature/c/9/0", "notes.txt", "feature/c/0/.hidden"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
        (finding,) = store.verify()
        assert name in finding.problem
        (folder / name).unlink()
    (folder / "feature/c/9").rmdir()
    whole = (folder / "time/c/0/0").read_bytes()
    (folder / "time/c/0/0").unlink()
    (folder / "time/c/0/0").symlink_to(folder / "source/c/0/0")
    assert not next(store.verify()).ok
    (folder / "time/c/0/0").unlink()
    (folder / "time/c/0/0").write_bytes(whole)
    (folder.parent / "stray").mkdir()
    assert [finding.path for finding in store.verify() if not finding.ok] == [f"{key.group}/stray"]
    (folder.parent / "stray").rmdir()
    assert [finding.ok for finding in store.verify()] == [True]


def test_an_entry_under_another_name_is_found(store, make):
    key = make.key()
    store.write(key, ARRAYS, [make.block(ARRAYS, 3)], {})
    (store.place / key.path).rename(store.place / make.key(2).path)
    (finding,) = store.verify()
    assert "belongs to" in finding.problem
    with pytest.raises(BrokenEntry, match="belongs to"):
        store.read(make.key(2))
    (store.place / key.group).rename(store.place / make.key(1, 2).group)
    assert not next(store.verify()).ok


def test_parts_cover_everything_once(store, make):
    for video in range(12):
        store.write(make.key(video), make.arrays, [make.block(make.arrays, 1)], {})
        store.remember_video(make.key(video).video, name=str(video), size=1, mtime_ns=1, facts={})
    store.note_failure(make.key(99), "x", "y")
    whole = sorted(finding.path for finding in store.verify())
    assert len(whole) == 25
    parts = [finding.path for part in range(1, 6) for finding in store.verify((part, 5))]
    assert sorted(parts) == whole
    assert [finding.path for finding in store.verify(keys=[make.key(3)])] == [make.key(3).path]
    for part in ((0, 5), (6, 5)):
        with pytest.raises(BadRequest):
            list(store.verify(part))


def test_repair_is_to_set_aside_and_make_again(store, make):
    block = make.block(ARRAYS, 5)
    for video in (1, 2):
        store.write(make.key(video), ARRAYS, [block], {})
    store.remember_video(make.key(1).video, name="tea", size=1, mtime_ns=1, facts={})
    shard = store.place / make.key(1).path / "flow/c/0/0/0/0"
    shard.write_bytes(b"")
    note = next((store.place / "notes/videos").iterdir())
    note.write_bytes(b"{}")
    broken = {path: path.read_bytes() for path in (store.place / make.key(1).path).rglob("*") if path.is_file()}
    found = [finding.path for finding in store.verify() if not finding.ok]
    assert found == [make.key(1).path, f"notes/videos/{note.name}"]
    aside = [store.quarantine(path) for path in found]
    kept = {path.name: path.read_bytes() for path in aside[0].rglob("*") if path.is_file()}
    assert kept == {path.name: data for path, data in broken.items()}
    assert all(finding.ok for finding in store.verify())
    assert store.write(make.key(1), ARRAYS, [block], {}) == "stored"
    np.testing.assert_array_equal(store.read(make.key(1))["flow"], block["flow"])


def test_changed_notes_are_ignored_and_named(store, make):
    rng = random.Random(2)
    store.remember_video(make.key().video, name="tea", size=1, mtime_ns=1, facts={"codec": "h264"})
    store.note_failure(make.key(), "tea", "it ends early")
    for path in sorted(Path(store.place / "notes").rglob("*.json")):
        whole = path.read_bytes()
        for _ in range(300):
            path.write_bytes(flipped(whole, rng.randrange(len(whole) * 8)))
            fresh = FeatureStore(store.place)
            assert (not fresh.video_notes()) or (not fresh.failures())
            assert [finding.ok for finding in fresh.verify()].count(False) == 1
        path.write_bytes(whole)
    assert store.video_notes()
    assert store.failures()
