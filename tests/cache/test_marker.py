"""A marker says only what a marker may say: whatever else lies there, the store answers with an EgoError."""

import copy
import json
import random

import pytest

from ego.cache.marker import Marker
from ego.cache.sealed import Damage, seal, unseal
from ego.cache.store import FeatureStore
from ego.errors import BrokenEntry, EgoError
from ego.video import Array

ARRAYS = {"feature": Array((4,)), "flow": Array((2, 2), "int8", compress=True)}
HOSTILE = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**40, 2**63, -(2**70), 10**400, 0.5, -0.0, 1e308, "", "x", "..", "nan",
    "../../etc/passwd", "\udc80", "0" * 64, "f" * 64, [], {}, [[]], [None], [1, 2, 3], {"": {}}, {"../x": {}}, [-1],
    [2**40], ["a"] * 50,
)  # fmt: skip


@pytest.fixture
def entry(store, make):
    store.write(make.key(), ARRAYS, [make.block(ARRAYS, 7)], {"video": {"name": "tea"}, "list": [1, {"a": None}]})
    return store, make.key(), store.place / make.key().path / "marker.json"


def spots(value, path=()):
    """Every place in a JSON value, as a path of keys."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from spots(child, (*path, key))


def changed(content, rng):
    """The same content with one to three values replaced, dropped, added or swapped."""
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([path for path in spots(content) if path])
        target = content
        for step in path[:-1]:
            target = target[step]
        deed = rng.random()
        if deed < 0.7:
            target[path[-1]] = copy.deepcopy(rng.choice(HOSTILE))
        elif deed < 0.85:
            del target[path[-1]]
        elif isinstance(target, dict):
            target[str(rng.choice(HOSTILE))] = copy.deepcopy(rng.choice(HOSTILE))
        else:
            target.append(copy.deepcopy(rng.choice(HOSTILE)))
    return content


def scrambled(data, rng):
    """The same bytes flipped, cut, spliced, repeated or nested."""
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice(
        (
            lambda: data[:at] + bytes([data[at % len(data)] ^ (1 << rng.randrange(8))]) + data[at + 1 :],
            lambda: data[:at],
            lambda: data[at:],
            lambda: data[:at] + data[to:],
            lambda: data[:to] + data[at:],
            lambda: data[:at] + rng.randbytes(rng.randrange(20)) + data[to:],
            lambda: b"[" * rng.choice((10, 100_000)),
            lambda: b'{"a":' * 50_000,
            lambda: data.replace(b"7", b"1" * rng.choice((1, 5000))),
            lambda: data.replace(b"[", b"[NaN,", 1),
            lambda: b"\xef\xbb\xbf" + data,
            lambda: data.replace(b",", b", ", 1),
        )
    )()


def use(store, key):
    """Everything a reader may do; only EgoErrors may come out. The rows, where it went through."""
    try:
        feature = store.read(key)
        store.read(key, (0.0, 1.0))
        return feature
    except EgoError:
        return None
    finally:
        [finding.problem for finding in store.verify()]
        list(store)


@pytest.mark.parametrize("count", [2500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_scrambled_bytes_are_a_broken_entry(entry, count):
    store, key, path = entry
    whole, rng = path.read_bytes(), random.Random(1)
    for _ in range(count):
        data = scrambled(whole, rng)
        path.write_bytes(data)
        if data == whole:
            assert len(store.read(key)) == 7
            continue
        with pytest.raises(BrokenEntry):
            store.marker(key)
        with pytest.raises(Damage):
            Marker.parse(data)


@pytest.mark.parametrize("count", [2500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_hostile_values_under_a_sound_checksum_give_only_ego_errors(entry, count):
    store, key, path = entry
    whole, rng = unseal(path.read_bytes()), random.Random(2)
    came_through = 0
    for _ in range(count):
        content = changed(whole, rng)
        try:
            path.write_bytes(seal(content))
        except EgoError:
            continue
        came_through += use(store, key) is not None
    assert came_through < count  # a change of `about` alone harms no one


def test_a_mutated_zarr_json_is_found(entry):
    store, key, path = entry
    rng = random.Random(3)
    for name in ("zarr.json", "feature/zarr.json", "time/zarr.json"):
        file = path.parent / name
        whole = file.read_bytes()
        for _ in range(100):
            data = rng.choice(
                (lambda d: scrambled(d, rng), lambda d: json.dumps(changed(json.loads(d), rng)).encode())
            )(whole)
            if data == whole:
                continue
            file.write_bytes(data)
            with pytest.raises(BrokenEntry, match=name):
                store.read(key)
        file.write_bytes(whole)
    assert len(store.read(key)) == 7


def test_a_marker_comes_back_as_it_was(entry):
    _, key, path = entry
    marker = Marker.parse(path.read_bytes())
    assert marker.seal() == path.read_bytes()
    assert marker.key == key
    assert marker.arrays == ARRAYS
    assert marker.nbytes == sum(one.stat().st_size for one in path.parent.rglob("*") if one.is_file() and one != path)
    assert set(marker.files) == {
        str(one.relative_to(path.parent)) for one in path.parent.rglob("*") if one.is_file() and one != path
    }


def test_another_format_is_said(entry):
    store, key, path = entry
    content = unseal(path.read_bytes())
    path.write_bytes(seal({**content, "format": 2}))
    with pytest.raises(BrokenEntry, match="format 2"):
        FeatureStore(store.place).read(key)
