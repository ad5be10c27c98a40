"""A pack is the rows of its entries, checked once, gathered by number."""

import os
from dataclasses import replace

import numpy as np
import pytest

from ego.cache.pack import Pack, pack
from ego.errors import BadRequest, BrokenEntry
from ego.video import Array

ARRAYS = {"feature": Array((6,)), "flow": Array((2, 2), "int8", compress=True), "score": Array((), "float32")}
ROWS = (5, 0, 300, 1)


@pytest.fixture
def filled(store, make):
    """(store, keys, blocks) of entries of several lengths; the last is absent."""
    blocks = [make.block(ARRAYS, rows, seed=number) for number, rows in enumerate(ROWS)]
    keys = [make.key(number) for number in range(len(ROWS))]
    for key, block in zip(keys, blocks, strict=True):
        store.write(key, ARRAYS, [block], {})
    store.absent(make.key(9), ARRAYS, "no hands", {})
    return store, [*keys, make.key(9)], [*blocks, make.block(ARRAYS, 0)]


@pytest.mark.parametrize("kind", ["memory", "folder", "opened in memory"])
def test_a_pack_holds_every_row_of_every_entry(filled, fast_path, kind):
    store, keys, blocks = filled
    folder = None if kind == "memory" else fast_path / "packs" / "one"
    made = pack(store, keys, folder=folder)
    if kind == "opened in memory":
        made = Pack.open(folder, memory=True)
    assert made.keys == tuple(keys)
    assert made.offsets.tolist() == [0, 5, 5, 305, 306, 306]
    assert made.arrays == ARRAYS
    assert len(made) == 306
    assert isinstance(made["feature"], np.memmap) == (kind == "folder")
    for name in (*ARRAYS, "time"):
        np.testing.assert_array_equal(made[name], np.concatenate([block[name] for block in blocks]))
        assert made[name].dtype == blocks[0][name].dtype
    np.testing.assert_array_equal(made["flow"][made.rows(2)], blocks[2]["flow"])
    rows = np.array([[305, 0, 17], [2, 2, 304]])
    np.testing.assert_array_equal(made.gather("feature", rows), made["feature"][rows])
    out = np.empty((2, 3, 6), np.float16)
    assert made.gather("feature", rows, out) is out
    np.testing.assert_array_equal(out, made["feature"][rows])
    for bad in ([306], [-1], [0, 10**9]):
        with pytest.raises(BadRequest, match="306"):
            made.gather("feature", np.array(bad))
    with pytest.raises(BadRequest, match="feature, flow"):
        made["rgb"]


def test_seconds_narrow_all_entries_or_each(filled):
    store, keys, blocks = filled
    one = pack(store, keys, ["feature"], seconds=(1.0, 2.0))
    assert one.offsets.tolist() == [0, 2, 2, 4, 4, 4]
    np.testing.assert_array_equal(one["feature"][2:4], blocks[2]["feature"][2:4])
    each = pack(store, keys, seconds=[(0.0, 0.5), (0.0, 9.0), (149.0, 1e9), (0.0, 1.0), (0.0, 1.0)])
    assert each.offsets.tolist() == [0, 1, 1, 3, 4, 4]
    np.testing.assert_array_equal(each["time"][1:3], blocks[2]["time"][298:])
    with pytest.raises(BadRequest, match="2 spans"):
        pack(store, keys, seconds=[(0.0, 1.0), (0.0, 2.0)])


def test_entries_must_hold_the_same(filled, make):
    store, keys, _ = filled
    store.write(make.key(20), {"feature": Array((7,))}, [], {})
    for names in (None, ["feature"], ["rgb"]):
        with pytest.raises(BadRequest, match=r"feature|rgb"):
            pack(store, [*keys, make.key(20)], names)
    with pytest.raises(BadRequest):
        pack(store, [])


def test_a_pack_on_disk_is_used_again_made_again_or_refused(filled, fast_path):
    store, keys, blocks = filled
    folder = fast_path / "one"
    pack(store, keys, folder=folder)
    before = folder.stat().st_ino
    pack(store, keys, folder=folder)
    assert folder.stat().st_ino == before
    pack(store, keys[:2], folder=folder)
    assert folder.stat().st_ino != before
    np.testing.assert_array_equal(Pack.open(folder)["flow"], blocks[0]["flow"])
    assert sorted(os.listdir(fast_path)) == ["one", "store"]
    (fast_path / "photos").mkdir()
    with pytest.raises(BadRequest, match="other things"):
        pack(store, keys, folder=fast_path / "photos")
    with pytest.raises(BadRequest, match="no pack"):
        Pack.open(fast_path / "nowhere")


def test_every_changed_bit_of_a_pack_is_found_when_it_is_opened(filled, fast_path):
    store, keys, _ = filled
    folder = fast_path / "one"
    pack(store, keys, folder=folder)
    rng = np.random.default_rng(0)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for bit in rng.integers(0, len(whole) * 8, 40):
            data = bytearray(whole)
            data[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(data)
            for memory in (False, True):
                with pytest.raises(BrokenEntry, match="delete this folder"):
                    Pack.open(folder, memory=memory)
        path.write_bytes(whole[:-1])
        with pytest.raises(BrokenEntry):
            Pack.open(folder)
        assert len(pack(store, keys, folder=folder)) == 306  # a broken one is made again
        assert path.read_bytes() == whole


def test_a_broken_entry_is_named_and_leaves_no_pack(filled, fast_path):
    store, keys, _ = filled
    shard = store.place / keys[2].path / "feature/c/0/0"
    data = bytearray(shard.read_bytes())
    data[5] ^= 4
    shard.write_bytes(data)
    for folder in (None, fast_path / "one"):
        with pytest.raises(BrokenEntry, match=keys[2].entry):
            pack(store, keys, folder=folder)
    assert os.listdir(fast_path) == ["store"]


def test_an_absent_entry_of_another_size_is_no_obstacle(filled, make):
    """What has nothing to say does not know the size of the pictures it has none of."""
    store, keys, _ = filled
    small = {name: replace(array, shape=tuple(1 for _ in array.shape)) for name, array in ARRAYS.items()}
    store.absent(make.key(11), small, "no hands", {})
    assert pack(store, [make.key(11), *keys]).arrays == ARRAYS


def test_sizes_that_differ_are_said(filled, make):
    store, keys, _ = filled
    wide = {**ARRAYS, "flow": replace(ARRAYS["flow"], shape=(*ARRAYS["flow"].shape[:-1], 99))}
    store.write(make.key(12), wide, [make.block(wide, 3)], {})
    with pytest.raises(BadRequest, match=r"99.*picture\.fit=squash"):
        pack(store, [keys[0], make.key(12)])
