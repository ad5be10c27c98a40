"""32 writers on the same entries: one marker each, nobody fails, nothing is left."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ego.cache.store import FeatureStore

HERE = Path(__file__).parent


@pytest.mark.parametrize(("keys", "broken"), [(6, False), (4, True), pytest.param(100, False, marks=pytest.mark.slow)])
def test_thirty_two_writers_agree(fast_path, make, keys, broken):
    folder = fast_path / "store"
    if broken:  # every writer finds the place taken by an entry that does not check
        store = FeatureStore(folder, create=True)
        for number in range(keys):
            store.write(make.key(number), make.arrays, [make.block(make.arrays, 20, seed=number)], {})
            (folder / make.key(number).path / "time/c/0/0").unlink()
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parents[1]}:{HERE}", "OPENBLAS_NUM_THREADS": "1"}
    words = [sys.executable, str(HERE / "racers.py"), str(folder), "8", str(keys)]
    runs = [
        subprocess.Popen([*words, str(seed)], env=environment, stdout=subprocess.PIPE, text=True) for seed in range(4)
    ]
    ends = sum((Counter(json.loads(run.communicate()[0])) for run in runs), Counter())
    assert ends == {"stored": keys, "exists": 31 * keys}
    store = FeatureStore(folder)
    assert len(store.listing()) == keys
    assert all(finding.ok for finding in store.verify())
    assert os.listdir(folder / "staging") == []
    aside = list((folder / "quarantine").rglob("marker.json"))
    assert len(aside) == (keys if broken else 0)
