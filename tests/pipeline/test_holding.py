"""Extractors that hold others: one decode, each held row computed once, the same rows stored or live."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.passes import passes
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Reading, Video

_spec = importlib.util.spec_from_file_location("holding", Path(__file__).parent / "holding.py")
assert _spec is not None
assert _spec.loader is not None
holding = sys.modules["holding"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(holding)
Steps, Beneath, Stack, Follow, Late = (getattr(holding, n) for n in ("Steps", "Beneath", "Stack", "Follow", "Late"))
Afterwards, Pictured, Taps, Broken = (getattr(holding, n) for n in ("Afterwards", "Pictured", "Taps", "Broken"))

FRAMES = 90


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store", create=True)


@pytest.fixture
def video(readable_video: Callable[..., Path], tmp_path: Path) -> Video:
    return seen(readable_video(tmp_path / "a.mp4", frames=FRAMES, fps=15, size=(160, 120)))


@pytest.fixture(autouse=True)
def fresh() -> None:
    holding.COUNTED.clear()


def seen(path: Path) -> Video:
    with Decoder() as decoder:
        (found,) = scan([path], decoder)
    assert isinstance(found, Video)
    return found


def run(store: FeatureStore, videos: list[Video], extractors: list[Extractor], **how: object) -> list[Outcome]:
    readings = how.pop("readings", None)
    jobs = work(videos, extractors, store, readings)  # type: ignore[arg-type]
    return [one for one in extract(jobs, store, {}, **how) if isinstance(one, Outcome)]  # type: ignore[arg-type]


def read(store: FeatureStore, video: Video, extractor: Extractor, array: str = "feature") -> np.ndarray:
    return store.read(entry_key(video, extractor, {}))[array]


def expected(extractor: Extractor) -> np.ndarray:
    frames = np.arange(FRAMES)
    if isinstance(extractor, Beneath):
        return np.stack([frames[:-1], frames[1:]] * 2, axis=1).astype(np.float32)
    if isinstance(extractor, Follow):
        return np.concatenate([[[-1, -1]], np.stack([frames[:-1], frames[1:]], axis=1)]).astype(np.float32)
    window = extractor.window
    rows = [
        np.minimum(np.arange(start, start + window.frames), FRAMES - 2) for start in range(0, FRAMES, window.stride)
    ]
    return np.array(rows[: window.count(FRAMES)], np.float32)


@pytest.mark.parametrize("batch", [1, 7, None])
def test_each_row_is_shown_what_belongs_to_it(store: FeatureStore, video: Video, batch: int | None) -> None:
    riders = [Beneath(), Stack(), Follow(), Stack(Window(frames=2, stride=2, edge="drop"))]
    (outcome,) = run(store, [video], riders, batch=batch)
    assert outcome.error is None
    for rider in riders:
        assert np.array_equal(read(store, video, rider), expected(rider)), rider
    assert holding.COUNTED[Steps().digest] == FRAMES - 1, "the steps are computed once for all who hold them"
    assert entry_key(video, Steps(), {}) not in store, "nobody named them"


def test_what_is_stored_is_read_and_gives_the_same_rows(store: FeatureStore, video: Video) -> None:
    run(store, [video], [Steps()])
    computed = holding.COUNTED[Steps().digest]
    riders = [Beneath(), Stack(), Follow()]
    run(store, [video], riders)
    assert holding.COUNTED[Steps().digest] == computed == FRAMES - 1
    for rider in riders:
        assert np.array_equal(read(store, video, rider), expected(rider))
    steps = read(store, video, Steps())
    assert steps.shape == (FRAMES - 1, 2, 96, 128)
    assert steps.dtype == np.float16


def test_named_together_both_are_kept_and_computed_once(store: FeatureStore, video: Video) -> None:
    (outcome,) = run(store, [video], [Beneath(), Steps()])
    assert set(outcome.rows.values()) == {FRAMES - 1}
    assert holding.COUNTED[Steps().digest] == FRAMES - 1
    assert entry_key(video, Steps(), {}) in store


def test_a_chain_of_three(store: FeatureStore, video: Video) -> None:
    deep = Stack(Window(frames=2, stride=5, edge="drop"), held=Beneath())
    run(store, [video], [deep])
    rows = read(store, video, deep)
    assert rows[:, 0].tolist() == list(range(0, FRAMES - 1, 5))
    assert {Steps().digest: FRAMES - 1, Beneath().digest: FRAMES - 1} == holding.COUNTED


def test_many_short_videos_share_batches(
    store: FeatureStore, readable_video: Callable[..., Path], tmp_path: Path
) -> None:
    videos = [
        seen(readable_video(tmp_path / f"{n}.mp4", frames=5 + n, fps=15, size=(160, 120 + 16 * (n % 2))))
        for n in range(9)
    ]
    outcomes = run(store, videos, [Beneath(), Follow(), Late()], batch=16)
    assert sorted(one.video.name for one in outcomes) == [str(n) for n in range(9)]
    for n, one in enumerate(videos):
        assert read(store, one, Beneath())[:, 0].tolist() == list(range(4 + n))
        assert read(store, one, Follow())[1:, 1].tolist() == list(range(1, 5 + n))


def test_who_speaks_late_is_heard_at_the_end_in_one_pass_or_two(store: FeatureStore, video: Video) -> None:
    (job,) = work([video], [Afterwards(), Pictured()], store)
    first, second = passes(job)
    assert [type(one).__name__ for one in (*first.riding, *second.riding)] == ["Late", "Afterwards", "Pictured"]
    assert first.lent == (Late(),)
    (outcome,) = run(store, [video], [Afterwards(), Pictured()])
    assert outcome.error is None
    numbers = np.arange(FRAMES, dtype=np.float32)
    assert np.allclose(read(store, video, Afterwards()), 2 * (numbers - numbers.mean()))
    assert np.allclose(read(store, video, Pictured()), np.stack([numbers, numbers - numbers.mean()], axis=1))
    assert holding.COUNTED[Late().digest] == FRAMES
    assert entry_key(video, Late(), {}) not in store
    assert set(outcome.rows) == {Afterwards().name, Pictured().name}


def test_no_picture_is_needed_and_a_missing_signal_is_said(store: FeatureStore, video: Video) -> None:
    (outcome,) = run(store, [video], [Taps()])
    assert outcome.state == "absent"
    assert store.read(entry_key(video, Taps(), {})).absent == "the video has no taps"
    assert outcome.about.get("decoded") is None, "nothing was decoded for it"
    taps = Reading("taps", np.array([[0.01, 0.01], [0.02, 0.02], [0.5, 0.5]]))
    beside = {video.digest: {"taps": taps}}
    run(store, [video], [Taps()], readings=beside)
    feature = store.read(entry_key(video, Taps(), {"taps": taps}))
    assert feature["feature"].sum() == 3
    assert feature["feature"][0] == 2
    assert feature["size"][0].tolist() == [160, 120]


def test_what_is_held_and_absent_makes_its_holder_absent(store: FeatureStore, video: Video) -> None:
    one = Stack(Window(frames=2), held=Taps())
    (outcome,) = run(store, [video], [one])
    assert outcome.state == "absent"
    assert store.read(entry_key(video, one, {})).absent == "the video has no taps"


def test_a_held_tracker_that_fails_fails_its_video_only(
    store: FeatureStore, video: Video, readable_video: Callable[..., Path], tmp_path: Path
) -> None:
    other = seen(readable_video(tmp_path / "b.mp4", frames=40, fps=15, size=(160, 120)))
    jobs = [*work([video], [Stack(Window(3), held=Broken())], store), *work([other], [Beneath()], store)]
    outcomes = [one for one in extract(jobs, store, {}) if isinstance(one, Outcome)]
    assert {one.video.name: one.state for one in outcomes} == {"a": "failed", "b": "stored"}
    assert next(one for one in outcomes if one.error).error == "the tracker cannot go on"


def test_a_damaged_held_entry_fails_its_video_with_a_sentence(store: FeatureStore, video: Video) -> None:
    run(store, [video], [Steps()])
    folder = Path(store.places[0]) / entry_key(video, Steps(), {}).path
    shard = next(path for path in folder.glob("feature/c/**/*") if path.is_file())
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    (outcome,) = run(store, [video], [Beneath()])
    assert outcome.state == "failed"
    assert outcome.error is not None
    assert "cannot be read" in outcome.error
    assert entry_key(video, Beneath(), {}) not in store


def test_stopping_early_ends_every_thread(store: FeatureStore, video: Video) -> None:
    import threading

    before = threading.active_count()
    events = extract(work([video], [Beneath(), Follow(), Afterwards()], store), store, {}, batch=1)
    next(events)
    events.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name.startswith("ego-"):
            thread.join(5)
    assert threading.active_count() <= before
    assert list(store) == []


def test_what_a_pass_cannot_give_is_a_bad_request(store: FeatureStore, video: Video) -> None:
    with pytest.raises(BadRequest, match="it follows one frame at a time"):
        work([video], [Follow(Window(2))], store)
    with pytest.raises(BadRequest, match="two windows"):
        work([video], [Follow(held=Stack())], store)
