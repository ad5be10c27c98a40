"""The feature store keeps rows exactly, under names that mean one thing, and never outside its folder."""

import json
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from ego.cache import layout
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BadVideo, BrokenEntry, EgoError, NotExtracted
from ego.spec import Spec
from ego.video import Array, Picture

DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")


def same(feature, block) -> None:
    for name, values in block.items():
        found = {"time": feature.time, "source": feature.source}[name] if name in ("time", "source") else feature[name]
        assert found.dtype == values.dtype, name
        np.testing.assert_array_equal(found, values, err_msg=name)


def size_on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 2, 255, 257, 1000])
def test_every_dtype_comes_back_as_it_was(store, make, rows, compress):
    arrays = {f"{dtype}_a": Array((3, 2), dtype, compress=compress) for dtype in DTYPES}
    arrays |= {"scalar": Array((), "float32"), "feature": Array((5,))}
    block = make.block(arrays, rows)
    key = make.key()
    pieces = [{name: values[low : low + 97] for name, values in block.items()} for low in range(0, rows, 97)]
    assert store.write(key, arrays, pieces, {"video": {"name": "a"}, "threads": 2}) == "stored"
    feature = store.read(key)
    same(feature, block)
    assert len(feature) == rows
    assert set(feature.names) == set(arrays)
    assert feature.arrays == arrays
    assert feature.absent is None
    assert feature.marker.rows == rows
    assert feature.marker.about == {"video": {"name": "a"}, "threads": 2}
    assert feature.marker.seconds == (None if rows == 0 else (0.0, rows / 2))
    assert [finding.problem for finding in store.verify()] == [""]


def test_many_shards_are_the_same_rows(store, make, monkeypatch):
    monkeypatch.setattr(layout, "SHARD_BYTES", 3000)
    arrays = {
        "feature": Array((20,)),
        "flow": Array((4, 4, 2), "int8", compress=True),
        "zeros": Array((50,), "uint8"),
    }
    block = make.block(arrays, 700)
    block["zeros"][:] = 0  # zarr writes no such shard; it must still be told from one that is lost
    block["flow"][100:400] = 0
    monkeypatch.setattr(layout, "CHUNK_ROWS", 10)
    store.write(
        make.key(),
        arrays,
        [{name: values[at : at + 33] for name, values in block.items()} for at in range(0, 700, 33)],
        {},
    )
    marker = store.marker(make.key())
    assert sum(name.startswith("feature/c/") for name in marker.files) > 5
    assert not any(name.startswith("zeros/c/") for name in marker.files)
    assert all(facts.size <= 3000 for name, facts in marker.files.items() if "/c/" in name)
    same(store.read(make.key()), block)
    for low, high in ((0.0, 0.5), (3.0, 3.1), (100.25, 250.75), (349.5, 400.0)):
        rows = slice(int(low * 2), int(np.ceil(high * 2)))
        same(store.read(make.key(), (low, high)), {name: values[rows] for name, values in block.items()})
    import zarr

    group = zarr.open_group(str(store.place / make.key().path), mode="r")
    np.testing.assert_array_equal(group["feature"][:], block["feature"])
    np.testing.assert_array_equal(group["flow"][:], block["flow"])


def test_a_real_shard_is_at_most_64_mb_and_memory_holds_one(store, make):
    arrays = {"flow": Array((240, 320, 2), "int8")}
    block = make.block(arrays, 100)
    with store.writing(make.key(), arrays) as writer:
        for number in range(5):
            time = block["time"] + 50 * number
            writer.append({**block, "time": time})
            held = sum(column._buffer.nbytes for column in writer._columns.values())
            assert held <= 64e6 + 2 * 24 * 1000
        writer.publish({})
    sizes = [facts.size for name, facts in store.marker(make.key()).files.items() if name.startswith("flow/c/")]
    assert len(sizes) == 2
    assert max(sizes) <= 64_000_000
    feature = store.read(make.key(), (60.0, 61.0), ["flow"])
    np.testing.assert_array_equal(feature["flow"], block["flow"][20:22])
    assert size_on_disk(store.place / make.key().path) <= 1.03 * 500 * (240 * 320 * 2 + 56)


@pytest.mark.parametrize(
    ("rows", "width"), [(200, 1280), (777, 2048), (1000, 1024), (3001, 512), (1789, 1280), (11, 100_000)]
)
def test_bytes_on_disk_are_the_bytes_of_the_rows(store, make, rows, width):
    arrays = {"feature": Array((width,))}
    block = make.block(arrays, rows)
    store.write(make.key(), arrays, [block], {"video": {"name": "a video"}})
    raw = sum(values.nbytes for values in block.values())
    assert size_on_disk(store.place / make.key().path) <= 1.03 * raw


