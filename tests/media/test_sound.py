"""Sound is where the container's clock says it is: clicks at known seconds come back at these very samples."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from readable import readable_video
from sounding import RATE, clicks, header, mux, peaks, video

from ego.errors import BadVideo
from ego.media.decode import Decoder
from ego.media.sound import SoundDecoder
from ego.media.watch import resident_bytes


@pytest.fixture(scope="module")
def ears() -> Iterator[SoundDecoder]:
    with SoundDecoder(stall_seconds=20) as decoder:
        yield decoder


@pytest.mark.parametrize(
    ("name", "codec", "rate", "off"),
    [
        ("a.mp4", "libx264", 44_100, 0),
        ("a.mp4", "libx264", 48_000, 0),
        ("a.mov", "libx264", 16_000, 0),
        ("a.mkv", "libx264", 48_000, 8),  # its clock counts milliseconds: at most half of one
        ("a.webm", "libvpx-vp9", 48_000, 8),
    ],
)
def test_clicks_come_back_at_their_sample(
    name: str, codec: str, rate: int, off: int, tmp_path: Path, ears: SoundDecoder
) -> None:
    times = [0.25, 1.0, 2.5, 3.7]
    path = readable_video(tmp_path / name, codec=codec, sound=(clicks(4, rate, times), rate))
    with ears.open(video(path), RATE) as reader:
        row = reader.take(0.0, 4 * RATE)
    assert row is not None
    assert row.dtype == np.float32
    assert max(map(abs, peaks(row, 0.0, times))) <= off
    assert np.abs(row).max() <= 1


def test_channels_are_averaged(tmp_path: Path, ears: SoundDecoder) -> None:
    left = clicks(4, RATE, [1.0, 2.0])
    right = clicks(4, RATE, [1.0])
    path = readable_video(tmp_path / "a.mkv", sound=(np.stack([left, right], 1), RATE), options={})
    with ears.open(video(path), RATE) as reader:
        row = reader.take(0.0, 4 * RATE)
    assert row is not None
    assert row[RATE - 30 : RATE + 30].max() == pytest.approx(1.0, abs=0.08)
    assert row[2 * RATE - 30 : 2 * RATE + 30].max() == pytest.approx(0.5, abs=0.08)


def test_a_clock_that_starts_late_and_sound_after_the_pictures(tmp_path: Path, ears: SoundDecoder) -> None:
    path = mux(tmp_path / "a.mkv", [(8.75, clicks(1.25, 48_000, [0.5]))], picture_start=8.25)
    with ears.open(video(path), RATE) as reader:
        row = reader.take(8.25, 2 * RATE)
        heard = reader.finish()
    assert row is not None
    assert peaks(row, 8.25, [9.25]) == [0]
    assert not row[: RATE // 2 - 20].any()
    assert heard.starts_at == 8.75


def test_rows_do_not_depend_on_what_was_taken_before(tmp_path: Path, ears: SoundDecoder) -> None:
    path = readable_video(tmp_path / "a.mp4", sound=(np.sin(np.arange(44_100 * 4) / 9).astype(np.float32), 44_100))
    with ears.open(video(path), RATE) as reader:
        whole = reader.take(0.0, 4 * RATE)
    assert whole is not None
    with ears.open(video(path), RATE) as reader:
        for start in np.arange(0, 3.5, 0.21):
            row = reader.take(start, RATE // 2)
            assert np.array_equal(row, whole[round(start * RATE) : round(start * RATE) + RATE // 2])


def test_a_gap_is_silence_and_an_overlap_is_cut(tmp_path: Path, ears: SoundDecoder) -> None:
    gap = [(0.0, clicks(0.5, 48_000, [0.25])), (1.25, clicks(0.75, 48_000, [0.25]))]
    with ears.open(video(mux(tmp_path / "gap.mkv", gap)), RATE) as reader:
        row = reader.take(0.0, 2 * RATE)
    assert row is not None
    assert peaks(row, 0.0, [0.25, 1.5]) == [0, 0]
    assert not row[round(0.51 * RATE) : round(1.24 * RATE)].any()
    overlap = [(0.0, clicks(1.0, 48_000, [0.25])), (0.9, clicks(1.1, 48_000, [0.5]))]
    with ears.open(video(mux(tmp_path / "overlap.mkv", overlap, packet=48_000)), RATE) as reader:
        row = reader.take(0.0, 2 * RATE)
    assert row is not None
    assert peaks(row, 0.0, [0.25, 1.4]) == [0, 0]


def test_a_clock_that_drifts_is_followed(tmp_path: Path, ears: SoundDecoder) -> None:
    """The recorder's clock is 2 % slow: each packet of 20 ms is stamped 0.4 ms later than its samples count."""
    times = [round(0.02 * 50 * k, 3) for k in range(1, 9)]
    sound = clicks(10, 48_000, times)
    pieces = [(first / 48_000 * 1.02, sound[first : first + 960]) for first in range(0, len(sound), 960)]
    with ears.open(video(mux(tmp_path / "a.mkv", pieces)), RATE) as reader:
        row = reader.take(0.0, 10 * RATE)
        assert row is not None
        stamped = [time * 1.02 for time in times]
        assert max(map(abs, peaks(row, 0.0, stamped))) <= 0.025 * RATE
        assert reader.take(10.0, RATE // 8) is not None
        assert reader.finish().ends_at is None


def test_jitter_of_timestamps_moves_nothing(tmp_path: Path, ears: SoundDecoder) -> None:
    random = np.random.default_rng(0)
    sound = np.sin(np.arange(96_000) / 20).astype(np.float32)
    pieces = [
        (first / 48_000 + random.uniform(0, 0.004), sound[first : first + 960]) for first in range(0, 96_000, 960)
    ]
    pieces[0] = (0.002, sound[:960])
    with ears.open(video(mux(tmp_path / "a.mkv", pieces)), 48_000) as reader:
        row = reader.take(0.002, 95_000)
    assert row is not None
    assert np.abs(row - sound[:95_000]).max() < 1e-3


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_a_part_is_on_the_clock_of_the_whole(name: str, tmp_path: Path, ears: SoundDecoder) -> None:
    times = [5.5, 20.25, 33.0]
    path = readable_video(tmp_path / name, frames=600, sound=(clicks(40, 44_100, times), 44_100))
    with Decoder("pyav") as decoder:
        start = decoder.probe(str(path)).start_seconds
    with ears.open(video(path), RATE) as reader:
        whole = reader.take(start + 18.0, 5 * RATE)
    with ears.open(video(path, (start + 19.0, start + 22.0)), RATE) as reader:
        part = reader.take(start + 18.0, 5 * RATE)
        assert name == "a.ts" or reader.finish().packets < 450  # not read from the start nor to the end
        assert reader.ends_at is None
    assert whole is not None
    assert part is not None
    assert abs(peaks(part, 18.0, [20.25])[0]) <= {"a.mp4": 0, "a.mkv": 8, "a.ts": 400}[name]
    if name != "a.mkv":  # whose stamps are rounded to milliseconds: from another packet on, another fraction
        assert np.abs(part[RATE // 10 : -RATE // 10] - whole[RATE // 10 : -RATE // 10]).max() < 1e-3


def test_sound_that_ends_too_early_is_told_not_filled(tmp_path: Path, ears: SoundDecoder) -> None:
    path = readable_video(tmp_path / "a.mp4", sound=(clicks(2.5, RATE, [1.0]), RATE))
    film = video(path, header=header(4.0))
    with ears.open(film, RATE) as reader:
        assert reader.take(2.0, RATE, 2.9) is not None  # less than half a second is missing: silence
        ends_at = reader.ends_at
        assert ends_at == pytest.approx(2.5, abs=0.07)
        with pytest.raises(BadVideo, match=r"'a.mp4' has 2\.\d\d s of sound for 4.00 s of pictures.*window.edge=drop"):
            reader.take(3.0, RATE)
    with ears.open(film, RATE) as reader:
        assert reader.take(1.0, RATE, edge="drop") is not None
        assert reader.take(2.0, RATE, edge="drop") is None


def test_a_row_padded_past_the_pictures_asks_for_no_sound_there(tmp_path: Path, ears: SoundDecoder) -> None:
    path = readable_video(tmp_path / "a.mp4", sound=(clicks(4, RATE, [3.5]), RATE))
    with ears.open(video(path), RATE) as reader:
        row = reader.take(3.0, 4 * RATE, 4.0)
    assert row is not None
    assert peaks(row, 3.0, [3.5]) == [0]
    assert not row[round(1.1 * RATE) :].any()


def test_without_a_sound_track_there_is_nothing_to_open(tmp_path: Path, ears: SoundDecoder) -> None:
    path = readable_video(tmp_path / "a.mp4")
    with pytest.raises(BadVideo, match=r"'a.mp4' has no sound track"):
        ears.open(video(path, header=header(4.0, has_sound=False)), RATE)
    with ears.open(video(path), RATE) as reader, pytest.raises(BadVideo, match=r"'a.mp4' has no sound track"):
        reader.take(0.0, RATE)
    with (
        pytest.raises(BadVideo, match="is not a video that FFmpeg can open"),
        ears.open(video(junk(tmp_path)), RATE) as r,
    ):
        r.take(0.0, RATE)


def junk(folder: Path) -> Path:
    path = folder / "junk.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    return path


def test_going_back_further_than_what_is_held_gives_the_same_samples(tmp_path: Path, ears: SoundDecoder) -> None:
    """Two who hear windows of other lengths take turns: the longer one asks for what the shorter one is done with."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 40 * RATE).astype(np.float32)
    path = readable_video(tmp_path / "a.mkv", frames=600, sound=(noise, RATE))
    with ears.open(video(path), RATE) as reader:
        whole = reader.take(0.0, 40 * RATE)
    assert whole is not None
    began = 0
    with ears.open(video(path), RATE, keep_seconds=2.0) as reader:
        begin = reader._begin_again

        def counting(first: int, count: int) -> None:
            nonlocal began
            began += 1
            begin(first, count)

        reader._begin_again = counting  # type: ignore[method-assign]
        for second in range(20, 38):
            for start, count in ((second, RATE), (second - 20, 20 * RATE)):
                row = reader.take(float(start), count)
                assert np.array_equal(row, whole[start * RATE : start * RATE + count])
        assert reader.take(60.0, RATE, 40.0) is not None
        assert np.array_equal(reader.take(30.0, RATE), whole[30 * RATE : 31 * RATE])
    assert began == 1
    with pytest.raises(RuntimeError, match="has been closed"):
        reader.take(0.0, RATE)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_dies_or_hangs_costs_one_video(blow: signal.Signals, tmp_path: Path) -> None:
    path = readable_video(tmp_path / "a.mp4", frames=900, sound=(clicks(60, 44_100, [1.0, 50.0]), 44_100))
    with SoundDecoder(stall_seconds=1.0) as decoder:
        with decoder.open(video(path), RATE) as reader:
            reader.take(0.0, RATE)
            os.kill(decoder._child.pid, blow)
            with pytest.raises(BadVideo, match=r"the sound of 'a.mp4' cannot be decoded: the decoding program"):
                reader.take(50.0, RATE)
        with decoder.open(video(path), RATE) as reader:
            row = reader.take(49.0, 2 * RATE)
            assert row is not None
            assert peaks(row, 49.0, [50.0]) == [0]


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    held = []
    for minutes in (2, 12):
        samples = np.random.default_rng(0).uniform(-0.5, 0.5, minutes * 60 * 16_000).astype(np.float32)
        path = mux(tmp_path / f"{minutes}.mkv", [(0.0, samples)], rate=16_000)
        with SoundDecoder() as decoder, decoder.open(video(path), RATE, keep_seconds=10.0) as reader:
            for start in range(0, minutes * 60 - 10, 5):
                assert reader.take(float(start), 5 * RATE) is not None
            assert sum(len(samples) for _, samples in reader._held) < 22 * RATE
            held.append(resident_bytes(decoder._child.pid))
    assert held[1] < held[0] + (8 << 20)


def test_real_sound_covers_its_video(shared_data: Path, ears: SoundDecoder) -> None:
    found = 0
    with Decoder("pyav") as decoder:
        for path in sorted(shared_data.rglob("*.mp4")):
            try:
                facts = decoder.probe(str(path))
            except BadVideo:
                continue
            if not facts.has_sound or "nasty" in path.parts or facts.seconds_from_header < 1:
                continue
            with ears.open(video(path, header=facts), RATE) as reader:
                reader.take(facts.start_seconds, round(facts.seconds_from_header * RATE), edge="repeat")
                assert reader.finish().packets_corrupt == 0
            found += 1
    if not found:
        pytest.skip("no real video with sound in the test material")
