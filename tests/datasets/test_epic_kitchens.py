"""EPIC-KITCHENS-55 and -100: counts of the real files, both layouts, every bad line."""

from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.spec import make

HEAD = ("narration_id,participant_id,video_id,narration_timestamp,start_timestamp,stop_timestamp,start_frame,"
        "stop_frame,narration,verb,verb_class,noun,noun_class,all_nouns,all_noun_classes\n")  # fmt: skip
ROW = "P01_11_0,P01,P01_11,00:00:00.560,00:00:00.00,00:00:01.89,1,113,take plate,take,0,plate,1,['plate'],[1]\n"
NEW = "P01_101_0,P01,P01_101,,00:00:02.86,00:01:03.87,143,193,put pan,put,1,pan,0,\"['pan', 'lid']\",\"[0, 1]\"\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "EPIC_100_verb_classes.csv").write_text("id,key,instances,category\n0,take,['get'],x\n1,put,[],x\n")
    (tmp_path / "EPIC_100_noun_classes.csv").write_text("id,key,instances,category\n0,pan,[],x\n1,plate,[],x\n")
    (tmp_path / "EPIC_100_train.csv").write_text(HEAD + ROW)
    (tmp_path / "EPIC_100_validation.csv").write_text(HEAD + NEW)
    (tmp_path / "EPIC_100_video_info.csv").write_text(
        "video_id,duration,fps,resolution\nP01_11,100.5,59.94,1920x1080\nP01_101,90,50,1920x1080\n"
    )
    (tmp_path / "EPIC_100_tail_verbs.csv").write_text("verb\n1\n")
    for path in ("P01/videos/P01_11.MP4", "P01/P01_101.MP4"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"video")
    return tmp_path


def epic(**fields):
    return make("datasets", "epic_kitchens", {"splits_read": ["train", "validation"], **fields})


def test_videos_keep_their_seconds_and_their_own_rate(root):
    found = epic().read(root)
    assert [(clip.video, clip.parts) for clip in found.clips] == [
        ("P01_11", ((0.0, 1.89),)), ("P01_101", ((2.86, 63.87),))
    ]  # fmt: skip
    assert found.clips[1].labels == {
        "verb": "put", "noun": "pan", "action": "put pan", "nouns": "pan, lid", "narration": "put pan",
        "participant": "P01", "segment": found.clips[1].labels["segment"],
    }  # fmt: skip
    assert found.classes["action"] == ("take plate", "put pan")
    assert found.folds == {"": {"train": (0,), "validation": (1,)}}
    assert found.stated["P01_11"].fps == 59.94
    assert found.subsets == {"tail": {"verb": ("put",)}}
    assert found.absent() == []
    assert found.rates == {}


def test_frames_are_numbered_at_the_nominal_rate(root):
    (root / "P01/rgb_frames/P01_101").mkdir(parents=True)
    found = epic(layout="frames").read(root)
    assert found.rates == {"P01_101": 50.0, "P01_11": 60.0}
    assert found.stated["P01_11"].fps == 60.0
    assert found.videos["P01_101"] == root / "P01/rgb_frames/P01_101"
    assert found.absent() == ["P01_11"]
    (root / "EPIC_100_test_timestamps.csv").write_text(
        HEAD.split(",narration,")[0] + "\n" + ROW.split(",take")[0] + "\n"
    )
    tested = epic(splits_read=["test"]).read(root)
    assert tested.clips[0].labels == {"participant": "P01", "segment": "P01_11_0"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0,plate,1,", ",nan,plate,1,", "EPIC_100_train.csv, line 2: got 'nan' as 'verb_class', expected a whole"),
        (",0,plate,1,", ",,plate,1,", "EPIC_100_train.csv, line 2: 'verb_class' is empty"),
        (",0,plate,1,", ",0,plate,2,", "EPIC_100_train.csv, line 2: got 2 as 'noun_class', expected 0 to 1"),
        (",0,plate,1,", ",-1,plate,1,", "line 2: got -1 as 'verb_class', expected 0 to 1"),
        ("00:00:01.89", "-1", "line 2: got '-1' as 'stop_timestamp', expected seconds at or after 0"),
        ("00:00:00.00", "00:00:02.00", "line 2: got a segment from 2 to 1.89 s, expected 0 <= start <= stop"),
        ("00:00:00.00", "0:99", "line 2: got '0:99' as 'start_timestamp', expected a number of seconds"),
        ("['plate']", "plate", "line 2: got 'plate' as 'all_nouns', expected a list"),
        ("stop_timestamp", "end", "EPIC_100_train.csv, line 1: no column 'stop_timestamp'"),
        (",", ";", "EPIC_100_train.csv, line 1: no column 'narration_id' .* look divided by ';'"),
        (ROW, ROW + ROW, "train.csv, line 3: got narration_id 'P01_11_0', which EPIC_100_train.csv, line 2"),
    ],
)  # fmt: skip
def test_each_error_is_one_sentence_with_file_and_line(root, old, new, message):
    (root / "EPIC_100_train.csv").write_text((HEAD + ROW).replace(old, new))
    with pytest.raises(BadRequest, match=message) as caught:
        epic().read(root)
    assert "\n" not in str(caught.value)


def test_classes_of_the_other_release_are_refused(root):
    with pytest.raises(BadRequest, match=r"got split 'validation' of EPIC-KITCHENS-55, which has: train, test_s1"):
        epic(release=55)
    (root / "EPIC_100_verb_classes.csv").write_text("id,key\n1,take\n")
    with pytest.raises(BadRequest, match=r"EPIC_100_verb_classes.csv, line 2: got verb id 1, expected 0"):
        epic().read(root)
    (root / "EPIC_100_verb_classes.csv").unlink()
    with pytest.raises(BadRequest, match=r"EPIC_100_verb_classes.csv cannot be read: No such file"):
        epic().read(root)


