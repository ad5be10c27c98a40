"""Every call of a write that changes the disk is stopped in turn: nothing is ever torn, the next run heals."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROCESSES = 2


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Path:
    """The library that stops calls, compiled here."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        reason = "stopping system calls needs Linux and a C compiler"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    built = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run(
        [compiler, "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-o", built, HERE / "faults.c", "-ldl"], check=True
    )
    return built


def enumerate_faults(shim: Path, folder: Path, deed: str, stride: int) -> dict:
    """What faults.py counted over every `stride`-th case, in two processes."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{HERE.parents[1]}:{HERE}",
    }
    runs = []
    for share in range(PROCESSES):
        (folder / str(share)).mkdir()
        words = [
            sys.executable,
            HERE / "faults.py",
            folder / str(share),
            deed,
            str(stride * PROCESSES),
            str(stride * share),
        ]
        runs.append(subprocess.Popen(list(map(str, words)), env=environment, stdout=subprocess.PIPE, text=True))
    results = [json.loads(run.communicate()[0].splitlines()[-1]) for run in runs]
    total = results[0]
    total["cases"] = sum(result["cases"] for result in results)
    total["ends"] = sum((Counter(result["ends"]) for result in results), Counter())
    total["bad"] = [problem for result in results for problem in result["bad"]]
    return total


def check(result: dict, points: int, all_of_them: bool) -> None:
    assert result["bad"] == []
    assert result["points"] >= points
    kinds = {end.split(":")[0] for end in result["ends"]}
    assert kinds == {"kill", "EIO once", "EIO for ever", "ENOSPC"}
    assert {end for end in result["ends"] if end.startswith("kill")} == {"kill: killed"}
    if all_of_them:
        assert result["cases"] == 4 * result["points"]


POINTS = {"write": 100, "rewrite": 100, "repair": 100, "remove": 30, "sweep": 25}


# the strides share no factor with the four kinds, so that each kind meets points all along
@pytest.mark.parametrize(
    ("deed", "stride"), [("write", 7), ("rewrite", 31), ("repair", 31), ("remove", 9), ("sweep", 9)]
)
def test_a_fault_tears_nothing_and_the_next_run_heals(shim, fast_path, deed, stride):
    check(enumerate_faults(shim, fast_path, deed, stride), POINTS[deed], False)


@pytest.mark.slow
@pytest.mark.parametrize("deed", list(POINTS))
def test_every_fault_at_every_point_tears_nothing_and_the_next_run_heals(shim, fast_path, deed):
    check(enumerate_faults(shim, fast_path, deed, 1), POINTS[deed], True)


def test_a_careless_writer_is_caught(shim, fast_path):
    """The same faults do tear an entry that is copied to its place: the test can fail."""
    result = enumerate_faults(shim, fast_path, "careless", 9)
    assert any("torn" in problem for problem in result["bad"])
