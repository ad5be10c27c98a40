"""`ego verify`: damage is found and named, set aside, made again; a random entry can be made again to compare."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import ego

Run = Callable[..., Result]


def shard(store: Path, video: str) -> Path:
    """The file that holds the rows of mean_rgb of a video."""
    return store / ego.open(str(store)).key(video, "mean_rgb").path / "feature" / "c" / "0" / "0"


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_a_sound_store_is_read_in_full_and_said_to_be_sound(run: Run, store: Path) -> None:
    done = run("verify", "--store", store)
    assert done.exit_code == 0
    assert done.stdout == "5 entries and notes read, 0 broken\n"  # two entries, two videos' notes, one spec's


def test_one_flipped_bit_is_found_and_named(run: Run, store: Path) -> None:
    path = ego.open(str(store)).key("a", "mean_rgb").path
    flip(shard(store, "a"))
    done = run("verify", "--store", store)
    assert done.exit_code == 1
    assert f"broken  {path}  feature/c/0/0" in done.stdout
    told = [json.loads(line) for line in run("verify", "--store", store, "--json").stdout.splitlines()]
    assert [one["path"] for one in told if not one["ok"]] == [path]


def test_the_parts_together_read_everything_once(run: Run, store: Path) -> None:
    def paths(part: str) -> list[str]:
        out = run("verify", "--store", store, "--json", "--part", part).stdout
        return [json.loads(line)["path"] for line in out.splitlines()]

    assert sorted(path for k in range(1, 4) for path in paths(f"{k}/3")) == sorted(paths("1/1"))


@pytest.mark.parametrize("part", ["3", "0/3", "4/3", "a/b", "1/0"])
def test_a_part_that_is_none_is_a_bad_request(run: Run, store: Path, part: str) -> None:
    assert run("verify", "--store", store, "--part", part).exit_code == 2


def test_repair_with_the_videos_makes_the_store_whole(run: Run, store: Path, clips: Path) -> None:
    before = ego.open(str(store)).read(ego.open(str(store)).key("a", "mean_rgb"))
    flip(shard(store, "a"))
    done = run("verify", "--store", store, "--repair", clips)
    assert done.exit_code == 0, done.output
    assert run("verify", "--store", store).exit_code == 0
    after = ego.open(str(store)).read(ego.open(str(store)).key("a", "mean_rgb"))
    assert np.array_equal(before["feature"], after["feature"])
    assert len(list((store / "quarantine").glob("mean_rgb-*/*"))) == 1


def test_repair_without_the_videos_says_the_command_that_makes_it_whole(run: Run, store: Path, clips: Path) -> None:
    flip(shard(store, "a"))
    done = run("verify", "--store", store, "--repair")
    assert done.exit_code == 1
    assert run("status", "--store", store).stdout.splitlines()[1].split()[2:] == ["1", "0", "0", "0"]
    (command,) = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ego extract")]
    again = run(*[str(clips) if word == "VIDEOS" else word for word in shlex.split(command)[1:]])
    assert again.exit_code == 0
    assert again.stderr.startswith("1 stored, 1 already there")


def test_repair_of_an_entry_whose_marker_is_gone_knows_what_made_it(run: Run, store: Path, clips: Path) -> None:
    (store / ego.open(str(store)).key("a", "mean_rgb").path / "marker.json").unlink()
    assert run("verify", "--store", store, "--repair", clips).exit_code == 0
    assert ego.open(str(store)).videos() == ["B", "a"]


def test_repair_when_the_notes_are_damaged_too(run: Run, store: Path, clips: Path) -> None:
    """What made the entry is then known from its neighbour's marker, what the video is called from the video."""
    (store / ego.open(str(store)).key("a", "mean_rgb").path / "marker.json").write_text("{}")
    (spec,) = store.glob("mean_rgb-*/spec.json")
    for note in (spec, *(store / "notes" / "videos").glob("*.json")):
        note.write_text("{}")
    assert run("verify", "--store", store, "--repair", clips).exit_code == 0
    assert run("verify", "--store", store).stdout == "5 entries and notes read, 0 broken\n"
    assert ego.open(str(store)).videos() == ["B", "a"]


def test_what_ego_did_not_put_there_is_told_and_left(run: Run, store: Path, clips: Path) -> None:
    stranger = store / ego.open(str(store)).key("a", "mean_rgb").group / "Copy of something"
    stranger.mkdir()
    done = run("verify", "--store", store, "--repair", clips)
    assert done.exit_code == 1
    assert "remove it yourself" in done.stdout
    assert stranger.is_dir()


def test_recompute_finds_an_entry_equal_to_itself(run: Run, store: Path, clips: Path) -> None:
    done = run("verify", "--store", store, "--recompute", 2, clips)
    assert done.exit_code == 0, done.output
    equal = [line for line in done.stdout.splitlines() if line.startswith("equal  mean_rgb")]
    assert len(equal) == 2


def test_recompute_finds_a_result_that_was_wrong_from_the_start(run: Run, store: Path, clips: Path) -> None:
    """No checksum shows it: the entry is sound, but its rows are not what the extractor gives."""
    from ego.spec import rebuild

    held = ego.open(str(store))
    key = held.key("a", "mean_rgb")
    right = held.read(key)
    spec = rebuild(held.marker(key).spec)
    held.remove(key)
    wrong = {"time": right.time, "source": right.source, "feature": right["feature"] * np.float32(1.5)}
    held.write(key, right.arrays, [wrong], dict(right.marker.about), spec)
    assert run("verify", "--store", store).exit_code == 0
    done = run("verify", "--store", store, "--recompute", 1, "--json", clips / "a.mp4")
    assert done.exit_code == 1
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["video"], told["extractor"]) == ("a", "mean_rgb")
    assert told["relative"] == pytest.approx(1 / 3, abs=0.01)
    assert "allowed" in told["problem"]


def test_recompute_needs_videos(run: Run, store: Path) -> None:
    assert run("verify", "--store", store, "--recompute", 1).exit_code == 2