def test_seconds_give_every_row_that_overlaps_and_no_other(store, make):
    rng = np.random.default_rng(3)
    start = np.sort(np.concatenate([rng.uniform(0, 50, 300), np.repeat([7.0, 20.0], 5)]))
    length = rng.choice([0.0, 0.1, 2.0, 15.0], len(start))  # stops out of order, rows of no length
    block = make.block(make.arrays, len(start))
    block["time"] = np.stack([start, start + length / 2, start + length], 1)
    store.write(make.key(), make.arrays, [block], {})
    for low, high in [
        *np.sort(rng.uniform(-5, 70, (60, 2)), axis=1),
        (7.0, 7.5),
        (6.5, 7.0),
        (-9.0, -1.0),
        (90.0, 99.0),
    ]:
        stop = block["time"][:, 2]
        overlap = (start < high) & (stop > low) | ((start == stop) & (low <= start) & (start < high))
        same(store.read(make.key(), (low, high)), {name: values[overlap] for name, values in block.items()})
    with pytest.raises(BadRequest, match="start before its stop"):
        store.read(make.key(), (3.0, 3.0))


def test_only_touched_chunks_are_read(store, make, monkeypatch):
    monkeypatch.setattr(layout, "CHUNK_ROWS", 10)
    arrays = {"feature": Array((1000,))}
    store.write(make.key(), arrays, [make.block(arrays, 500)], {})
    got: list[int] = []
    place = store._first
    get = place.get

    def counting(path, *where):
        data = get(path, *where)
        if "/feature/c/" in path:
            got.append(len(data))
        return data

    monkeypatch.setattr(place, "get", counting)
    store.read(make.key(), (100.0, 101.0))
    assert sum(got) < 3 * 10 * 2000


