"""The world: equal seeds, pairs told apart by direction alone, looks held out, sound, files that are read back."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ego.cli import group
from ego.commands import synth as synth_command
from ego.datasets.kitchen import Kitchen, looks, truth
from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.grammar import ACTIONS, CHANGES_STATE, DIRECTION_PAIRS, script
from ego.datasets.kitchen.paint import Painter
from ego.datasets.kitchen.sound import RATE
from ego.datasets.kitchen.world import LAYOUTS, World, begin, done, draw, finish
from ego.errors import BadRequest
from ego.spec import find

SMALL = (160, 90)


def frames(order: Order, count: int) -> str:
    painter = Painter(direct(order))
    total = hashlib.sha256()
    for index in range(count):
        total.update(painter.frame(index).picture.tobytes())
    return total.hexdigest()


def test_equal_orders_give_equal_pixels_and_others_others() -> None:
    order = Order(1, 2, "train", 5.0, 30.0, SMALL)
    assert frames(order, 20) == frames(order, 20)
    assert frames(order, 20) != frames(Order(2, 2, "train", 5.0, 30.0, SMALL), 20)
    assert frames(order, 20) != frames(Order(1, 3, "train", 5.0, 30.0, SMALL), 20)


def test_a_play_lasts_as_long_whatever_the_rate() -> None:
    slow, fast = (direct(Order(1, 2, "train", 20.0, fps, SMALL)) for fps in (15.0, 60.0))
    assert [one.start for one in slow.play.segments] == [one.start for one in fast.play.segments]
    np.testing.assert_allclose(fast.hands[::4, :, :2], slow.hands[:, :, :2], atol=1e-6)
    np.testing.assert_allclose(fast.gaze[::4], slow.gaze, atol=1e-6)


def test_segments_follow_one_another_inside_the_video_and_changes_inside_them() -> None:
    for index in range(12):
        film = direct(Order(0, index, "train", 30.0, 10.0, SMALL))
        ends = [0.0]
        for one in film.play.segments:
            assert ends[-1] <= one.start < one.stop <= 30.0
            assert 0.7 < one.stop - one.start < 6
            assert (one.verb, one.noun) in ACTIONS
            assert (one.pnr is not None) == (one.verb in CHANGES_STATE)
            assert one.pnr is None or one.start < one.pnr < one.stop
            ends.append(one.stop)
        assert len(film.play.segments) >= 6


def test_paired_verbs_are_as_frequent_and_reversals_of_each_other() -> None:
    """Forward and reversed, the hand's distance to its start falls and rises alike; grip and doors end opposite."""
    films = [direct(Order(0, index, "train", 60.0, 10.0, SMALL)) for index in range(16)]
    for forward, back in DIRECTION_PAIRS:
        ends: dict[str, list[tuple[float, ...]]] = {forward: [], back: []}
        for film in films:
            for one in film.play.segments:
                if one.verb in ends:
                    first, last = np.searchsorted(film.times, (one.start + 0.02, one.stop - 0.02))
                    pose = film.hands[first:last, one.side]
                    ends[one.verb].append((pose[0, 1], pose[0, 3], pose[-1, 1], pose[-1, 3], np.median(pose[:, 1])))
        a, b = (np.mean(ends[verb], 0) for verb in (forward, back))
        assert abs(len(ends[forward]) - len(ends[back])) <= 0.35 * len(ends[forward]) + 2
        np.testing.assert_allclose(a[[0, 2]], b[[2, 0]], atol=25)
        np.testing.assert_allclose(a[[1, 3]], b[[3, 1]], atol=0.25)
        np.testing.assert_allclose(a[4], b[4], atol=25)


def test_classes_are_long_tailed() -> None:
    rng = np.random.default_rng(0)
    count = Counter((step.verb, step.noun) for _ in range(400) for step in script(rng)[1])
    often = [number for _, number in count.most_common()]
    assert len(count) > 40
    assert often[0] > 15 * often[-1]


def test_what_is_held_out_appears_in_test_videos_only() -> None:
    casts = {split: [looks.cast(0, index, split) for index in range(60)] for split in looks.SPLITS}
    for part in ("skin", "sleeve", "name"):
        seen = {getattr(one.subject, part) for split in ("train", "validation") for one in casts[split]}
        assert not seen & {getattr(one.subject, part) for one in casts["test"]}
    lights = {one.light.gains for split in ("train", "validation") for one in casts[split]}
    assert not lights & {one.light.gains for one in casts["test"]}
    rooms = {one.room.counter for split in ("train", "validation") for one in casts[split]}
    assert not rooms & {one.room.counter for one in casts["test"]}


