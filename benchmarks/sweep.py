"""`ego fit-heads` of 32 settings over the same command of one, from start to end: all cores, wall time.

python benchmarks/sweep.py [--clips 10000] [--rows 8] [--width 1024] [--epochs 100] [--repeats 3]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _cached import build, in_turn, say, timed_by

SWEEPS = ("--sweep", "lr=1e-4,3e-4,1e-3,3e-3", "--sweep", "weight_decay=0,1e-3,1e-2,3e-2,0.1,0.2,0.3,0.5")
HEADS = {"linear": ("head.name=linear",), "mlp of 16 hidden": ("head.name=mlp", "head.hidden=[16]")}


def command(root: Path, settings: tuple[str, ...], *sweeps: str) -> None:
    """Runs it, into a folder of runs of its own."""
    with tempfile.TemporaryDirectory() as runs:
        words = ["fit-heads", str(root / "recipe.toml"), "--data", str(root), "--store", str(root / "store")]
        given = [part for one in settings for part in ("--set", one)]
        asked = [sys.executable, "-m", "ego", *words, "--out", runs, *given, *sweeps]
        subprocess.run(asked, check=True, capture_output=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("clips", 10_000), ("rows", 8), ("width", 1024), ("epochs", 100), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    timed_by(time.perf_counter)
    print(f"{asked}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        root = build(Path(folder), asked.clips, asked.rows, asked.width, 10).root
        os.environ["XDG_CACHE_HOME"] = str(root / "kept")
        for words, settings in HEADS.items():
            trained = (*settings, f"training.epochs={asked.epochs}")

            def one(trained: tuple[str, ...] = trained) -> None:
                command(root, trained)

            def many(trained: tuple[str, ...] = trained) -> None:
                command(root, trained, *SWEEPS)

            say(f"ego fit-heads of 32 {words} settings / of one", *in_turn(asked.repeats, many, one), "4")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