@pytest.fixture(scope="module")
def epic55(shared_data):
    data = make("datasets", "epic_kitchens", {"release": 55, "annotations": "epic55"})
    return data.read(shared_data / "annotations")


def test_the_counts_of_55(epic55):
    found = epic55
    sizes = {split: len(rows) for split, rows in found.folds[""].items()}
    assert sizes == {"train": 26377, "validation": 2095, "test_s1": 8047, "test_s2": 2929}
    assert [len(found.classes[label]) for label in ("verb", "noun", "action")] == [125, 352, 2513]
    assert {label: len(names) for label, names in found.subsets["many-shot"].items()} == {
        "verb": 26, "noun": 71, "action": 819
    }  # fmt: skip
    labelled = [clip for clip in found.clips if "verb" in clip.labels]
    assert (len({c.labels["verb"] for c in labelled}), len({c.labels["noun"] for c in labelled})) == (119, 321)
    assert found.clips[0].parts == ((0.14, 3.37),)
    assert len({clip.video for clip in labelled}) == 272
    assert len(found.videos) == len(found.stated) == 432
    rates = [round(one.fps, 2) for one in found.stated.values()]
    assert {rate: rates.count(rate) for rate in set(rates)} == {59.94: 423, 29.97: 4, 47.95: 4, 90.0: 1}
    ends = [clip.parts[0][1] for clip in labelled]
    assert all(ends[i] <= found.stated[labelled[i].video].seconds + 1 for i in range(len(ends)))


def test_many_shot_lists_are_counts_above_a_hundred(epic55):
    found = epic55
    for label in ("verb", "noun"):
        seen = [clip.labels[label] for clip in found.clips if label in clip.labels]
        assert {name for name in set(seen) if seen.count(name) > 100} == set(found.subsets["many-shot"][label])


def test_the_splits_of_the_literature(shared_data, epic55):
    who = [clip.labels["participant"] for clip in epic55.clips if "verb" in clip.labels]
    for first, held in (("P25", 5793), ("P26", 5281), ("P30", 2095)):
        assert sum(one >= first for one in who) == held
    fields = {"release": 55, "annotations": "epic55", "splits_read": ["train"], "first_held_out": "P25"}
    found = make("datasets", "epic_kitchens", fields | {"without_dropped": True}).read(shared_data / "annotations")
    assert len(found.clips) == 28472 - 10
    # of the ten, some are of participants held out
    assert len(found.folds[""]["train"]) + len(found.folds[""]["validation"]) == 28462


def test_the_counts_of_100(shared_data):
    fields = {"annotations": "epic100", "splits_read": ["validation", "test"]}
    found = make("datasets", "epic_kitchens", fields).read(shared_data / "annotations")
    sizes = {split: len(rows) for split, rows in found.folds[""].items()}
    assert sizes == {"validation": 9668, "test": 13092}
    assert (len(found.classes["verb"]), len(found.classes["noun"])) == (97, 300)
    labelled = [clip for clip in found.clips if "verb" in clip.labels]
    assert len({clip.video for clip in labelled}) == 138
    assert (len({c.labels["verb"] for c in labelled}), len({c.labels["noun"] for c in labelled})) == (78, 211)
    assert sum(clip.labels["participant"] in ("P18", "P32") for clip in labelled) == 1065
    assert len(found.videos) == 138 + 67
    new = make("datasets", "epic_kitchens", {**fields, "layout": "frames"}).read(shared_data / "annotations")
    assert all(rate == (50.0 if len(name) == 7 else 60.0) for name, rate in new.rates.items())
    assert {found.stated[name].fps for name in new.rates if len(name) == 7} == {50.0}


def test_the_actions_of_55_are_those_of_another_list(shared_data):
    found = make("datasets", "epic_kitchens", {"release": 55, "annotations": "epic55", "splits_read": ["train"]}).read(
        shared_data / "annotations"
    )
    lines = (shared_data / "annotations/rulstm/ek55/actions.csv").read_text().splitlines()[1:]
    pairs = {tuple(int(part) for part in line.split(",")[2:]) for line in lines}
    names = {f"{found.classes['verb'][verb]} {found.classes['noun'][noun]}" for verb, noun in pairs}
    assert names == set(found.classes["action"])


@pytest.mark.parametrize(
    "place", ["P01/flow_frames/P01_11", "flow/train/P01/P01_11", "frames_rgb_flow/flow/test/P01/P01_11"]
)
def test_released_flow_is_of_every_second_frame_over_three(root, place):
    assert epic().readings(root, "P01_11") == {}
    for plane in "uv":
        for number in (1, 2, 4):
            path = root / place / plane / f"frame_{number:010d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(plane.encode())
    assert epic().signals() == ("flow_images",)
    found = epic().readings(root, "P01_11")["flow_images"]
    assert found.arrays["frame"].tolist() == [[0, 3], [2, 5], [6, 9]]
    assert found.seconds[1] == pytest.approx([2 / 60, 0.1])
    assert (found.encoded["x"][0], found.encoded["y"][0]) == (b"u", b"v")
    (root / place / "v" / "frame_0000000004.jpg").unlink()
    with pytest.raises(BadRequest, match="picture 4, which has no plane y"):
        epic().readings(root, "P01_11")
