"""Ego-Exo4D: takes, keysteps and gaze, on files in the published schema."""

import json
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.spec import make


def take(number: int, **changed: object) -> dict[str, object]:
    return {"take_uid": f"u{number}", "take_name": f"cook_{number}", "root_dir": f"takes/cook_{number}",
            "parent_task_name": "Cooking", "task_name": "Making Tea", "duration_sec": 20.5, "is_dropped": False,
            "frame_aligned_videos": {"aria02": {"rgb": {}}, "cam01": {"0": {}}}, **changed}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "takes.json").write_text(json.dumps([take(1), take(2), take(3, is_dropped=True)]))
    splits = {"split_to_take_uids": {"train": ["u1", "u3"], "val": ["u2"], "test": []}}
    (tmp_path / "annotations/splits.json").write_text(json.dumps(splits))
    step = {"start_time": 1.0, "end_time": 2.5, "step_name": "Boil water", "step_id": 3}
    for word, uid in (("train", "u1"), ("val", "u2")):
        value = {"annotations": {uid: {"take_uid": uid, "segments": [step]}}}
        (tmp_path / f"annotations/keystep_{word}.json").write_text(json.dumps(value))
    (tmp_path / "takes/cook_1/eye_gaze").mkdir(parents=True)
    (tmp_path / "takes/cook_1/eye_gaze/general_eye_gaze_2d.csv").write_text("frame_num,x,y\n5,704,704\n")
    return tmp_path


def egoexo(**fields):
    return make("datasets", "egoexo4d", fields)


def test_takes(root):
    found = egoexo().read(root)
    assert [(clip.video, clip.parts, clip.labels) for clip in found.clips] == [
        ("cook_1", (), {"scenario": "Cooking", "task": "Making Tea"}),
        ("cook_2", (), {"scenario": "Cooking", "task": "Making Tea"}),
    ]
    assert found.folds == {"": {"train": (0,), "validation": (1,)}}
    assert found.videos["cook_1"] == root / "takes/cook_1/frame_aligned_videos/aria02_214-1.mp4"
    assert found.stated["cook_1"].seconds == 20.5
    assert found.notes == ("1 takes were dropped by the authors and are left out",)
    small = egoexo(size="448").read(root).videos["cook_1"]
    assert small == root / "takes/cook_1/frame_aligned_videos/downscaled/448/aria02_214-1.mp4"


def test_keysteps(root):
    found = egoexo(benchmark="keystep").read(root)
    assert found.clips[0].parts == ((1.0, 2.5),)
    assert found.classes == {"step": ("Boil water",)}
    assert found.clips[1].source == "keystep_val.json, annotations.u2.segments[0]"


def test_gaze(root):
    reading = egoexo().readings(root, "cook_1")["gaze"]
    assert reading.seconds[:, 0].tolist() == [0.5]
    assert reading.arrays["point"].tolist() == [[0.5, 0.5]]
    assert egoexo().readings(root, "cook_2") == {}
    assert egoexo(gaze="personalized").readings(root, "cook_1") == {}


def test_each_error_is_one_sentence_with_its_place(root):
    step = {"start_time": 3.0, "end_time": 2.5, "step_name": "Boil water"}
    value = {"annotations": {"u1": {"segments": [step]}}}
    (root / "annotations/keystep_train.json").write_text(json.dumps(value))
    with pytest.raises(BadRequest, match=r"keystep_train.json, annotations.u1.segments\[0\]: got a segment from 3 to"):
        egoexo(benchmark="keystep").read(root)
    value = {"split_to_take_uids": {"train": ["u9"]}}
    (root / "annotations/splits.json").write_text(json.dumps(value))
    with pytest.raises(BadRequest, match=r"splits.json, split_to_take_uids.train\[0\]: got the take 'u9', which"):
        egoexo().read(root)
    with pytest.raises(BadRequest, match=r"got None as split_to_take_uids.val"):
        egoexo(splits_read=["validation"]).read(root)
    (root / "takes.json").write_text(json.dumps([take(1), take(1)]))
    with pytest.raises(BadRequest, match=r"takes.json, \[1\]: got the take 'cook_1' \(u1\) a second time"):
        egoexo().read(root)
