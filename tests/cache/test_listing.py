"""Listing looks at names only, fast."""

import os
import subprocess
import sys
import time

from ego.cache.store import FeatureStore


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
