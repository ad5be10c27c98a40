"""Listing looks at names only."""

import json
import os
import subprocess
import sys

OPENED = """
import json, sys
opened = []
sys.addaudithook(lambda event, facts: opened.append(str(facts[0])) if event == "open" else None)
from ego.cache.store import FeatureStore
store = FeatureStore(sys.argv[1])
opened.clear()
states, held = dict(store.listing().states), sorted(store.held())
print(json.dumps([states, held, sorted({path.rpartition("/")[2] for path in opened if path.startswith(sys.argv[1])})]))
"""


def test_listing_and_held_open_no_entry(store, make):
    store.write(make.key(), make.arrays, [make.block(make.arrays, 1)], {})
    store.absent(make.key(2), make.arrays, "no sound", {})
    store.write(make.key(3), make.arrays, [make.block(make.arrays, 1)], {})
    os.remove(store.place / make.key(3).path / "marker.json")
    store.note_failure(make.key(4), "four", "it is no video")
    (store.place / make.key().group / "notes.txt").touch()
    done = subprocess.run([sys.executable, "-c", OPENED, str(store.place)], capture_output=True, text=True, check=True)
    states, held, opened = json.loads(done.stdout)
    assert states == {
        make.key().path: "stored", make.key(2).path: "absent", make.key(3).path: "broken", make.key(4).path: "failed"
    }  # fmt: skip
    assert held == sorted([make.key().path, make.key(2).path])
    assert opened == ["ego-store.json"]


def test_importing_and_listing_open_no_zarr(store, make):
    store.write(make.key(), make.arrays, [make.block(make.arrays, 2)], {})
    program = (
        "import sys; from ego.cache.store import FeatureStore; "
        f"store = FeatureStore({str(store.place)!r}); store.listing(); store.videos(); "
        "assert not {'zarr', 'torch', 'numcodecs', 'dask'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
