"""Ego4D: every benchmark on files in the published schema, both kinds of video, every bad value."""

import copy
import json
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.spec import make

PNR = {"unique_id": "a", "video_uid": "v", "clip_uid": "c", "clip_id": 17, "parent_start_sec": 100.0,
       "parent_end_sec": 108.0, "parent_start_frame": 3000, "parent_end_frame": 3240, "parent_pnr_frame": 3110,
       "clip_start_sec": 4.0, "clip_end_sec": 12.0, "clip_start_frame": 120, "clip_end_frame": 360,
       "clip_pnr_frame": 230, "state_change": True, "unknown": 1}  # fmt: skip
STILL = {**PNR, "unique_id": "b", "clip_uid": None, "state_change": False, "clip_pnr_frame": None,
         "parent_pnr_frame": None}  # fmt: skip
AV = {"videos": [{"video_uid": "v", "split": "train", "clips": [{
    "clip_uid": "c", "video_uid": "v", "video_start_sec": 10.0, "video_end_sec": 310.0, "valid": True,
    "camera_wearer": {"person_id": "0", "camera_wearer": True, "voice_segments": []},
    "persons": [{"person_id": "1", "camera_wearer": False, "tracking_paths": [
        {"track_id": "t1", "track": [
            {"x": 10.0, "y": -5.0, "width": 80.0, "height": 90.0, "frame": frame, "video_frame": frame + 300,
             "clip_frame": None} for frame in range(0, 40)]},
        {"track_id": "visual_anchor_1", "track": [{"x": 1, "y": 1, "width": 1, "height": 1, "frame": 5,
                                                   "video_frame": 305}]}],
        "voice_segments": [{"start_time": 1.0, "end_time": 1.2, "start_frame": 30, "end_frame": 36,
                            "video_start_time": 11.0, "video_end_time": 11.2, "video_start_frame": 330,
                            "video_end_frame": 336, "person": "1"}]}],
    "social_segments_looking": [{"start_time": 0.4, "end_time": 0.6, "start_frame": 12, "end_frame": 18,
                                 "video_start_time": 10.4, "video_end_time": 10.6, "video_start_frame": 312,
                                 "video_end_frame": 318, "person": "'1'", "target": None, "is_at_me": True}],
    "social_segments_talking": [
        {"start_time": 1.0, "end_time": 1.2, "start_frame": 30, "end_frame": 36, "video_start_time": 11.0,
         "video_end_time": 11.2, "video_start_frame": 330, "video_end_frame": 336, "person": "1", "target": "0"},
        {"start_time": 9.0, "end_time": 9.5, "start_frame": 270, "end_frame": 285, "video_start_time": 19.0,
         "video_end_time": 19.5, "video_start_frame": 570, "video_end_frame": 585, "person": "1", "target": None},
        {"start_time": 1.0, "end_time": 1.2, "start_frame": 30, "end_frame": 36, "video_start_time": 11.0,
         "video_end_time": 11.2, "video_start_frame": 330, "video_end_frame": 336, "person": None, "target": "0"}],
}]}]}  # fmt: skip
META = {"videos": [{"video_uid": "v", "video_metadata": {"display_resolution_width": 100,
                                                         "display_resolution_height": 100}}],
        "clips": [{"clip_uid": "c", "video_uid": "v", "video_start_sec": 10.0, "video_end_sec": 310.0,
                   "clip_metadata": {"display_resolution_width": 200, "display_resolution_height": 100}}]}  # fmt: skip


def action(number: int, **changed: object) -> dict[str, object]:
    return {"video_uid": "v", "clip_uid": "c", "clip_id": 3, "action_idx": number, "clip_parent_start_sec": 50.0,
            "action_clip_start_sec": number * 2.0, "action_clip_end_sec": number * 2.0 + 8, "verb": "take",
            "noun": "cup", "verb_label": number % 3, "noun_label": 1, **changed}  # fmt: skip


