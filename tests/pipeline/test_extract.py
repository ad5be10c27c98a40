"""Extraction: the right frames at the right times, one decode, one outcome a video, nothing half done."""

import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, EgoError, NotExtracted
from ego.extractors._base import Extractor
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Advance, Job, Outcome, entry_key, refuse, shares, work
from ego.pipeline.scan import Failure, scan
from ego.sampling import Window
from ego.video import Reading, Timeline, Video

_spec = importlib.util.spec_from_file_location("numbered", Path(__file__).parent / "numbered.py")
assert _spec is not None
assert _spec.loader is not None
numbered = sys.modules["numbered"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(numbered)
Numbers, Walk = numbered.Numbers, numbered.Walk

Make = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store", create=True)


def seen(paths: list[Path]) -> list[Video]:
    with Decoder() as decoder:
        found = list(scan(paths, decoder))
    assert all(isinstance(one, Video) for one in found), found
    return found  # type: ignore[return-value]


def run(store: FeatureStore, videos: list[Video], extractors: list[Extractor], **how: object) -> list[Outcome]:
    readings = how.pop("readings", None)
    jobs = work(videos, extractors, store, readings)  # type: ignore[arg-type]
    events = list(extract(jobs, store, {}, **how))  # type: ignore[arg-type]
    return [event for event in events if isinstance(event, Outcome)]


WINDOWS = [Window(), Window(3, stride=2), Window(4, stride=4, fps=6.0), Window(2, interval=3, edge="drop")]


def test_every_row_holds_the_frames_its_window_says(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    lengths = {"a": (37, 15), "b": (5, 30), "c": (61, 15)}
    paths = [
        readable_video(tmp_path / f"{name}.mp4", frames=frames, fps=fps, size=(160, 120 + 16 * (name == "b")))
        for name, (frames, fps) in lengths.items()
    ]
    extractors = [Numbers(window) for window in WINDOWS] + [Walk()]
    outcomes = run(store, seen(paths), extractors, batch=4)
    assert sorted(one.video.name for one in outcomes) == ["a", "b", "c"]
    assert {one.state for one in outcomes} == {"stored"}
    for video in seen(paths):
        frames, fps = lengths[video.name]
        for window in WINDOWS:
            rows = window.rows(Timeline.regular(frames, fps))
            feature = store.read(entry_key(video, Numbers(window), {}))
            assert feature["feature"].tolist() == [list(map(float, row.frames)) for row in rows]
            assert feature["count"].tolist() == [window.frames] * len(rows)
            assert np.allclose(feature.time, [row.time for row in rows], atol=1e-4)
            assert feature.source[:, :2].tolist() == [[row.frames[0], row.frames[-1]] for row in rows]
        walked = store.read(entry_key(video, Walk(), {}))
        assert walked["feature"].dtype == np.int16
        assert (walked["feature"] * 0.5).tolist() == [[float(i), i - 1.0] for i in range(frames)]


def test_one_decode_serves_all_and_company_changes_nothing(
    store: FeatureStore, readable_video: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = seen([readable_video(tmp_path / f"{name}.mp4", frames=30 + name) for name in range(3)])
    decodes: list[str] = []
    frames = Decoder.frames
    monkeypatch.setattr(
        Decoder, "frames", lambda self, video, looks: decodes.append(video.name) or frames(self, video, looks)
    )
    together = [Numbers(Window(3), size=64), Numbers(Window(2, stride=3)), Walk()]
    run(store, videos, together)
    assert sorted(decodes) == ["0", "1", "2"]
    for extractor in together:
        alone = FeatureStore(tmp_path / f"alone-{extractor.digest[:8]}", create=True)
        run(alone, videos[:1], [extractor], batch=1, workers=1)
        key = entry_key(videos[0], extractor, {})
        assert np.array_equal(alone.read(key)["feature"], store.read(key)["feature"])
        assert np.array_equal(alone.read(key).time, store.read(key).time)


def test_what_is_stored_is_not_done_again(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4")])
    assert len(run(store, videos, [Numbers()])) == 1
    assert work(videos, [Numbers()], store) == []
    jobs = work(videos, [Numbers(), Numbers(Window(2)), Numbers(Window(2))], store)
    assert [job.extractors for job in jobs] == [(Numbers(Window(2)),)]
    copy = tmp_path / "copy under another name.mp4"
    copy.write_bytes((tmp_path / "a.mp4").read_bytes())
    assert work(seen([copy]), [Numbers()], store) == []


def test_a_bad_video_costs_itself_alone(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    paths = [
        readable_video(tmp_path / f"{name}.mp4", frames=40 + i) for i, name in enumerate(["good", "broken", "fine"])
    ]
    paths[1] = readable_video(tmp_path / "broken.mp4", frames=200, size=(320, 240))
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[: len(whole) // 4] + bytes(len(whole) // 2) + whole[len(whole) // 4 * 3 :])
    videos = seen(paths)
    outcomes = {one.video.name: one for one in run(store, videos, [Numbers(), Walk()], batch=8)}
    assert (outcomes["good"].state, outcomes["fine"].state) == ("stored", "stored")
    assert outcomes["broken"].state == "failed"
    assert "broken" in (outcomes["broken"].error or "")
    key = entry_key(videos[1], Numbers(), {})
    assert key not in store
    assert {note.error for note in store.failures().values()} == {outcomes["broken"].error}
    with pytest.raises(NotExtracted, match="failed"):
        store.key("broken", key.extractor)
    assert [job.video.name for job in work(videos, [Numbers()], store)] == ["broken"]


def test_success_removes_the_note_of_a_failure(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4")])
    store.note_failure(entry_key(videos[0], Numbers(), {}), "a", "the disk was away")
    assert len(store.failures()) == 1
    assert [one.state for one in run(store, videos, [Numbers()])] == ["stored"]
    assert store.failures() == {}


def test_a_file_changed_after_it_was_hashed_is_not_stored_under_the_old_bytes(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4", frames=30)])
    readable_video(tmp_path / "a.mp4", frames=33)
    outcome = run(store, videos, [Numbers()])[0]
    assert outcome.state == "failed"
    assert "changed" in (outcome.error or "")
    assert entry_key(videos[0], Numbers(), {}) not in store
    assert [one.state for one in run(store, seen([tmp_path / "a.mp4"]), [Numbers()])] == ["stored"]


def test_a_value_that_is_not_finite_fails_its_video_only(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    videos = seen([readable_video(tmp_path / "short.mp4", frames=20), readable_video(tmp_path / "long.mp4", frames=50)])
    outcomes = {one.video.name: one for one in run(store, videos, [Numbers(fault=33)])}
    assert outcomes["short"].state == "stored"
    assert outcomes["long"].state == "failed"
    assert "finite" in (outcomes["long"].error or "")
    assert entry_key(videos[1], Numbers(fault=33), {}) not in store


def test_a_bug_stops_the_run_with_its_traceback_and_leaves_nothing_staged(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4", frames=150)])
    with pytest.raises(ZeroDivisionError, match="a bug in a tracker"):
        run(store, videos, [Walk(stop_at=20), Numbers()])
    assert_quiet(store)


def test_leaving_early_leaves_nothing_half_done(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    videos = seen([readable_video(tmp_path / f"{i}.mp4", frames=120) for i in range(3)])
    events = extract(work(videos, [Numbers(), Walk()], store), store, {}, batch=2)
    assert isinstance(next(events), Advance)
    events.close()  # type: ignore[attr-defined]
    assert_quiet(store)
    assert all(finding.ok for finding in store.verify())
    run(store, videos, [Numbers(), Walk()])
    assert {len(store.read(entry_key(video, Walk(), {}))) for video in videos} == {120}


def assert_quiet(store: FeatureStore) -> None:
    staging = Path(store.place) / "staging"
    assert not staging.exists() or list(staging.iterdir()) == []
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("ego-")]


def test_rows_on_the_spans_of_a_signal_and_their_absence(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    with_spans, without = videos = seen([readable_video(tmp_path / f"{i}.mp4", frames=60 + i) for i in range(2)])
    spans = np.array([[2.0, 3.0], [0.0, 1.0]])
    readings = {with_spans.digest: {"segments": Reading("segments", spans)}}
    extractor = Numbers(Window(2, at="segments"))
    outcomes = {one.video.name: one for one in run(store, videos, [extractor], readings=readings)}
    assert (outcomes["0"].state, outcomes["1"].state) == ("stored", "absent")
    feature = store.read(entry_key(with_spans, extractor, readings[with_spans.digest]))
    assert feature["feature"].tolist() == [[3, 11], [33, 41]]
    assert feature.time[:, [0, 2]].tolist() == [[0, 1], [2, 3]]
    nothing = store.read(entry_key(without, extractor, {}))
    assert nothing["feature"].shape == (0, 2)
    assert "segments" in (nothing.absent or "")
    assert work(videos, [extractor], store, readings) == []
    shifted = {with_spans.digest: {"segments": Reading("segments", spans + 0.1)}}
    assert len(work(videos, [extractor], store, shifted)) == 1


def test_a_video_shorter_than_a_whole_window_is_absent_not_empty(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4", frames=5)])
    extractor = Numbers(Window(8, edge="drop"))
    assert [one.state for one in run(store, videos, [extractor])] == ["absent"]
    assert "shorter" in (store.read(entry_key(videos[0], extractor, {})).absent or "")


def test_a_part_keeps_the_videos_own_clock(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    part = seen([readable_video(tmp_path / "a.mp4", frames=90)])[0].cut(2.0, 4.0)
    assert [one.state for one in run(store, [part], [Numbers()])] == ["stored"]
    feature = store.read(store.key("a@2-4", entry_key(part, Numbers(), {}).extractor))
    assert feature["feature"][:, 0].tolist() == list(range(30, 60))
    assert feature.time[0, 0] == pytest.approx(2.0)
    assert feature.time[-1, 2] == pytest.approx(4.0)


def test_several_processes_do_the_same(
    store: FeatureStore, readable_video: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ego.spec import make

    monkeypatch.setattr("ego.pipeline.extract.SHARE_SECONDS", 1.0)
    videos = seen([readable_video(tmp_path / f"{i}.mp4", frames=20 + i) for i in range(4)])
    extractor = make("extractors", "mean_rgb", {})
    outcomes = run(store, videos, [extractor], jobs_at_once=2)  # type: ignore[list-item]
    assert {one.state for one in outcomes} == {"stored"}
    alone = FeatureStore(tmp_path / "alone", create=True)
    run(alone, videos, [extractor])  # type: ignore[list-item]
    for video in videos:
        key = entry_key(video, extractor, {})  # type: ignore[arg-type]
        assert np.array_equal(store.read(key)["feature"], alone.read(key)["feature"])


def test_shares_hold_one_long_video_or_some_short_ones() -> None:
    jobs = [
        Job(Video(f"{i:064d}", str(i), "", None, (0.0, seconds)), (), {})
        for i, seconds in enumerate([900, 200, 90, 5, 5])
    ]
    assert [[job.seconds for job in share] for share in shares(jobs, 300)] == [[900], [200, 90, 5, 5]]


def test_an_unreadable_path_is_noted_where_its_bytes_are_known(store: FeatureStore) -> None:
    outcome = refuse(Failure("/x/a.mp4", "a", "it is noise", "ab" * 32), [Numbers(), Walk()], store)
    assert (outcome.state, outcome.error) == ("failed", "it is noise")
    assert {note.video for note in store.failures().values()} == {"a"}
    assert len(store.failures()) == 2
    assert refuse(Failure("/x/b.mp4", "b", "it is not there"), [Numbers()], store).state == "failed"
    assert len(store.failures()) == 2


def test_a_full_disk_is_one_sentence(
    store: FeatureStore, readable_video: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4")])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ego.cache.writer.Writer.publish", full)
    with pytest.raises(EgoError, match="No space left") as caught:
        run(store, videos, [Numbers()])
    assert not isinstance(caught.value, BadRequest)
    assert_quiet(store)


def test_a_device_that_is_not_there_is_refused(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    videos = seen([readable_video(tmp_path / "a.mp4")])
    with pytest.raises(BadRequest, match="expected auto"):
        run(store, videos, [Numbers()], device="quantum")
    with pytest.raises(BadRequest, match="no extractor"):
        work(videos, [], store)
