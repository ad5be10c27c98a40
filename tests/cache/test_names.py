"""Names mean one thing or are refused, round-trip whatever they hold, and never become a path."""

import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted

ODD = [
    "plain",
    "two words",
    "Füße 手 🎥",
    "..",
    "../../outside",
    "/etc/passwd",
    "line\nbreak\ttab",
    "a" * 255,
    'quote " \\ back',
    "nul-free \x01 control",
    "not-utf8-\udc80\udcff",
    "-rf",
    "con",
    "name-0000000000000001",
    "",
]


def test_odd_names_round_trip_and_nothing_is_written_outside(fast_path, make):
    outside = make.tree(fast_path)
    store = FeatureStore(fast_path / "a" / "store", create=True)
    for number, name in enumerate(ODD):
        key = make.key(number + 1)
        store.remember_video(key.video, name=name, size=1, mtime_ns=2, facts={"codec": "h264"})
        store.write(key, make.arrays, [make.block(make.arrays, 3, seed=number)], {"video": {"name": name}})
        failed = make.key(number + 1, extractor=2, name=name or "x")
        store.note_failure(failed, name, f"no good: {name}")
    again = FeatureStore(fast_path / "a" / "store")
    assert again.videos() == sorted(ODD)
    for number, name in enumerate(ODD):
        key = again.key(name, "mean_rgb")
        assert key == make.key(number + 1)
        make.same(again.read(key), make.block(make.arrays, 3, seed=number))
        assert again.marker(key).video_name == name
        assert again.video_notes()[key.video].name == name
    assert {one.video for one in again.failures().values()} == set(ODD)
    written = {path for path in make.tree(fast_path) if not path.startswith("a/store/")}
    assert written == set(outside)
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+/")
    assert all(set(path) <= allowed for path in make.tree(store.place))
    assert all(finding.ok for finding in again.verify())


def test_digests_that_are_paths_are_refused(store, make):
    from dataclasses import replace

    for bad in (
        replace(make.key(), video="../../../../tmp/evil" + "0" * 44),
        replace(make.key(), video="ABC" + "0" * 61),
        replace(make.key(), extractor=""),
        replace(make.key(), name=""),
        replace(make.key(), signals=("..",)),
    ):
        for deed in (
            lambda key: store.write(key, make.arrays, [], {}),
            lambda key: store.note_failure(key, "a", "b"),
        ):
            with pytest.raises(BadRequest):
                deed(bad)
    with pytest.raises(BadRequest):
        store.remember_video("../../x", name="a", size=1, mtime_ns=1, facts={})
    for path in ("../x", "notes/../../x.json", "/etc/passwd", "staging/x", "mean_rgb-0000000000000001/../../x"):
        with pytest.raises(BadRequest):
            store.read(path)
        with pytest.raises(BadRequest):
            store.remove(path)
    assert set(make.tree(store.place)) == {"ego-store.json"}


def test_names_and_digests_mean_one_entry_or_are_refused(store, make):
    def put(video, extractor, name, **more):
        store.write(make.key(video, extractor, name, **more), make.arrays, [make.block(make.arrays, 2)], {})

    for video, name in ((0x1111111100000001, "cheese"), (0x1111111100000002, "tea"), (0x2222222200000000, "tea")):
        store.remember_video(make.key(video).video, name=name, size=1, mtime_ns=1, facts={})
    put(0x1111111100000001, 0xAAAA000000000001, "mean_rgb")
    put(0x1111111100000002, 0xAAAA000000000001, "mean_rgb")
    put(0x1111111100000001, 0xBBBB000000000002, "resnet")
    put(0x1111111100000001, 0xCCCC000000000003, "resnet")
    cheese = make.key(0x1111111100000001, 0xAAAA000000000001)
    assert store.key("cheese", "mean_rgb") == cheese
    assert store.key(cheese.video, cheese.extractor) == cheese
    assert store.key("1111111100000001", "aaaa0000") == cheese
    assert store.key("cheese", "resnet-cccc000000000003").extractor.startswith("cccc")
    assert store.videos() == ["cheese", "tea-1111111100000002"]  # the other tea has no entry, yet it is one
    assert store.extractors() == ["mean_rgb", "resnet-bbbb000000000002", "resnet-cccc000000000003"]
    with pytest.raises(BadRequest, match=r"resnet-bbbb.*resnet-cccc"):
        store.key("cheese", "resnet")
    with pytest.raises(BadRequest, match=r"tea-1111111100000002, tea-2222222200000000"):
        store.key("tea", "mean_rgb")
    assert store.key("tea-1111111100000002", "mean_rgb").video.startswith("1111111100000002")
    with pytest.raises(BadRequest, match="several entries"):
        store.key("11111111", "mean_rgb")
    with pytest.raises(NotExtracted, match="'cheese'"):
        store.key("chese", "mean_rgb")
    with pytest.raises(NotExtracted, match="mean_rgb"):
        store.key("cheese", "mean_rbg")
    with pytest.raises(NotExtracted, match="ego extract"):
        store.key("tea-1111111100000002", "bbbb0000")
    store.note_failure(make.key(0x1111111100000002, 0xBBBB000000000002, "resnet"), "tea", "the codec is unknown")
    with pytest.raises(NotExtracted, match="codec is unknown"):
        store.key("tea-1111111100000002", "bbbb0000")
    put(0x1111111100000001, 0xAAAA000000000001, "mean_rgb", signals=("d" * 64,))
    with pytest.raises(BadRequest, match=r"\+"):
        FeatureStore(store.place).key("cheese", "mean_rgb")
    put(0x2222222200000000, 0xAAAA000000000001, "mean_rgb")
    assert store.videos() == ["cheese", "tea-1111111100000002", "tea-2222222200000000"]


def test_the_same_bytes_may_have_several_names(store, make):
    key = make.key()
    for name, size, mtime in (("a", 10, 1), ("b", 10, 2), ("a", 10, 3)):
        store.remember_video(key.video, name=name, size=size, mtime_ns=mtime, facts={"width": 4})
    note = store.video_notes()[key.video]
    assert note.names == ("a", "b")
    assert set(note.files) == {("a", 10, 3), ("b", 10, 2)}
    store.write(key, make.arrays, [make.block(make.arrays, 2)], {})
    assert store.key("a", "mean_rgb") == store.key("b", "mean_rgb") == key
    assert store.videos() == ["a"]
