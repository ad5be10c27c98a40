"""Sound in the pass: on the video's own clock, beside pictures or alone, and never invented."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.extractors._base import Extractor
from ego.extractors.log_mel import LogMel
from ego.extractors.mean_rgb import MeanRgb
from ego.extractors.sound import Waveform
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Video

RATE = 16_000
Make = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "store", create=True)


def seen(path: Path) -> Video:
    with Decoder() as decoder:
        (found,) = scan([path], decoder)
    assert isinstance(found, Video)
    return found


def run(store: FeatureStore, videos: list[Video], extractors: list[Extractor]) -> dict[str, Outcome]:
    done = extract(work(videos, extractors, store), store, {})
    return {one.video.name: one for one in done if isinstance(one, Outcome)}


def clicks(seconds: float, times: list[float]) -> tuple[np.ndarray, int]:
    sound = np.zeros(round(seconds * RATE), np.float32)
    for time in times:
        sound[round(time * RATE)] = 0.9
    return sound, RATE


def wave(**window: object) -> Waveform:
    return Waveform(window=Window(**{"frames": 5, "stride": 5, "fps": 10.0} | window))  # type: ignore[arg-type]


def test_a_row_of_sound_is_what_is_heard_while_its_pictures_are_shown(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    path = readable_video(tmp_path / "a.mkv", frames=45, fps=15, sound=clicks(3.0, [0.25, 1.75, 2.9]))
    video = seen(path)
    (outcome,) = run(store, [video], [wave(), MeanRgb(Window(frames=5, stride=5, fps=10.0))]).values()
    assert outcome.error is None
    heard = store.read(entry_key(video, wave(), {}))
    assert heard["feature"].shape == (6, 8000)
    assert np.array_equal(heard.time, store.read(entry_key(video, MeanRgb(Window(5, 5, fps=10.0)), {})).time)
    loud = [int(np.abs(row).argmax()) for row in heard["feature"].astype(int)]
    assert loud[0] == pytest.approx(0.25 * RATE, abs=RATE // 500)
    assert loud[3] == pytest.approx(0.25 * RATE, abs=RATE // 500)
    assert loud[5] == pytest.approx(0.4 * RATE, abs=RATE // 500)
    assert outcome.about["heard"][str(RATE)]["packets"] > 10


def test_no_sound_is_an_absence_and_too_little_a_sentence(
    store: FeatureStore, readable_video: Make, tmp_path: Path
) -> None:
    silent = seen(readable_video(tmp_path / "silent.mkv", frames=31, fps=15))
    short = seen(readable_video(tmp_path / "short.mkv", frames=45, fps=15, sound=clicks(1.2, [0.1])))
    whole = seen(readable_video(tmp_path / "whole.mkv", frames=46, fps=15, sound=clicks(3.1, [0.1])))
    outcomes = run(store, [silent, short, whole], [wave(), LogMel(window=Window(10, 10, fps=10.0))])
    assert {name: one.state for name, one in outcomes.items()} == {
        "silent": "absent", "short": "failed", "whole": "stored",
    }  # fmt: skip
    assert store.read(entry_key(silent, wave(), {})).absent == "the video has no sound"
    said = outcomes["short"].error
    assert said is not None
    assert "s of sound for" in said
    assert "window.edge=drop" in said
    dropping = wave(edge="drop")
    run(store, [short], [dropping])
    assert len(store.read(entry_key(short, dropping, {}))) == 2, "only rows that have their sound"


def test_sound_follows_a_part_of_a_video(store: FeatureStore, readable_video: Make, tmp_path: Path) -> None:
    video = seen(readable_video(tmp_path / "a.mkv", frames=60, fps=15, sound=clicks(4.0, [2.25]))).cut(2.0, 3.0)
    run(store, [video], [wave()])
    heard = store.read(entry_key(video, wave(), {}))
    assert heard.time[0, 0] == pytest.approx(2.0, abs=1e-3)
    assert int(np.abs(heard["feature"][0].astype(int)).argmax()) == pytest.approx(0.25 * RATE, abs=RATE // 500)