def write(root: Path, name: str, value: object) -> None:
    path = root / "v2/annotations" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "fho_oscc-pnr_train.json", {"version": "v2", "clips": [PNR, STILL]})
    write(tmp_path, "fho_oscc-pnr_val.json", [PNR])
    write(tmp_path, "fho_lta_taxonomy.json", {"verbs": ["take", "put", "cut"], "nouns": ["cup", "knife"]})
    write(tmp_path, "fho_lta_train.json", {"clips": [action(number) for number in reversed(range(25))]})
    write(tmp_path, "av_train.json", AV)
    (tmp_path / "v2/ego4d.json").write_text(json.dumps(META))
    return tmp_path


def ego4d(benchmark, **fields):
    return make("datasets", "ego4d", {"benchmark": benchmark, "splits_read": ["train"], **fields})


def test_state_changes_of_full_scale_videos(root):
    found = ego4d("oscc", splits_read=["train", "validation"]).read(root)
    assert [(clip.video, clip.parts) for clip in found.clips] == [("v", ((100.0, 108.0),))] * 3
    assert [clip.labels.get("state_change") for clip in found.clips] == ["yes", "no", "yes"]
    assert found.clips[0].labels["pnr"] == pytest.approx(100 + 110 / 30)
    assert "pnr" not in found.clips[1].labels
    assert found.folds == {"": {"train": (0, 1), "validation": (2,)}}
    assert found.videos == {"v": root / "v2/full_scale/v.mp4"}
    assert found.clips[1].source == "fho_oscc-pnr_train.json, clips[1]"
    assert found.within_videos


def test_state_changes_of_clips(root):
    found = ego4d("pnr", videos_are="clips").read(root)
    assert [(clip.video, clip.parts) for clip in found.clips] == [("c", ((4.0, 12.0),))]
    assert found.clips[0].labels["pnr"] == pytest.approx(4 + 110 / 30)
    assert found.notes == ("1 annotations lie in no clip that is cut out and are left out",)


def test_older_files_and_testing_files(root):
    older = {key: value for key, value in PNR.items() if key != "parent_pnr_frame"} | {"pnr_frame": 3015}
    write(root, "fho_oscc-pnr_train.json", [older])
    assert ego4d("pnr").read(root).clips[0].labels["pnr"] == pytest.approx(100.5)
    bare = {key: PNR[key] for key in PNR if key.startswith("parent") or key in ("unique_id", "video_uid")}
    write(root, "fho_oscc-pnr_test_unannotated.json", {"clips": [bare]})
    assert ego4d("oscc", splits_read=["test"]).read(root).clips[0].labels == {"unique_id": "a"}


def test_actions(root):
    found = ego4d("ar").read(root)
    assert found.classes == {"verb": ("take", "put", "cut"), "noun": ("cup", "knife")}
    assert found.clips[1].parts == ((52.0, 60.0),)
    assert found.clips[1].labels == {"verb": "put", "noun": "knife"}
    assert ego4d("ar", videos_are="clips").read(root).clips[1].parts == ((2.0, 10.0),)


def test_anticipation_windows(root):
    found = ego4d("lta", videos_are="clips").read(root)
    assert len(found.clips) == 4  # 25 actions, 2 seen, 20 ahead
    assert found.clips[0].parts == ((0.0, 8.0), (2.0, 10.0))
    assert found.clips[0].labels["verbs"][:4] == ("cut", "take", "put", "cut")
    assert found.clips[0].labels["key"] == "c_1"
    assert len(found.clips[3].labels["nouns"]) == 20
    assert len(ego4d("lta", drop_last=True).read(root).clips) == 3
    seen = [{key: one[key] for key in one if not key.endswith("_label")} for one in map(action, range(4))]
    write(root, "fho_lta_test_unannotated.json", {"clips": seen})
    tested = ego4d("lta", splits_read=["test"]).read(root)
    assert [clip.parts for clip in tested.clips] == [((54.0, 62.0), (56.0, 64.0))]
    assert tested.clips[0].labels == {"key": "c_3"}


