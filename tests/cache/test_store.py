"""The feature store keeps what it was given, answers honestly for what it has not, and is shared by a team."""

import json
import os
from pathlib import Path

import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BrokenEntry, NotExtracted


def test_a_broken_entry_names_itself_and_its_repair(store, make):
    store.remember_video(make.key().video, name="tea party", size=1, mtime_ns=1, facts={})
    store.write(make.key(), make.arrays, [make.block(make.arrays, 4)], {})
    shard = store.place / make.key().path / "feature/c/0/0"
    whole = shard.read_bytes()
    for damage in (None, whole[:-1], whole + b"\0", bytes([whole[0] ^ 1]) + whole[1:]):
        shard.unlink(missing_ok=True)
        if damage is not None:
            shard.write_bytes(damage)
        with pytest.raises(BrokenEntry) as caught:
            store.read(make.key())
        for word in ("tea party", make.key().path, "feature/c/0/0", f"ego verify --store {store.place} --repair"):
            assert word in str(caught.value)
    moved = store.quarantine(make.key())
    assert moved.is_relative_to(store.place / "quarantine")
    with pytest.raises(NotExtracted, match="ego extract"):
        store.read(make.key())


def test_a_place_that_is_not_a_store_is_never_an_empty_one(fast_path, make):
    with pytest.raises(BadRequest, match="no store at"):
        FeatureStore(fast_path / "nowhere")
    (fast_path / "photos").mkdir()
    with pytest.raises(BadRequest, match="not a store"):
        FeatureStore(fast_path / "photos")
    (fast_path / "photos" / "a.jpg").touch()
    with pytest.raises(BadRequest, match=r"a\.jpg"):
        FeatureStore(fast_path / "photos", create=True)
    (fast_path / "file").touch()
    with pytest.raises(BadRequest, match="not a folder"):
        FeatureStore(fast_path / "file", create=True)
    for nowhere in ("/proc/store", fast_path / "file" / "store"):
        with pytest.raises(BadRequest, match="cannot be written"):
            FeatureStore(nowhere, create=True)
    assert sorted(make.tree(fast_path)) == ["file", "photos/a.jpg"]
    with pytest.raises(BadRequest):
        FeatureStore()
    store = FeatureStore(fast_path / "new" / "store", create=True)
    FeatureStore(fast_path / "new" / "store", create=True)
    for text in ('{"format": 2}', "[]", "{", "", '{"format": 1.5}', "[" * 100_000):
        (store.place / "ego-store.json").write_text(text)
        with pytest.raises(BadRequest):
            FeatureStore(store.place)
    (store.place / "ego-store.json").write_text('{"format": 1}')
    store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], {})
    os.rename(store.place, fast_path / "unmounted")
    for deed in (store.listing, store.videos, lambda: store.read(make.key()), lambda: list(store.verify())):
        with pytest.raises(BadRequest, match="mounted"):
            deed()
    (fast_path / "new" / "store").mkdir()  # the empty mount point
    for deed in (store.listing, lambda: store.read(make.key()), lambda: list(store.verify())):
        with pytest.raises(BadRequest):
            deed()


def test_reads_go_through_several_places_and_writes_to_the_first(fast_path, make):
    far = FeatureStore(fast_path / "far", create=True)
    far.write(make.key(1), make.arrays, [make.block(make.arrays, 3, seed=1)], {})
    far.remember_video(make.key(1).video, name="one", size=1, mtime_ns=1, facts={})
    before = make.tree(far.place)
    FeatureStore(fast_path / "near", create=True)
    both = FeatureStore(fast_path / "near", fast_path / "far")
    both.write(make.key(2), make.arrays, [make.block(make.arrays, 3, seed=2)], {})
    assert sorted(both) == [make.key(1), make.key(2)]
    make.same(both.read(both.key("one", "mean_rgb")), make.block(make.arrays, 3, seed=1))
    assert [state for *_, state in both.listing().entries()] == ["stored", "stored"]
    with pytest.raises(NotExtracted):
        both.remove(make.key(1))
    (both.place / make.key(1).path).mkdir(parents=True)  # broken here, sound there
    make.same(both.read(make.key(1)), make.block(make.arrays, 3, seed=1))
    assert both.listing().state(make.key(1)) == "stored"
    assert make.tree(far.place) == before


def test_failures_are_notes_that_success_removes(store, make):
    store.note_failure(make.key(), "tea", "it ends early")
    store.note_failure(make.key(2), "milk", "it is empty")
    assert store.listing().state(make.key()) == "failed"
    assert store.failures()[make.key().path].error == "it ends early"
    store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], {})
    assert store.listing().state(make.key()) == "stored"
    assert list(store.failures()) == [make.key(2).path]
    store.note_failure(make.key(), "tea", "a slower run failed")
    assert store.listing().state(make.key()) == "stored"
    assert make.key().path not in store.failures()


def test_remove_takes_one_entry(store, make):
    for video in (1, 2):
        store.write(make.key(video), make.arrays, [make.block(make.arrays, 2)], {})
    store.remove(make.key(1))
    assert list(store) == [make.key(2)]
    assert store.listing().state(make.key(1)) == "missing"
    with pytest.raises(NotExtracted):
        store.remove(make.key(1))
    assert os.listdir(store.place / "staging") == []


def test_a_team_can_share_a_store(fast_path, make):
    root = fast_path / "team"
    root.mkdir()
    group = next((one for one in os.getgroups() if one != os.getgid()), 65534 if os.getuid() == 0 else os.getgid())
    os.chown(root, -1, group)
    os.chmod(root, 0o2775)
    old = os.umask(0o002)
    try:
        store = FeatureStore(root, create=True)
        store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], {})
        store.remember_video(make.key().video, name="a", size=1, mtime_ns=1, facts={})
        store.note_failure(make.key(2), "b", "c")
    finally:
        os.umask(old)
    for path in root.rglob("*"):
        facts = path.stat()
        assert facts.st_gid == group, path
        assert facts.st_mode & 0o777 == (0o775 if path.is_dir() else 0o664), path


def test_a_stored_store_of_format_1_stays_readable(make):
    golden = Path(__file__).parent / "golden" / "format1"
    expected = json.loads((golden.parent / "format1.json").read_text())
    store = FeatureStore(golden)
    key = store.key("Cheese / tea", "mean_rgb")
    feature = store.read(key)
    assert feature.time.tolist() == expected["time"]
    assert feature.source.tolist() == expected["source"]
    assert {name: feature[name].tolist() for name in feature.names} == expected["arrays"]
    assert {name: str(feature[name].dtype) for name in feature.names} == {"feature": "float16", "flow": "int8"}
    assert store.marker(key).about == expected["about"]
    assert [state for *_, state in sorted(store.listing().entries())] == ["stored", "absent", "failed"]
    assert all(finding.ok for finding in store.verify())
