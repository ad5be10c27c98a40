"""BeGaze exports: columns by name and TAB, both versions, the types of samples, the counts of real files."""

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.gaze import FIXATION, SACCADE, TRUNCATED, UNKNOWN, UNTRACKED, by_frame
from ego.signals.begaze import official_frames, read_begaze

HEAD = "## [BeGaze]\n## Version:\tBeGaze 3.1.77\n## Number of Samples:\t{count}\n## Calibration Area:\t1280\t960\n##\n"
SMALL = ["Time", "Type", "Trial", "L POR X [px]", "L POR Y [px]", "Frame", "Aux1", "L Event Info"]


def export(path, rows, columns=SMALL, ends="\n", aux=""):
    """Writes an export of (x, y, frame, event) rows and reads it."""
    lines = ["\t".join(columns)]
    for x, y, frame, event in rows:
        cells = {"Time": "1", "Type": "SMP", "Trial": "1", "Frame": frame, "Aux1": aux}
        cells |= {f"{eye} POR X [px]": x for eye in "BLR"} | {f"{eye} POR Y [px]": y for eye in "BLR"}
        cells |= {"L Event Info": event, "B Event Info": event}
        lines.append("\t".join(str(cells.get(name, "-")) for name in columns))
    text = HEAD.format(count=len(rows)) + "\n".join(lines) + "\n"
    path.write_bytes(text.replace("\n", ends).encode())
    return read_begaze(path)


def test_a_point_in_the_middle(tmp_path):
    samples = export(tmp_path / "a.txt", [(640, 480, 10, "Fixation")])
    reading = samples.reading()
    assert reading.kind == "gaze"
    assert reading.arrays["point"].tolist() == [[0.5, 0.5]]
    assert reading.arrays["type"].tolist() == [FIXATION]
    assert reading.seconds.tolist() == [[10.5 / 24, 10.5 / 24]]
    assert samples.stated == 1


def test_types_in_their_order(tmp_path):
    rows = [(-5, 480, 0, "Fixation"), ("NaN", "NaN", 1, "Blink"), (0, 0, 2, "Fixation"), (10, 10, 3, "Saccade"),
            (10, 10, 4, "Blink"), (10, 10, 5, "-"), (1279.5, 0, 6, "Blink"), (1279, 959, 7, "Fixation")]  # fmt: skip
    reading = export(tmp_path / "a.txt", rows).reading()
    assert reading.arrays["type"].tolist() == [
        TRUNCATED, UNTRACKED, UNTRACKED, SACCADE, UNKNOWN, UNKNOWN, TRUNCATED, FIXATION
    ]  # fmt: skip
    assert reading.arrays["point"][0].tolist() == [0.0, 0.5]
    assert reading.arrays["point"][1].tolist() == [0.0, 0.0]
    assert reading.arrays["blink"].tolist() == [False, True, False, False, True, False, True, False]


def test_a_time_code_is_a_frame(tmp_path):
    assert export(tmp_path / "a.txt", [(1, 1, "00:01:02:03", "Fixation")]).frame.tolist() == [1491]


@pytest.mark.parametrize(("ends", "aux"), [("\r\n", ""), ("\r", ""), ("\n", "marker")])
def test_line_ends_and_the_empty_column_change_nothing(tmp_path, ends, aux):
    rows = [(1, 2, 3, "Fixation"), (4, 5, 6, "Saccade")]
    plain = export(tmp_path / "a.txt", rows)
    other = export(tmp_path / "b.txt", rows, ends=ends, aux=aux)
    assert other.reading().digest == plain.reading().digest


def test_columns_are_found_by_name_and_both_eyes_are_preferred(tmp_path):
    rows = [(100, 200, 3, "Fixation")]
    plain = export(tmp_path / "a.txt", rows)
    shuffled = ["Time", *SMALL[:0:-1]]
    assert export(tmp_path / "c.txt", rows, columns=shuffled).reading().digest == plain.reading().digest
    path = tmp_path / "d.txt"
    path.write_text("Time\tL POR X [px]\tL POR Y [px]\tB POR X [px]\tB POR Y [px]\tFrame\tB Event Info\n"
                    "1\t9\t9\t640\t480\t0\tFixation\n")  # fmt: skip
    assert read_begaze(path).reading().arrays["point"].tolist() == [[0.5, 0.5]]