def test_looking_at_me(root):
    found = ego4d("lam", videos_are="clips").read(root)
    assert [clip.labels["looking"] for clip in found.clips] == ["no", "yes", "no"]  # frames 1, 14, 27
    assert found.clips[1].parts == ((11 / 30, 18 / 30),)
    assert {clip.track for clip in found.clips} == {0}
    assert found.classes == {"looking": ("no", "yes")}
    full = ego4d("lam").read(root)
    assert full.clips[1].labels == {"looking": "yes"}  # frame 313


def test_talking_to_me(root):
    found = ego4d("ttm", videos_are="clips").read(root)
    assert [(clip.parts, clip.labels["talking"], clip.track) for clip in found.clips] == [
        (((1.0, 1.2),), "yes", 0), (((9.0, 9.5),), "no", None)
    ]  # fmt: skip
    assert ego4d("ttm").read(root).clips[0].parts == ((11.0, 11.2),)


def test_active_speakers(root):
    found = ego4d("asd", videos_are="clips", piece_frames=30).read(root)
    assert [clip.parts for clip in found.clips] == [((1 / 30, 31 / 30),), ((31 / 30, 40 / 30),)]
    assert found.clips[0].labels["speaking"] == (0,) * 29 + (1,)
    assert found.clips[1].labels["speaking"] == (1,) * 6 + (0,) * 3


def test_segments_may_be_null(root):
    null = copy.deepcopy(AV)
    null["videos"][0]["clips"][0] |= {"social_segments_looking": None, "social_segments_talking": None}
    write(root, "av_train.json", null)
    assert {clip.labels["looking"] for clip in ego4d("lam").read(root).clips} == {"no"}
    with pytest.raises(BadRequest, match="no sample of ttm is left of train"):
        ego4d("ttm").read(root)


def test_faces_and_gaze_beside_the_video(root):
    (root / "v2/gaze").mkdir()
    (root / "v2/gaze/v.csv").write_text(
        "canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\n1,1,0.5,0.25\n11,1,0.5,0.25\n"
    )
    full = ego4d("lam").readings(root, "v")
    assert full["gaze"].seconds[:, 0].tolist() == [1.0, 11.0]
    assert full["boxes"].arrays["box"][0].tolist() == [0.1, 0.0, 0.9, 0.9]
    assert full["boxes"].seconds[0].tolist() == pytest.approx([300 / 30, 301 / 30])
    clip = ego4d("lam", videos_are="clips").readings(root, "c")
    assert clip["gaze"].seconds[:, 0].tolist() == [1.0]
    assert clip["boxes"].arrays["box"][0].tolist() == [0.05, 0.0, 0.45, 0.9]
    assert clip["boxes"].arrays["track"].tolist() == [0] * 39  # frame 0 is left out
    (root / "v2/ego4d.json").unlink()
    with pytest.raises(BadRequest, match=r"ego4d.json does not tell the picture size of 'v'"):
        ego4d("lam").readings(root, "v")


def test_narrations_of_both_releases(root):
    older = {"v": {"narration_pass_1": {"narrations": [{"timestamp_sec": 1.5, "narration_text": "#C C cuts"}]},
                   "status": "complete"}}  # fmt: skip
    write(root, "narration.json", older)
    first = ego4d("narrations").read(root)
    write(root, "narration.json", {"videos": {"v": {"narrations": [{"time": 1.5, "text": "#C C cuts"}]}}})
    second = ego4d("narrations").read(root)
    for found in (first, second):
        assert [(clip.video, clip.parts, clip.labels) for clip in found.clips] == [
            ("v", ((1.5, 1.5),), {"text": "#C C cuts"})
        ]