def test_plain_zarr_and_xarray_read_an_entry_without_ego(store, make, tmp_path):
    arrays = {"feature": Array((8,)), "flow": Array((4, 6, 2), "int8", "flow", scale=0.25, compress=True)}
    block = make.block(arrays, 300)
    store.write(make.key(), arrays, [block], {"video": {"name": "Käse \udc80"}, "time_base": "1/30000"})
    np.savez(tmp_path / "expected.npz", **block)
    program = f"""
import sys, warnings, numpy as np, zarr, xarray
warnings.simplefilter("ignore")
path, expected = {str(store.place / make.key().path)!r}, np.load({str(tmp_path / "expected.npz")!r})
group = zarr.open_group(path, mode="r")
dataset = xarray.open_zarr(path, consolidated=False)
for name in expected.files:
    np.testing.assert_array_equal(group[name][:], expected[name])
    found = dataset[name].values
    assert found.dtype == expected[name].dtype, (name, found.dtype)
    np.testing.assert_array_equal(found, expected[name])
assert group.attrs["video"] == "Käse \\udc80" and group.attrs["video_digest"] == {make.key().video!r}
assert group.attrs["extractor"] == "mean_rgb" and group.attrs["time_base"] == "1/30000"
assert group.attrs["time_columns"] == ["start_seconds", "centre_seconds", "stop_seconds"]
assert group["flow"].attrs["kind"] == "flow" and group["flow"].attrs["scale"] == 0.25
assert group["time"].attrs["unit"] == "seconds"
assert dataset["feature"].dims == ("row", "feature_0") and dataset["time"].dims[0] == "row"
assert not any(name == "ego" or name.startswith("ego.") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_lost_float_data_is_never_zeros_even_for_plain_zarr(store, make):
    import zarr

    store.write(make.key(), make.arrays, [make.block(make.arrays, 30)], {})
    (store.place / make.key().path / "feature/c/0/0").unlink()
    group = zarr.open_group(str(store.place / make.key().path), mode="r")
    assert np.isnan(group["feature"][:]).all()


ODD = [
    "plain",
    "two words",
    "Füße 手 🎥",
    "..",
    "../../outside",
    "/etc/passwd",
    "line\nbreak\ttab",
    "a" * 255,
    'quote " \\ back',
    "nul-free \x01 control",
    "not-utf8-\udc80\udcff",
    "-rf",
    "con",
    "name-0000000000000001",
    "",
]


def test_odd_names_round_trip_and_nothing_is_written_outside(fast_path, make):
    outside = tree(fast_path)
    store = FeatureStore(fast_path / "a" / "store", create=True)
    for number, name in enumerate(ODD):
        key = make.key(number + 1)
        store.remember_video(key.video, name=name, size=1, mtime_ns=2, facts={"codec": "h264"})
        store.write(key, make.arrays, [make.block(make.arrays, 3, seed=number)], {"video": {"name": name}})
        failed = make.key(number + 1, extractor=2, name=name or "x")
        store.note_failure(failed, name, f"no good: {name}")
    again = FeatureStore(fast_path / "a" / "store")
    assert again.videos() == sorted(ODD)
    for number, name in enumerate(ODD):
        key = again.key(name, "mean_rgb")
        assert key == make.key(number + 1)
        same(again.read(key), make.block(make.arrays, 3, seed=number))
        assert again.marker(key).video_name == name
        assert again.video_notes()[key.video].name == name
    assert {one.video for one in again.failures().values()} == set(ODD)
    written = {path for path in tree(fast_path) if not path.startswith("a/store/")}
    assert written == set(outside)
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+/")
    assert all(set(path) <= allowed for path in tree(store.place))
    assert all(finding.ok for finding in again.verify())


def test_digests_that_are_paths_are_refused(store, make):
    from dataclasses import replace

    for bad in (
        replace(make.key(), video="../../../../tmp/evil" + "0" * 44),
        replace(make.key(), video="ABC" + "0" * 61),
        replace(make.key(), extractor=""),
        replace(make.key(), name=""),
        replace(make.key(), signals=("..",)),
    ):
        for deed in (
            lambda key: store.write(key, make.arrays, [], {}),
            lambda key: store.note_failure(key, "a", "b"),
        ):
            with pytest.raises(BadRequest):
                deed(bad)
    with pytest.raises(BadRequest):
        store.remember_video("../../x", name="a", size=1, mtime_ns=1, facts={})
    for path in ("../x", "notes/../../x.json", "/etc/passwd", "staging/x", "mean_rgb-0000000000000001/../../x"):
        with pytest.raises(BadRequest):
            store.read(path)
        with pytest.raises(BadRequest):
            store.remove(path)
    assert set(tree(store.place)) == {"ego-store.json"}


def test_names_and_digests_mean_one_entry_or_are_refused(store, make):
    def put(video, extractor, name, **more):
        store.write(make.key(video, extractor, name, **more), make.arrays, [make.block(make.arrays, 2)], {})

    for video, name in ((0x1111111100000001, "cheese"), (0x1111111100000002, "tea"), (0x2222222200000000, "tea")):
        store.remember_video(make.key(video).video, name=name, size=1, mtime_ns=1, facts={})
    put(0x1111111100000001, 0xAAAA000000000001, "mean_rgb")
    put(0x1111111100000002, 0xAAAA000000000001, "mean_rgb")
    put(0x1111111100000001, 0xBBBB000000000002, "resnet")
    put(0x1111111100000001, 0xCCCC000000000003, "resnet")
    cheese = make.key(0x1111111100000001, 0xAAAA000000000001)
    assert store.key("cheese", "mean_rgb") == cheese
    assert store.key(cheese.video, cheese.extractor) == cheese
    assert store.key("1111111100000001", "aaaa0000") == cheese
    assert store.key("cheese", "resnet-cccc000000000003").extractor.startswith("cccc")
    assert store.videos() == ["cheese", "tea-1111111100000002"]  # the other tea has no entry, yet it is one
    assert store.extractors() == ["mean_rgb", "resnet-bbbb000000000002", "resnet-cccc000000000003"]
    with pytest.raises(BadRequest, match=r"resnet-bbbb.*resnet-cccc"):
        store.key("cheese", "resnet")
    with pytest.raises(BadRequest, match=r"tea-1111111100000002, tea-2222222200000000"):
        store.key("tea", "mean_rgb")
    assert store.key("tea-1111111100000002", "mean_rgb").video.startswith("1111111100000002")
    with pytest.raises(BadRequest, match="several entries"):
        store.key("11111111", "mean_rgb")
    with pytest.raises(NotExtracted, match="'cheese'"):
        store.key("chese", "mean_rgb")
    with pytest.raises(NotExtracted, match="mean_rgb"):
        store.key("cheese", "mean_rbg")
    with pytest.raises(NotExtracted, match="ego extract"):
        store.key("tea-1111111100000002", "bbbb0000")
    store.note_failure(make.key(0x1111111100000002, 0xBBBB000000000002, "resnet"), "tea", "the codec is unknown")
    with pytest.raises(NotExtracted, match="codec is unknown"):
        store.key("tea-1111111100000002", "bbbb0000")
    put(0x1111111100000001, 0xAAAA000000000001, "mean_rgb", signals=("d" * 64,))
    with pytest.raises(BadRequest, match=r"\+"):
        FeatureStore(store.place).key("cheese", "mean_rgb")
    put(0x2222222200000000, 0xAAAA000000000001, "mean_rgb")
    assert store.videos() == ["cheese", "tea-1111111100000002", "tea-2222222200000000"]


def test_the_same_bytes_may_have_several_names(store, make):
    key = make.key()
    for name, size, mtime in (("a", 10, 1), ("b", 10, 2), ("a", 10, 3)):
        store.remember_video(key.video, name=name, size=size, mtime_ns=mtime, facts={"width": 4})
    note = store.video_notes()[key.video]
    assert note.names == ("a", "b")
    assert set(note.files) == {("a", 10, 3), ("b", 10, 2)}
    store.write(key, make.arrays, [make.block(make.arrays, 2)], {})
    assert store.key("a", "mean_rgb") == store.key("b", "mean_rgb") == key
    assert store.videos() == ["a"]


def test_an_absent_entry_says_why_and_has_rows_of_the_right_shape(store, make):
    arrays = {"feature": Array((8, 2), "int8"), "mask": Array((), "bool")}
    store.absent(make.key(), arrays, "the video has no sound", {"video": "quiet"})
    feature = store.read(make.key())
    assert feature.absent == "the video has no sound"
    assert feature["feature"].shape == (0, 8, 2)
    assert feature["feature"].dtype == np.int8
    assert feature["mask"].shape == (0,)
    assert feature.time.shape == (0, 3)
    assert store.listing().state(make.key()) == "absent"
    assert make.key() in store
    assert all(finding.ok for finding in store.verify())
    store.write(make.key(2), arrays, [], {})  # nothing to see, but not for a reason: stored
    assert store.listing().state(make.key(2)) == "stored"


def test_the_second_writer_keeps_the_first_entry(store, make):
    first, second = make.block(make.arrays, 4, seed=1), make.block(make.arrays, 4, seed=2)
    assert store.write(make.key(), make.arrays, [first], {}) == "stored"
    before = tree(store.place / make.key().path)
    assert store.write(make.key(), make.arrays, [second], {}) == "exists"
    assert tree(store.place / make.key().path) == before
    assert os.listdir(store.place / "staging") == []


@pytest.mark.parametrize("file", ["marker.json", "feature/c/0/0", "zarr.json", "source/zarr.json"])
def test_a_broken_entry_is_set_aside_by_the_next_writer(store, make, file):
    block = make.block(make.arrays, 4)
    store.write(make.key(), make.arrays, [block], {})
    (store.place / make.key().path / file).unlink()
    assert store.write(make.key(), make.arrays, [block], {}) == "stored"
    same(store.read(make.key()), block)
    aside = list((store.place / "quarantine" / make.key().group).iterdir())
    assert len(aside) == 1
    assert aside[0].name.startswith(make.key().entry)


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


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"feature": np.full((4, 8), np.nan, np.float16)}, BadVideo, "feature at row 3"),
        ({"feature": np.full((4, 8), 1e6).astype(np.float32)}, BadRequest, "float16"),
        ({"feature": np.zeros((4, 7), np.float16)}, BadRequest, r"\(4, 8\)"),
        ({"feature": np.zeros((3, 8), np.float16)}, BadRequest, "feature"),
        ({"more": np.zeros(4)}, BadRequest, "more"),
        ({"time": np.array([[1.0, 1.0, 1.0], [0.5, 1.0, 1.5]] * 2)}, BadVideo, "row 4"),
        ({"time": np.array([[5.0, 4.0, 6.0]] * 4)}, BadVideo, "centre"),
        ({"time": np.array([[5.0, 6.0, np.inf]] * 4)}, BadVideo, "finite"),
        ({"time": np.array([[0.0, 0.0, 0.0]] * 4)}, BadVideo, "row 3"),
        ({"source": np.zeros((4, 4), np.int32)}, BadRequest, "int64"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_published(store, make, change, error, words):
    good = make.block(make.arrays, 3)
    with pytest.raises(error, match=words), store.writing(make.key(), make.arrays) as writer:  # noqa: PT012
        writer.append(good)
        with np.errstate(over="ignore"):
            writer.append({**make.block(make.arrays, 4, first=3), **change})
        writer.publish({})
    assert make.key() not in store
    assert os.listdir(store.place / "staging") == []


def test_an_overflow_is_named_with_its_row(store, make):
    block = make.block(make.arrays, 5)
    with np.errstate(over="ignore"):
        block["feature"][3, 2] = np.float32(70000.0)
    with pytest.raises(BadVideo, match=r"inf in feature at row 3, element \[2\].*float16"):
        store.write(make.key(), make.arrays, [block], {})


def test_leaving_without_publish_leaves_nothing(store, make):
    with store.writing(make.key(), make.arrays) as writer:
        writer.append(make.block(make.arrays, 4))
    assert list(store) == []
    assert os.listdir(store.place / "staging") == []
    with pytest.raises(BadRequest, match="after it was published"):
        writer.append(make.block(make.arrays, 4))
    with pytest.raises(BadRequest, match="second publish"):
        writer.publish({})


@pytest.mark.parametrize("about", [{"x": float("nan")}, {"x": object()}, {2: 1, 10: 2}, {"x": {1, 2}}])
def test_what_json_cannot_say_is_refused_before_it_is_stored(store, make, about):
    with pytest.raises(BadRequest):
        store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], about)
    assert make.key() not in store


def test_a_spec_must_be_that_of_the_key_and_is_noted(store, make):
    spec = Picture("short", 100)
    key = make.key()
    with pytest.raises(BadRequest, match="digest differs"):
        store.writing(key, make.arrays, spec)
    from dataclasses import replace

    key = replace(key, name=spec.name, extractor=spec.digest)
    store.write(key, make.arrays, [make.block(make.arrays, 2)], {}, spec)
    assert store.marker(key).spec == spec.describe()
    assert store.spec("Picture") == spec.describe()
    assert all(finding.ok for finding in store.verify())
    note = store.place / key.group / "spec.json"
    note.write_bytes(note.read_bytes().replace(b"100", b"101"))
    assert [finding.path for finding in store.verify() if not finding.ok] == [f"{key.group}/spec.json"]


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
    assert sorted(tree(fast_path)) == ["file", "photos/a.jpg"]
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
    before = tree(far.place)
    FeatureStore(fast_path / "near", create=True)
    both = FeatureStore(fast_path / "near", fast_path / "far")
    both.write(make.key(2), make.arrays, [make.block(make.arrays, 3, seed=2)], {})
    assert sorted(both) == [make.key(1), make.key(2)]
    same(both.read(both.key("one", "mean_rgb")), make.block(make.arrays, 3, seed=1))
    assert [state for *_, state in both.listing().entries()] == ["stored", "stored"]
    with pytest.raises(NotExtracted):
        both.remove(make.key(1))
    (both.place / make.key(1).path).mkdir(parents=True)  # broken here, sound there
    same(both.read(make.key(1)), make.block(make.arrays, 3, seed=1))
    assert both.listing().state(make.key(1)) == "stored"
    assert tree(far.place) == before


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


def test_fifty_thousand_entries_are_listed_in_a_second_without_opening_any(fast_path, make):
    store = FeatureStore(fast_path / "store", create=True)
    store.write(make.key(), make.arrays, [make.block(make.arrays, 1)], {})
    pattern = store.place / make.key().path
    for extractor in range(2, 12):
        group = store.place / make.key(1, extractor).group
        for video in range(500):
            entry = group / f"{video:016x}"
            for part in ("time", "source", "feature"):
                (entry / part).mkdir(parents=True)
            os.link(pattern / "marker.json", entry / "marker.json")
            os.link(pattern / "zarr.json", entry / "zarr.json")
    started = time.perf_counter()
    listing = store.listing()
    taken = time.perf_counter() - started
    assert len(listing) == 5001
    assert {state for *_, state in listing.entries()} == {"stored"}
    assert taken * 10 < 3.0  # a slow machine may take twice the second and a half of ten times as many


def test_importing_and_listing_open_no_zarr(store, make):
    store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], {})
    program = (
        "import sys; from ego.cache.store import FeatureStore; "
        f"store = FeatureStore({str(store.place)!r}); store.listing(); store.videos(); "
        "assert not {'zarr', 'torch', 'numcodecs', 'dask'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_users_zarr_settings_are_left_alone(store, make):
    import zarr

    before = zarr.config.get("codec_pipeline.path")
    store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], {})
    assert zarr.config.get("codec_pipeline.path") == before


def test_writing_from_many_threads_at_once(store, make):
    errors: list[BaseException] = []

    def write(video: int) -> None:
        try:
            store.write(make.key(video), make.arrays, [make.block(make.arrays, 50, seed=video)], {})
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(video,)) for video in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for video in range(16):
        same(store.read(make.key(video)), make.block(make.arrays, 50, seed=video))


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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert issubclass(BrokenEntry, EgoError)
        assert Spec.version == 1