def test_voices_are_heard_when_someone_talks_and_mouths_move_with_them() -> None:
    films = (direct(Order(5, index, "train", 20.0, 30.0, SMALL, social=1.0)) for index in range(4))
    film = next(one for one in films if one.people)
    talking = np.any([person.talking(film.times) for person in film.people], 0)
    blocks = film.voices[: len(film.times) * (RATE // 30)].reshape(len(film.times), -1)
    energy = (blocks.astype(float) ** 2).mean(1)
    assert energy[talking].mean() > 100 * energy[~talking].mean()
    assert (film.mouths.max(0)[energy > 1e-3] > 0.05).mean() > 0.95
    assert film.mouths[:, ~talking].max(initial=0) < 0.01
    heard = (film.sound[: blocks.size].reshape(blocks.shape).astype(float) ** 2).mean(1)
    assert np.median(heard[talking]) > 3 * np.median(heard[~talking])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "kitchen"
    asked = World(7, seconds=6.0, size=SMALL, fps=15.0, flow=True)
    begin(asked, root)
    for index in range(3):
        draw(asked, index, root)
    finish(asked, 3, root)
    return root


def test_a_written_world_is_read_with_its_truth(world: Path) -> None:
    kitchen = find("datasets", "kitchen")()
    assert isinstance(kitchen, Kitchen)
    annotations = kitchen.read(world)
    assert set(annotations.folds[""]) == {"train", "validation", "test"}
    assert set(annotations.classes) == {"verb", "noun"}
    for name in annotations.videos:
        readings = kitchen.readings(world, name)
        assert set(readings) == set(kitchen.signals())
        seen = np.isfinite(readings["hands"].arrays["boxes"]).all(axis=2)
        assert len(readings["hand_boxes"].seconds) == seen.sum()
        assert (readings["hand_boxes"].arrays["side"] == 1).sum() == seen[:, 1].sum()
        assert len(readings["face_tracks"].seconds) == np.isfinite(readings["faces"].arrays["boxes"]).all(axis=2).sum()
        assert len(readings["gaze"].seconds) == 90
        assert readings["hands"].arrays["points"].shape == (90, 2, 8, 2)
        clips = [clip for clip in annotations.clips if clip.video == name]
        np.testing.assert_allclose(readings["segments"].seconds, [clip.parts[0] for clip in clips], atol=1e-3)


def test_flow_lies_beside_where_asked_for(world: Path) -> None:
    (path, *_) = sorted((world / "flow").glob("*.npy"))
    assert np.load(path, mmap_mode="r").shape == (89, 90, 160, 2)


def test_videos_have_picture_and_sound_of_the_stated_length(world: Path) -> None:
    from ego.media.decode import Decoder

    with Decoder() as decoder:
        for path in (world / "videos").glob("*.mp4"):
            header = decoder.probe(str(path))
            assert (header.width, header.height, header.has_sound) == (160, 90, True)
            assert header.seconds_from_header == pytest.approx(6.0, abs=0.1)


def synth(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(group, ["synth", "kitchen", *words])
    return done.exit_code, done.output


def test_the_command_draws_goes_on_and_gives_the_same_bytes_with_more_workers(tmp_path: Path) -> None:
    small = ["--seconds", "4", "--size", "96x64", "--fps", "10", "--seed", "3"]
    code, words = synth("--out", str(tmp_path / "a"), "--videos", "2", "--workers", "2", "--json", *small)
    assert code == 0, words
    assert json.loads(words.splitlines()[-1])["drawn"] == 2
    code, words = synth("--out", str(tmp_path / "a"), "--videos", "3", "--workers", "1", *small)
    assert re.search(r"3 videos \(1 drawn now", words)
    world = World(3, seconds=4.0, size=(96, 64), fps=10.0)
    begin(world, tmp_path / "b")
    assert not done(world, 1, tmp_path / "b")
    draw(world, 1, tmp_path / "b")
    (one,) = (tmp_path / "b" / "videos").iterdir()
    assert one.read_bytes() == (tmp_path / "a" / "videos" / one.name).read_bytes()
    arrays = (truth.load(tmp_path / side / "truth" / f"{one.stem}.npz") for side in "ab")
    for name, (a, b) in _beside(*arrays).items():
        np.testing.assert_array_equal(a, b, err_msg=name)


def _beside(a: truth.Arrays, b: truth.Arrays) -> dict[str, tuple[object, object]]:
    assert set(a) == set(b)
    return {name: (a[name], b[name]) for name in a}


def test_a_strangers_folder_and_another_world_are_refused(tmp_path: Path, world: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, words = synth("--out", str(tmp_path), "--videos", "1")
    assert code == 2
    assert "not empty" in words
    code, words = synth("--out", str(world), "--videos", "1", "--seed", "8")
    assert code == 2
    assert "another world" in words
    code, words = synth("--out", str(tmp_path / "mine.txt" / "world"), "--videos", "1")
    assert code == 2
    assert "cannot be written" in words
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("wrong", [{"layout": "x"}, {"seconds": 1.0}, {"size": (101, 64)}, {"fps": 500.0}])
def test_what_cannot_be_drawn_is_refused_in_words(wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="expected"):
        World(0, **wrong)  # type: ignore[arg-type]


def test_the_command_offers_every_layout() -> None:
    assert tuple(LAYOUTS) == synth_command.LAYOUTS


GOLDEN = Path(__file__).parent / "golden.json"


def test_a_version_keeps_its_worlds() -> None:
    """What is told of films, to the millisecond and the tenth of a unit; if this must change, raise the version."""
    told = []
    for seed, index in ((0, 0), (0, 2), (9, 4)):
        film = direct(Order(seed, index, looks.SPLIT_OF_TURN[index], 20.0, 30.0, (456, 256)))
        painter = Painter(film)
        told.append({
            "recipe": film.recipe,
            "actions": [[one.verb, one.noun, round(one.start, 3)] for one in film.play.segments],
            "camera": np.round(film.cameras[300, :2, 2], 1).tolist(),
            "gaze": np.round(film.gaze[300], 1).tolist(),
            "colour": np.round(painter.frame(100).picture.mean((0, 1)), 0).tolist(),
        })  # fmt: skip
    kept = json.loads(GOLDEN.read_text())
    assert kept["version"] == Kitchen.version
    for was, now in zip(kept["films"], told, strict=True):
        assert [one[:2] for one in was["actions"]] == [one[:2] for one in now["actions"]]
        for part in ("camera", "gaze", "colour"):
            np.testing.assert_allclose(now[part], was[part], atol=1.1)