def test_goal_steps(root):
    step = {"start_time": 1.0, "end_time": 9.0, "step_category": "Cook: boil", "step_description": "boils water",
            "segments": [{"start_time": 2.0, "end_time": 3.0, "step_category": "Fill pot",
                          "step_description": "fills"}]}  # fmt: skip
    write(root, "goalstep_train.json", {"videos": [{"video_uid": "v", "goal_category": "SOUP", "segments": [step]}]})
    found = ego4d("goalstep").read(root)
    assert found.classes == {"step": ("Cook: boil",), "goal": ("SOUP",)}
    assert found.clips[0].parts == ((1.0, 9.0),)
    assert ego4d("goalstep", level="substep").read(root).clips[0].parts == ((2.0, 3.0),)


def test_the_real_goal_step_test_file(shared_data):
    fields = {"annotations": "ego4d", "splits_read": ["test"]}
    found = ego4d("goalstep", **fields).read(shared_data / "annotations")
    raw = json.loads((shared_data / "annotations/ego4d/goalstep_test.json").read_text())["videos"]
    assert len(found.clips) == sum(len(video["step_segments"]) for video in raw)
    assert len(found.videos) == len(raw)
    assert found.clips[0].labels == {"text": "slice broccoli"}


@pytest.mark.parametrize(
    ("benchmark", "changed", "message"),
    [
        ("oscc", {"parent_end_sec": 90.0}, r"pnr_train.json, clips\[0\]: got a segment from 100 to 90 s"),
        ("oscc", {"parent_start_sec": -1.0}, r"clips\[0\]: got a segment from -1 to 108 s, expected 0 <= start"),
        ("oscc", {"parent_start_sec": float("nan")}, r"clips\[0\]: got nan as 'parent_start_sec', expected a number"),
        ("oscc", {"parent_start_sec": "1"}, r"clips\[0\]: got '1' as 'parent_start_sec', expected a number"),
        ("oscc", {"parent_pnr_frame": 9}, r"clips\[0\]: got the PNR frame 9, expected one of 3000 to 3240"),
        ("oscc", {"video_uid": None}, r"clips\[0\]: no 'video_uid' among"),
        ("ar", {"verb_label": 3}, r"fho_lta_train.json, clips\[0\]: got 3 as 'verb_label', expected 0 to 2"),
        ("ar", {"noun_label": -1}, r"clips\[0\]: got -1 as 'noun_label', expected 0 to 1"),
        ("ar", {"verb_label": 1.5}, r"clips\[0\]: got 1.5 as 'verb_label', expected a whole number"),
    ],
)
def test_each_error_is_one_sentence_with_its_place(root, benchmark, changed, message):
    write(root, "fho_oscc-pnr_train.json", {"clips": [{**PNR, **changed}]})
    write(root, "fho_lta_train.json", {"clips": [action(0, **changed)]})
    with pytest.raises(BadRequest, match=message) as caught:
        ego4d(benchmark).read(root)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_annotations(root):
    (root / "v2/annotations/fho_oscc-pnr_train.json").write_text('{"clips": [\n{"a": 1},\n')
    with pytest.raises(BadRequest, match=r"fho_oscc-pnr_train.json, line 3: .*, expected JSON"):
        ego4d("oscc").read(root)
    write(root, "fho_oscc-pnr_train.json", {"videos": []})
    with pytest.raises(BadRequest, match=r"fho_oscc-pnr_train.json: no 'clips' in it"):
        ego4d("oscc").read(root)
    (root / "v2/annotations/fho_oscc-pnr_train.json").unlink()
    with pytest.raises(BadRequest, match=r"fho_oscc-pnr_train.json cannot be read: No such file"):
        ego4d("oscc").read(root)
    bad = copy.deepcopy(AV)
    bad["videos"][0]["clips"][0]["persons"][0]["tracking_paths"][0]["track"][2].pop("width")
    write(root, "av_train.json", bad)
    place = r"av_train.json, videos\[0\].clips\[0\].persons\[0\].tracking_paths\[0\].track\[2\]: got"
    with pytest.raises(BadRequest, match=place):
        ego4d("lam").read(root)
    write(root, "fho_lta_train.json", {"clips": [action(1), action(1)]})
    with pytest.raises(BadRequest, match=r"clips\[1\]: got action_idx 1 of 'c' twice"):
        ego4d("ar").read(root)
