import json
import threading
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from asking import EVERY, NATIVE, video, watch
from readable import read_number, readable_video

from ego.errors import BadRequest, BadVideo
from ego.media.decode import Decoder, Look
from ego.sampling import Window
from ego.video import Picture

VARIABLE = np.concatenate([[0], np.cumsum(np.random.default_rng(1).integers(10, 120, 59))]).tolist()

MADE = {
    **{f"h264-gop{gop}.{kind}": {"gop": gop} for gop in (1, 12, 250) for kind in ("mp4", "mkv", "avi", "ts")},
    **{f"mpeg4-b{b}.{kind}": {"codec": "mpeg4", "b_frames": b} for b in (0, 2) for kind in ("mp4", "mkv", "avi", "ts")},
    **{f"hevc.{kind}": {"codec": "libx265", "gop": 250} for kind in ("mp4", "mkv", "ts")},
    **{f"vp9.{kind}": {"codec": "libvpx-vp9"} for kind in ("webm", "mkv", "mp4")},
    **{f"av1.{kind}": {"codec": "libsvtav1", "crf": 20, "options": {"preset": "8"}} for kind in ("webm", "mp4")},
    **{f"{rate}.{kind}": {"fps": rate} for rate in (23.976, 29.97, 59.94) for kind in ("mp4", "mkv", "avi", "ts")},
    **{f"variable.{kind}": {"pts": VARIABLE} for kind in ("mp4", "mkv", "ts")},
    "open-gop.mp4": {"options": {"x264-params": "open-gop=1"}, "gop": 10},
    "many-b.mkv": {"b_frames": 8, "gop": 250},
    "odd.webm": {"codec": "libvpx-vp9", "size": (161, 121)},
    "odd-444.mp4": {"pixel_format": "yuv444p", "size": (161, 121)},
    "tiny.mp4": {"size": (16, 16)},
    "full-range.mp4": {"pixel_format": "yuvj420p"},
    "ten-bit.mp4": {"pixel_format": "yuv420p10le"},
    "UPPER CASE ö\n.MP4": {},
    "sound.mp4": {"sound": (np.zeros(128_000, np.float32), 32_000)},
    "mpeg2.mpg": {"codec": "mpeg2video", "fps": 25},
    "mpeg2.ts": {"codec": "mpeg2video", "fps": 25},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readable")


@pytest.mark.parametrize("name", MADE)
def test_each_frame_is_the_right_one_at_its_time_in_both_decoders(
    name: str, folder: Path, pyav: Decoder, decord: Decoder
) -> None:
    path = readable_video(folder / name, **MADE[name])
    seen = watch(pyav, path)
    _check(name, seen, pyav)
    try:
        other = watch(decord, path)
    except BadVideo:
        return
    assert [(one.pts, one.stop_pts) for one in other] == [(one.pts, one.stop_pts) for one in seen]
    assert all((one.picture == same.picture).all() for one, same in zip(other, seen, strict=True))


def _check(name: str, seen: list, decoder: Decoder) -> None:
    assert [read_number(one.picture) for one in seen] == list(range(60))
    assert [one.index for one in seen] == list(range(60))
    assert all(one.stop_pts == then.pts for one, then in pairwise(seen))
    unit = float(decoder.decoded.time_base)
    slack = unit / 2 + 1e-9
    fps = MADE[name].get("fps", 15)
    exact = Fraction(round(fps * 1.001) * 1000, 1001) if isinstance(fps, float) else Fraction(fps)
    due = np.array(VARIABLE) / 1000 if "variable" in name else np.arange(60) / float(exact)
    assert np.abs(np.array([one.start for one in seen]) - seen[0].start - due).max() <= 2 * slack
    if not name.endswith((".ts", ".mpg")):
        assert seen[0].start == 0
    assert decoder.decoded.frames_decoded == 60
    assert decoder.decoded.frames_corrupt == 0
    assert (decoder.decoded.start_pts, decoder.decoded.stop_pts) == (seen[0].pts, seen[-1].stop_pts)
    assert seen[-1].stop > seen[-1].start


NASTY = {
    "dali/cfr.mov": (180, 0.0),
    "dali/cfr.mpeg": (180, 48000 / 90000),
    "decord/flipping_a_pancake.mkv": (310, 0.0),
    "mmaction2/demo_demo.mp4": (280, 0.0),
    "mmaction2/demo_demo_spatiotemporal_det.mp4": (57, 0.0),
    "mmaction2/tests_data_test.avi": (164, 0.0),
    "mmaction2/tests_data_test.mp4": (300, 0.0),
    "torchcodec/av1_video.mkv": (125, 0.0),
    "torchcodec/bt601_full_range.mp4": (60, 0.0),
    "torchcodec/bt709_full_range.mp4": (30, 0.0),
    "torchcodec/discard_first_keyframe.mp4": (25, 0.0),
    "torchcodec/h264_10bits.mp4": (30, 0.0),
    "torchcodec/h265_10bits.mp4": (30, 0.0),
    "torchcodec/h265_video.mp4": (10, 0.0),
    "torchcodec/nasa_13013.mp4": (390, 0.0),
    "torchcodec/nasa_13013_rotated.mp4": (17, 0.0),
    "torchcodec/test_non_zero_start.mp4": (12, 127995 / 15360),
    "torchcodec/testsrc2_444_8bit_hevc.mp4": (25, 0.0),
}


@pytest.mark.parametrize("name", NASTY)
def test_real_files_agree_between_the_decoders(name: str, shared_data: Path, pyav: Decoder, decord: Decoder) -> None:
    path = shared_data / "nasty" / name
    size = Picture("short", 128)
    seen = watch(pyav, path, size)
    frames, start_seconds = NASTY[name]
    assert len(seen) == frames
    assert seen[0].start == pytest.approx(start_seconds)
    steps = np.diff([one.pts for one in seen])
    assert (steps > 0).all()
    assert steps.max() <= 1.1 * np.median(steps)  # all of these have a constant rate
    try:
        other = watch(decord, path, size)
    except BadVideo:
        return
    assert [one.pts for one in other] == [one.pts for one in seen]
    apart = [np.abs(one.picture.astype(int) - same.picture).mean() for one, same in zip(other, seen, strict=True)]
    assert max(apart) < 0.5


def test_decord_accepts_most_short_real_files(shared_data: Path, decord: Decoder) -> None:
    for name in ("decord/flipping_a_pancake.mkv", "mmaction2/demo_demo.mp4", "torchcodec/nasa_13013.mp4"):
        watch(decord, shared_data / "nasty" / name, Picture("short", 32))
        assert decord.decoded.decoder == "decord"


def test_pixels_and_times_match_the_published_references(shared_data: Path, either: Decoder) -> None:
    torch = pytest.importorskip("torch")
    folder = shared_data / "nasty" / "torchcodec"
    seen = watch(either, folder / "nasa_13013.mp4")
    for number in (0, 5, 10, 15, 35, 389):
        stored = folder / "ref" / f"nasa_13013.mp4.stream3.frame{number:06d}.pt"
        reference = torch.load(stored, weights_only=True).numpy()
        reference = reference.transpose(1, 2, 0) if len(reference) == 3 else reference
        assert np.abs(seen[number].picture.astype(int) - reference).mean() < 2
    listed = json.loads((folder / "ref" / "nasa_13013.mp4.stream3.all_frames_info.json").read_text())
    assert [one.start for one in seen] == pytest.approx([float(one["pts_time"]) for one in listed], abs=1e-6)
    assert [one.stop - one.start for one in seen] == pytest.approx(
        [float(one["duration_time"]) for one in listed], abs=1e-6
    )


def test_a_rotated_video_stands_upright(shared_data: Path, pyav: Decoder) -> None:
    folder = shared_data / "nasty" / "torchcodec"
    upright = watch(pyav, folder / "nasa_13013_rotated.mp4")
    straight = watch(pyav, folder / "nasa_13013.mp4")
    assert upright[0].picture.shape == (480, 270, 3)
    turned = np.rot90(straight[0].picture, 1).astype(int)
    assert np.abs(upright[0].picture - turned).mean() < np.abs(upright[0].picture - np.rot90(turned, 2)).mean()


def test_every_frame_is_told_but_only_wanted_ones_carry_pixels(tmp_path: Path, either: Decoder) -> None:
    path = readable_video(tmp_path / "video.mp4", frames=61)
    window, size = Window(frames=2, stride=10, interval=3), Picture("short", 64)
    frames = list(either.frames(video(path), [Look(size, window)]))
    carried = [one.index for one in frames if size in one.pictures]
    assert [one.index for one in frames] == list(range(61))
    assert carried == sorted({tick for row in range(0, 61, 10) for tick in (row, row + 3)} - {63} | {60})


def test_looks_share_one_decode_and_get_their_own_sizes(tmp_path: Path, either: Decoder) -> None:
    path = readable_video(tmp_path / "video.mp4", fps=30)
    sparse, dense = Look(Picture("short", 32), Window(fps=1.0)), Look(Picture("squash", 48), Window(stride=2))
    spans = np.array([[0.5, 0.6], [1.5, 1.6]])
    spanned = Look(Picture("height", 40), Window(frames=1, at="segments"), spans)
    shapes: dict[str, list[int]] = {"short": [], "squash": [], "height": []}
    for frame in either.frames(video(path), [sparse, dense, spanned]):
        for picture, pixels in frame.pictures.items():
            shapes[picture.fit].append(frame.index)
            assert read_number(pixels) == frame.index
            assert pixels.shape[:2] == tuple(reversed(picture.pixels(160, 120)))
    assert shapes == {"short": [0, 30, 59], "squash": [*range(0, 60, 2), 59], "height": [16, 46, 59]}


@pytest.mark.parametrize("name", ["video.mp4", "video.mkv", "video.avi", "video.ts"])
@pytest.mark.parametrize("gop", [1, 12, 250])
def test_a_part_holds_the_frames_on_display_within_it(name: str, gop: int, tmp_path: Path, pyav: Decoder) -> None:
    path = readable_video(tmp_path / name, frames=90, fps=10, gop=gop)
    begin = watch(pyav, path)[0].start
    for start, stop in ((0.0, 0.05), (0.0, 3.0), (2.55, 4.05), (4.0, 5.0), (8.95, 20.0)):
        seen = watch(pyav, path, part=(begin + start, begin + stop))
        expected = [k for k in range(90) if k / 10 < stop - 1e-6 and (k + 1) / 10 > start + 1e-6]
        assert [read_number(one.picture) for one in seen] == expected
        assert [one.index for one in seen] == list(range(len(expected)))
        assert seen[0].start == pytest.approx(begin + expected[0] / 10, abs=0.001)


def test_a_part_beyond_the_end_is_refused(tmp_path: Path, pyav: Decoder) -> None:
    path = readable_video(tmp_path / "video.mp4")
    with pytest.raises(BadVideo, match="no picture in the seconds"):
        watch(pyav, path, part=(100.0, 101.0))


def test_pictures_are_read_only_and_live_until_the_next_frame(tmp_path: Path, pyav: Decoder) -> None:
    path = readable_video(tmp_path / "video.mp4")
    for frame in pyav.frames(video(path), [Look(NATIVE, EVERY)]):
        with pytest.raises(ValueError, match="read-only"):
            frame.pictures[NATIVE][0, 0, 0] = 1
        assert read_number(frame.pictures[NATIVE]) == frame.index


def test_leaving_early_leaves_the_decoder_usable(tmp_path: Path, either: Decoder) -> None:
    path = readable_video(tmp_path / "video.mp4", frames=200, size=(320, 240))
    pid = either._child.pid if either._child else None
    for wanted in (1, 3, 50):
        frames = either.frames(video(path), [Look(NATIVE, EVERY)])
        assert [next(frames).index for _ in range(wanted)] == list(range(wanted))
        frames.close()
    assert len(watch(either, path)) == 200
    assert pid in (None, either._child.pid)


def test_a_second_video_while_one_is_open_is_a_mistake(tmp_path: Path, pyav: Decoder) -> None:
    path = readable_video(tmp_path / "video.mp4")
    frames = pyav.frames(video(path), [Look(NATIVE, EVERY)])
    next(frames)
    with pytest.raises(RuntimeError, match="finished or closed"):
        watch(pyav, path)
    frames.close()
    assert len(watch(pyav, path)) == 60


def test_a_ring_smaller_than_the_video_gives_every_frame_unharmed(tmp_path: Path) -> None:
    path = readable_video(tmp_path / "video.mp4", frames=300)
    with Decoder("pyav", ring_bytes=1) as decoder:  # two slots
        assert [read_number(one.picture) for one in watch(decoder, path)] == list(range(300))


def test_decoders_work_side_by_side(tmp_path: Path) -> None:
    path = readable_video(tmp_path / "video.mp4", frames=120)
    found: dict[int, list[int | None]] = {}

    def work(number: int) -> None:
        with Decoder("auto") as decoder:
            found[number] = [read_number(one.picture) for one in watch(decoder, path)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: list(range(120)) for number in range(3)}


def test_a_decoder_lives_on_when_the_thread_that_started_it_ends(tmp_path: Path) -> None:
    path = readable_video(tmp_path / "video.mp4")
    with Decoder("pyav") as decoder:
        thread = threading.Thread(target=lambda: watch(decoder, path))
        thread.start()
        thread.join()
        pid = decoder._child.pid
        assert len(watch(decoder, path)) == 60
        assert decoder._child.pid == pid


def test_facts_tell_who_decoded_and_what_it_cost(tmp_path: Path, pyav: Decoder) -> None:
    import av

    path = readable_video(tmp_path / "video.mp4")
    watch(pyav, path)
    facts = pyav.decoded
    assert (facts.decoder, facts.decoder_version, facts.took_over) == ("pyav", av.__version__, None)
    assert facts.libraries["libavcodec"].count(".") == 2
    assert facts.frames_from_header == 60
    assert facts.decode_cpu_seconds > 0
    assert 0 < facts.seconds < 20


def test_an_unknown_decoder_is_refused_with_the_choices() -> None:
    with pytest.raises(BadRequest, match="auto, decord, pyav, nvdec"):
        Decoder("opencv")  # type: ignore[arg-type]


def test_nvdec_without_a_gpu_says_so(tmp_path: Path) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("a GPU is here")
    path = readable_video(tmp_path / "video.mp4")
    with Decoder("nvdec") as decoder, pytest.raises(BadRequest, match="--decoder auto"):
        watch(decoder, path)


def test_a_relative_path_is_the_parents(tmp_path: Path, pyav: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    readable_video(tmp_path / "here.mp4")
    watch(pyav, tmp_path / "here.mp4")  # the child runs already, elsewhere
    monkeypatch.chdir(tmp_path)
    assert pyav.probe("here.mp4").frames_from_header == 60
    assert len(watch(pyav, "here.mp4")) == 60
