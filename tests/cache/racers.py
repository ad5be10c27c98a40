"""One of several processes that race to write the same entries: racers.py STORE THREADS KEYS SEED."""

import json
import sys
import threading
from collections import Counter

from conftest import make_block, make_key

from ego.cache.store import FeatureStore
from ego.video import Array

ARRAYS = {"feature": Array((8,))}


def main(folder: str, threads: int, keys: int, seed: int) -> None:
    """Every thread writes every key, each from another start; prints how each ended."""
    store = FeatureStore(folder, create=True)
    ends: Counter[str] = Counter()

    def write(thread: int) -> None:
        for step in range(keys):
            number = (step + thread + seed) % keys
            try:
                block = make_block(ARRAYS, 20, seed=number)
                end = store.write(make_key(number), ARRAYS, [block], {"by": [seed, thread]})
                feature = store.read(make_key(number))
                end += "" if (feature["feature"] == block["feature"]).all() else " but other rows are read"
            except BaseException as error:
                end = f"{type(error).__name__}: {error}"
            ends[end] += 1

    running = [threading.Thread(target=write, args=(thread,)) for thread in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    print(json.dumps(ends))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
