"""Memory does not grow with a video's length, with large rows and a slow extractor either."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "memory.py"


@pytest.mark.slow
def test_a_long_video_takes_no_more_memory_than_a_short_one() -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), "--minutes", "6", "--size", "640x360"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ratios = re.findall(r"^(\w+): .*\((\d+) rows in .*: (\d+\.\d+)x$", done.stdout, re.MULTILINE)
    assert [(kind, int(rows)) for kind, rows, _ in ratios] == [("mean_rgb", 9000), ("flow", 9000), ("slow_flow", 9000)]
    assert max(float(ratio) for *_, ratio in ratios) <= 1.3, done.stdout
