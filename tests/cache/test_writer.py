"""A writer publishes a whole entry once, or says what is wrong and leaves nothing."""

import os
import threading

import numpy as np
import pytest

from ego.errors import BadRequest, BadVideo
from ego.video import Picture


def test_the_second_writer_keeps_the_first_entry(store, make):
    first, second = make.block(make.arrays, 4, seed=1), make.block(make.arrays, 4, seed=2)
    assert store.write(make.key(), make.arrays, [first], {}) == "stored"
    before = make.tree(store.place / make.key().path)
    assert store.write(make.key(), make.arrays, [second], {}) == "exists"
    assert make.tree(store.place / make.key().path) == before
    assert os.listdir(store.place / "staging") == []


@pytest.mark.parametrize("file", ["marker.json", "feature/c/0/0", "zarr.json", "source/zarr.json"])
def test_a_broken_entry_is_set_aside_by_the_next_writer(store, make, file):
    block = make.block(make.arrays, 4)
    store.write(make.key(), make.arrays, [block], {})
    (store.place / make.key().path / file).unlink()
    assert store.write(make.key(), make.arrays, [block], {}) == "stored"
    make.same(store.read(make.key()), block)
    aside = list((store.place / "quarantine" / make.key().group).iterdir())
    assert len(aside) == 1
    assert aside[0].name.startswith(make.key().entry)


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
        make.same(store.read(make.key(video)), make.block(make.arrays, 50, seed=video))
