"""Reading an entry gives its rows exactly, from no more than the chunks that hold them, with or without ego."""

import subprocess
import sys

import numpy as np
import pytest

from ego.cache import layout
from ego.errors import BadRequest
from ego.video import Array

DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")


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
    make.same(feature, block)
    assert len(feature) == rows
    assert set(feature.names) == set(arrays)
    assert feature.arrays == arrays
    assert feature.absent is None
    assert feature.marker.rows == rows
    assert feature.marker.about == {"video": {"name": "a"}, "threads": 2}
    assert feature.marker.seconds == (None if rows == 0 else (0.0, rows / 2))
    assert [finding.problem for finding in store.verify()] == [""]


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
        make.same(store.read(make.key(), (low, high)), {name: values[overlap] for name, values in block.items()})
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