def test_the_value_of_a_frame(tmp_path):
    rows = [(100, 100, 0, "Fixation"), (300, 300, 0, "Saccade"), (900, 900, 0, "Saccade"), (50, 50, 2, "Blink")]
    samples = export(tmp_path / "a.txt", rows)
    point, kinds, _ = by_frame(samples.reading(), np.arange(4) / 24)
    assert kinds.tolist() == [FIXATION, UNTRACKED, UNKNOWN]
    assert (point[0] * [1280, 960]).tolist() == [100, 100]
    point, kinds = official_frames(samples)
    assert (point[0] * [1280, 960]).tolist() == [550, 550]  # ((100 + 300) / 2 + 900) / 2
    assert kinds.tolist() == [SACCADE, 0, UNKNOWN]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Time Type Trial\n", "a.txt: no line begins with 'Time' and a TAB"),
        ("Time\tFrame\n", r"a.txt, line 1: got none of the column 'B POR X \[px\]'"),
        ("\t".join(SMALL) + "\n1\tSMP\t1\t5\t5\t0\tFixation\n", "a.txt, line 2: got 7 cells, expected 8"),
        ("\t".join(SMALL) + "\n1\tSMP\t1\tx\t5\t0\t\t-\n", "a.txt, line 2: got 'x' as a gaze point"),
        ("\t".join(SMALL) + "\n1\tSMP\t1\t5\t5\tnan\t\t-\n", "a.txt, line 2: got 'nan' as 'Frame'"),
        ("\t".join(SMALL) + "\n1\tSMP\t1\t5\t5\t00:00:00:24\t\t-\n", "line 2: got '00:00:00:24' as 'Frame'"),
    ],
)
def test_each_error_is_one_sentence_with_file_and_line(tmp_path, text, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(BadRequest, match=message) as caught:
        read_begaze(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


COUNTS = {
    "OP01-R04-ContinentalBreakfast": (
        [0, 10935, 3460, 3, 327], (11786, 11266), (659.877, 528.980), [521, 8353, 2901, 12, 0],
        [521, 8331, 2684, 3, 248], (8643, 11038), (0.2550625, 0.5104375),
    ),
    "P06-R02-TurkeySandwich": (
        [306, 2081, 2658, 4471, 7978], (13972, 13872), (634.549, 688.210), [101, 2336, 4183, 7353, 0],
        [101, 1632, 2111, 3731, 6398], (1779, 3966), (0.64687891, 0.25404687),
    ),
}  # fmt: skip


@pytest.mark.parametrize("session", COUNTS)
def test_the_counts_of_two_real_exports(shared_data, session):
    kinds, (last, held), mean, official, truncated, (fixed, moving), third = COUNTS[session]
    samples = read_begaze(shared_data / "annotations/egtea_gaze" / f"{session}.txt")
    assert np.bincount(samples.types, minlength=5).tolist() == kinds
    assert (samples.frame.max(), len(set(samples.frame.tolist()))) == (last, held)
    assert samples.pixels[samples.types == FIXATION].mean(axis=0) == pytest.approx(mean, abs=5e-4)
    point, found = official_frames(samples)
    assert np.bincount(found, minlength=5).tolist() == official
    assert point[3] == pytest.approx(third, abs=1e-8)
    assert np.bincount(official_frames(samples, keep_truncated=True)[1], minlength=5).tolist() == truncated
    _, found, _ = by_frame(samples.reading(), np.arange(last + 2) / 24)
    assert ((found == FIXATION).sum(), np.isin(found, [FIXATION, SACCADE]).sum()) == (fixed, moving)


def test_every_real_export_is_read_with_plausible_fixations(shared_data):
    files = sorted((shared_data / "annotations/egtea_gaze").glob("*-R??-*.txt"))
    assert len(files) == 5
    for file in files:
        samples = read_begaze(file)
        assert samples.stated == len(samples.frame)
        fixed = samples.types == FIXATION
        assert 0.1 < fixed.mean() < 0.9
        assert (samples.reading().arrays["point"] <= 1).all()
        # people look at what their hands do: below the middle, off the edges
        assert (samples.pixels[fixed].mean(axis=0) / samples.area > 0.3).all()
        assert (samples.pixels[fixed].mean(axis=0) / samples.area < 0.8).all()
