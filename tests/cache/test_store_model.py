"""The store against a dictionary: whatever is written, removed, broken, repaired or killed, in any order."""

import os
import random
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ego.cache import place, writer
from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BrokenEntry, NotExtracted
from ego.video import Array

ARRAYS = {"feature": Array((3,))}
KEYS = [FeatureKey("mean_rgb", f"{one:064x}", f"{two:016x}" + "f" * 48) for one in (2**240, 2**250) for two in (1, 2)]
keys = st.sampled_from(KEYS)


class Killed(BaseException):
    """A process that ends between two calls: nothing of its clearing up runs."""


@contextmanager
def killed_after(calls: int):
    """Ends the deed at the Nth call that names, syncs or makes something; clearing up does nothing either."""
    left = iter(range(calls))

    def counted(call):
        def stopped(*args, **more):
            if next(left, None) is None:
                raise Killed
            return call(*args, **more)

        return stopped

    patches = [mock.patch.object(os, name, counted(getattr(os, name))) for name in ("rename", "fsync", "mkdir")]
    patches += [mock.patch.object(module, "discard") for module in (place, writer)]
    for patch in patches:
        patch.start()
    try:
        yield
    except Killed:
        pass
    finally:
        for patch in patches:
            patch.stop()


class Model(RuleBasedStateMachine):
    """`expected` maps a key to (what `marker.about` says, rows, seed), None for an absent entry's rows."""

    block = None  # makes rows; the test sets it

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.store = FeatureStore(self.folder, create=True)
        self.expected: dict = {}
        self.broken: set = set()
        self.failed: set = set()
        self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def entry(self, rows: int):
        self.count += 1
        return {"number": self.count}, [self.block(ARRAYS, rows, seed=self.count)]

    @rule(key=keys, rows=st.integers(0, 4))
    def write(self, key, rows):
        about, blocks = self.entry(rows)
        said = self.store.write(key, ARRAYS, blocks, about)
        there = key in self.expected and key not in self.broken
        assert said == ("exists" if there else "stored")
        if not there:
            self.expected[key] = (about, blocks[0])
            self.broken.discard(key)
        self.failed.discard(key)

    @rule(key=keys)
    def absent(self, key):
        about, blocks = self.entry(0)
        self.store.absent(key, ARRAYS, "nothing there", about)
        if key not in self.expected or key in self.broken:
            self.expected[key] = (about, blocks[0])
            self.broken.discard(key)
        self.failed.discard(key)

    @rule(key=keys, rows=st.integers(1, 3))
    def race(self, key, rows):
        one, two = (self.entry(rows) for _ in range(2))
        with self.store.writing(key, ARRAYS) as first, self.store.writing(key, ARRAYS) as second:
            first.append(one[1][0])
            second.append(two[1][0])
            said = second.publish(two[0]), first.publish(one[0])
        there = key in self.expected and key not in self.broken
        assert said == (("exists" if there else "stored"), "exists")
        if not there:
            self.expected[key] = (two[0], two[1][0])
            self.broken.discard(key)
        self.failed.discard(key)

    @rule(key=keys, calls=st.integers(0, 60))
    def die_writing(self, key, calls):
        about, blocks = self.entry(2)
        with killed_after(calls):
            self.store.write(key, ARRAYS, blocks, about)
        self.look(key, about, blocks[0])

    @rule(key=keys, calls=st.integers(0, 6))
    def die_removing(self, key, calls):
        with killed_after(calls):
            try:
                self.store.remove(key)
            except NotExtracted:
                assert key not in self.expected
        if self.store.listing().state(key) in ("missing", "failed"):
            self.expected.pop(key, None)
            self.broken.discard(key)

    @rule(key=keys)
    def remove(self, key):
        try:
            self.store.remove(key)
            assert self.expected.pop(key)
        except NotExtracted:
            assert key not in self.expected
        self.broken.discard(key)

    @rule(key=keys, seed=st.integers(0, 2**16))
    def damage(self, key, seed):
        if key in self.expected:
            rng = random.Random(seed)
            folder = self.folder / key.path
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            if not files:
                return
            path = rng.choice(files)
            data = path.read_bytes()
            at = rng.randrange(len(data) * 8 + 1)
            if at == len(data) * 8:
                path.unlink()
            else:
                flip = bytes([data[at // 8] ^ (1 << at % 8)])
                path.write_bytes(data[: at // 8] + flip + data[at // 8 + 1 :])
            self.broken.add(key)

    @rule()
    def repair(self):
        found = {finding.path for finding in self.store.verify() if not finding.ok}
        assert found <= {key.path for key in self.broken}
        for key in list(self.broken):
            if key.path in found:
                self.store.quarantine(key)
                del self.expected[key]
            else:
                assert self.sound(key)  # the same bit flipped back
            self.broken.discard(key)

    @rule(key=keys)
    def fail(self, key):
        self.store.note_failure(key, "tea", "it ends early")
        self.failed.add(key)

    @rule()
    def sweep(self):
        assert self.store.sweep() == []  # this process lives: what it staged is its own

    @rule()
    def open_again(self):
        self.store = FeatureStore(self.folder)

    def look(self, key, about, block):
        """After a kill: the entry is the one before, or the new one, whole."""
        state = self.store.listing().state(key)
        if key in self.broken and self.folder.joinpath(key.path).exists():
            if state == "stored" and self.sound(key):
                self.expected[key] = (about, block)
                self.broken.discard(key)
        elif state in ("stored", "absent") and key not in self.expected:
            assert self.store.marker(key).about == about
            self.expected[key] = (about, block)
        elif state in ("missing", "failed"):
            assert key not in self.expected or key in self.broken
            self.expected.pop(key, None)
            self.broken.discard(key)
        if key not in self.store.failures() and state in ("stored", "absent"):
            self.failed.discard(key)

    def sound(self, key) -> bool:
        return all(finding.ok for finding in self.store.verify(keys=[key]))

    @invariant()
    def the_store_is_the_dictionary(self):
        listing = self.store.listing()
        for key in KEYS:
            if key in self.broken:
                continue
            if key not in self.expected:
                assert listing.state(key) in (("failed",) if key in self.failed else ("missing", "failed"))
                with pytest.raises(NotExtracted):
                    self.store.read(key)
                continue
            about, block = self.expected[key]
            feature = self.store.read(key)
            assert feature.marker.about == about
            assert listing.state(key) == ("absent" if feature.absent else "stored")
            np.testing.assert_array_equal(feature["feature"], block["feature"])
            np.testing.assert_array_equal(feature.time, block["time"])
        for key in self.broken & set(self.expected):
            try:
                self.store.read(key)
            except (BrokenEntry, NotExtracted):
                continue
            # what is broken lies where this read did not look, or was flipped back
            assert self.store.marker(key).about == self.expected[key][0]


def run(make, examples: int, steps: int) -> None:
    Model.block = staticmethod(make.block)
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_store_is_a_dictionary(make):
    run(make, 25, 30)


@pytest.mark.slow
def test_the_store_is_a_dictionary_at_length(make):
    run(make, 200, 75)
