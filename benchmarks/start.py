"""From the start of the program to the first step of `ego fit-heads`, with and without kept rows.

python benchmarks/start.py [--clips 10000] [--rows 8] [--width 1024] [--repeats 3]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _cached import World, build

START = """
import sys, time
from pathlib import Path
from ego.cache.store import FeatureStore
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.packs import Packs, packs_folder
from ego.pipeline.weights import WeightFinder
root, started = Path(sys.argv[1]), float(sys.argv[2])
finder = WeightFinder([])
read = recipe.read(root / "recipe.toml", ["training.seed=" + sys.argv[3]], finder)
with Decoder() as decoder:
    at = Workplace(root, FeatureStore(root / "store"), finder, decoder, root / "runs", packs=Packs(packs_folder()))
    for number, event in enumerate(fit(read, at)):
        if not number:
            print(time.time() - started, time.process_time())
"""


def starts(world: World, repeats: int) -> None:
    """From the start of the program to its first step, with and without kept rows; wall time."""
    size = world.pack["feature"].nbytes
    world.pack["feature"].tofile(world.root / "plain.bin")
    with tempfile.TemporaryDirectory() as cache:
        for turn in range(repeats):
            environment = {**os.environ, "XDG_CACHE_HOME": f"{cache}/{turn}"}
            for words in ("cold", "warm"):
                asked = [
                    sys.executable,
                    "-c",
                    START,
                    str(world.root),
                    str(time.time()),
                    f"{turn + 1}{int(words == 'warm')}",
                ]
                done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
                wall, cpu = map(float, done.stdout.split())
                goal = "3 s" if words == "warm" else "one sequential read"
                print(f"first step, {words}: {wall:.2f} s, of it {cpu:.2f} s of CPU time, goal {goal}", flush=True)
            imports = time.perf_counter()
            subprocess.run([sys.executable, "-c", "import ego.pipeline.fit"], check=True)
            imports = time.perf_counter() - imports
            read = time.perf_counter()
            np.fromfile(world.root / "plain.bin", np.uint8)
            read = time.perf_counter() - read
            print(f"  of which importing {imports:.2f} s; one sequential read of {size / 1e6:.0f} MB {read:.2f} s")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("clips", 10_000), ("rows", 8), ("width", 1024), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    print(f"{asked}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        starts(build(Path(folder), asked.clips, asked.rows, asked.width, 10), asked.repeats)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
