"""Rows are cut into chunks and shards that waste no bytes and never grow past their bound."""

import numpy as np
import pytest

from ego.cache import layout
from ego.video import Array


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
    make.same(store.read(make.key()), block)
    for low, high in ((0.0, 0.5), (3.0, 3.1), (100.25, 250.75), (349.5, 400.0)):
        rows = slice(int(low * 2), int(np.ceil(high * 2)))
        make.same(store.read(make.key(), (low, high)), {name: values[rows] for name, values in block.items()})
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
    assert make.size_on_disk(store.place / make.key().path) <= 1.03 * 500 * (240 * 320 * 2 + 56)


@pytest.mark.parametrize(
    ("rows", "width"), [(200, 1280), (777, 2048), (1000, 1024), (3001, 512), (1789, 1280), (11, 100_000)]
)
def test_bytes_on_disk_are_the_bytes_of_the_rows(store, make, rows, width):
    arrays = {"feature": Array((width,))}
    block = make.block(arrays, rows)
    store.write(make.key(), arrays, [block], {"video": {"name": "a video"}})
    raw = sum(values.nbytes for values in block.values())
    assert make.size_on_disk(store.place / make.key().path) <= 1.03 * raw
