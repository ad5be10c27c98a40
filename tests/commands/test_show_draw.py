"""`ego show --draw`: what is stored appears over the frame it belongs to, where it belongs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.media.decode import Decoder, Look
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Array, Picture, Video

Run = Callable[..., Result]
FRAMES, FPS = 30, 15
PANEL = (360, 270)  # of a 160x120 video
TITLE, GAP = 22, 4


@pytest.fixture
def video(readable_video: Callable[..., Path], tmp_path: Path) -> Path:
    return readable_video(tmp_path / "a.mp4", frames=FRAMES, fps=FPS, size=(160, 120))


@pytest.fixture
def store(video: Path, tmp_path: Path) -> FeatureStore:
    """Entries of a moving hand, gaze, a track, a mask, a flow, a face and sound, all of them known."""
    store = FeatureStore(tmp_path / "store", create=True)
    with Decoder() as decoder:
        (found,) = scan([video], decoder)
    assert isinstance(found, Video)
    store.remember_video(found.digest, name="a", size=1, mtime_ns=1, facts={})
    index = np.arange(FRAMES)
    across = (0.2 + 0.6 * index / FRAMES).astype(np.float32)

    def put(name: str, **arrays: tuple[np.ndarray, Array]) -> None:
        rows = len(next(iter(arrays.values()))[0])
        start, stop = np.arange(rows) / FPS, (np.arange(rows) + 1) / FPS
        time = np.stack([start, (start + stop) / 2, stop], axis=1)
        block = {"time": time, "source": np.zeros((rows, 4), np.int64)}
        block |= {one: array.cast(values) for one, (values, array) in arrays.items()}
        key = FeatureKey(name, (name.encode().hex() * 8)[:64].ljust(64, "0"), found.digest)
        store.write(key, {one: array for one, (_, array) in arrays.items()}, [block], {})

    mask = np.zeros((FRAMES, 30, 40), bool)
    mask[:, 10:20, 10:20] = True
    flow = np.zeros((FRAMES - 1, 2, 30, 40), np.float32)
    flow[:, 0] = 5.0
    boxes = np.stack([across - 0.1, across * 0 + 0.4, across + 0.1, across * 0 + 0.6], axis=1)
    put("tvl1", feature=(flow, Array((2, 30, 40), "float16", "flow")))
    put("motion_map", feature=(mask, Array((30, 40), "bool", "mask", compress=True)))
    put("gaze", point=(np.stack([across, across * 0 + 0.5], 1), Array((2,), "float32", "points")),
        type=(np.ones(FRAMES), Array((), "int8")))  # fmt: skip
    put("hands", boxes=(np.stack([boxes, boxes * 0], 1), Array((2, 4), "float32", "boxes")),
        visible=(np.tile([True, False], (FRAMES, 1)), Array((2,), "bool")))  # fmt: skip
    put("faces", box=(boxes, Array((4,), "float32", "boxes")), track=(index * 0, Array((), "int32")))
    put("log_mel", feature=(np.random.default_rng(0).random((FRAMES, 4, 8)), Array((4, 8), "float32", "tokens")))
    put("mean_rgb", feature=(np.zeros((FRAMES, 3)), Array((3,), "float32")))
    return store


def test_a_sheet_has_a_panel_for_each_and_the_sound_below(
    run: Run, store: FeatureStore, video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sheet.png"
    done = run("show", "--store", store.places[0], str(video), "--draw", str(out), "--moments", "2")
    assert done.exit_code == 0, done.output
    drawn = np.asarray(Image.open(out))
    panels = ["video", "faces", "gaze", "hands", "motion_map", "tvl1"]
    width, height = PANEL[0] + GAP, PANEL[1] + TITLE + GAP
    assert drawn.shape == (2 * (height + TITLE + 64 + GAP), len(panels) * width, 3)
    first = {name: drawn[TITLE : TITLE + PANEL[1], place * width :][:, : PANEL[0]] for place, name in enumerate(panels)}
    frame = 7  # on display at a quarter of two seconds
    x, y = round((0.2 + 0.6 * frame / FRAMES) * PANEL[0]), PANEL[1] // 2
    plain = first["video"].astype(int)
    near = np.abs(first["gaze"].astype(int) - plain).sum(axis=2)
    ys, xs = np.nonzero(near > 60)
    assert abs(xs.mean() - x) < 4
    assert abs(ys.mean() - y) < 4
    tinted = first["motion_map"][round(15 / 30 * PANEL[1]), round(15 / 40 * PANEL[0])].astype(int)
    assert tinted[0] > tinted[1] + 30, "the mask is tinted red"
    flow = first["tvl1"][20, 20].astype(int)
    assert flow[0] > 200 > flow[1] + flow[2] - 100, "a step to the right is red"
    boxed = np.abs(first["hands"].astype(int) - plain).sum(axis=2) > 60
    assert boxed[round(0.4 * PANEL[1]), x], "the upper side of the left hand's box"
    assert not boxed[:20, :20].any(), "the right hand is not visible and not drawn"


def test_a_film_has_every_frame_and_any_subset(run: Run, store: FeatureStore, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "film.mp4"
    done = run(
        "show", "--store", store.places[0], str(video), "--draw", str(out), "--with", "gaze", "--seconds", "0.5:1.5"
    )
    assert done.exit_code == 0, done.output
    assert "gaze" in done.output
    with Decoder() as decoder:
        (film,) = scan([out], decoder)
        assert isinstance(film, Video)
        frames = list(decoder.frames(film, [Look(Picture("native", 0), Window())]))
    assert 15 <= len(frames) <= 16
    assert film.header is not None
    assert (film.header.width, film.header.height) == (2 * (PANEL[0] + GAP), PANEL[1] + TITLE + GAP)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "--draw", "x.png"], "expected the video's file"),
        (["{video}", "--draw", "x.gif"], "ends in .png or .mp4"),
        (["{video}", "--draw", "nowhere/x.png"], "is not there"),
        (["{video}", "--draw", "{out}", "--with", "raft"], "no extractor called 'raft'"),
        (["{video}", "--seconds", "0:1"], "--seconds without --draw"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    words: list[str], said: str, run: Run, store: FeatureStore, video: Path, tmp_path: Path
) -> None:
    filled = [word.format(video=video, out=tmp_path / "x.png") for word in words]
    done = run("show", "--store", store.places[0], *filled)
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "x.png").exists()
