"""How long `ego extract`, `ego status` and `ego --help` take where everything is stored: 10,000 videos, 5 extractors.

    python benchmarks/nothing_to_do.py [--videos 10000]

Makes that many tiny files and a store with an entry for each and every extractor (copies of real
entries whose markers say so), then runs the commands as a user does, warm. Goal: under 2 s each, 0.3 s for the help.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ego.cache.store import FeatureStore
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.extract import extract
from ego.pipeline.jobs import work
from ego.pipeline.recipe import extractors_from
from ego.pipeline.scan import Memory, scan
from ego.pipeline.weights import WeightFinder
from ego.video import Video

WITH = [f"rgb{fps}=mean_rgb" for fps in range(1, 6)]
SETTINGS = [f"rgb{fps}.window.fps={float(fps)}" for fps in range(1, 6)]


def fill(folder: Path, videos: int) -> None:
    """Writes the files, what this machine remembers of them, and the store."""
    import numpy as np

    from ego.cache.sealed import seal

    (folder / "videos").mkdir()
    picture = np.zeros((32, 32, 3), np.uint8)
    first = encode(folder / "videos" / "0.mp4", [picture] * 30, 15)
    store = FeatureStore(folder / "store", create=True)
    extractors = list(extractors_from(WITH, SETTINGS, WeightFinder()).values())
    with Decoder() as decoder:
        (model,) = scan([first], decoder)
    assert isinstance(model, Video)
    list(extract(work([model], extractors, store), store, {}))
    entries = list(store)
    with Memory() as memory:
        for number in range(1, videos):
            path = folder / "videos" / f"{number}.mp4"
            path.touch()
            path.write_bytes(b"x")
            facts, digest = path.stat(), f"{number:064x}"[::-1]
            memory.remember(
                str(path), facts.st_size, facts.st_mtime_ns, Video(digest, str(number), str(path), model.header)
            )
            store.remember_video(digest, name=str(number), size=1, mtime_ns=facts.st_mtime_ns, facts={})
            for key in entries:
                copy(store.place / key.path, store.place / key.group / digest[:16], digest, seal)


def copy(source: Path, target: Path, digest: str, seal: object) -> None:
    """An entry's folder again under another video: its files linked, its marker with the other digest."""
    for folder, _, names in os.walk(source):
        there = target / Path(folder).relative_to(source)
        there.mkdir(parents=True)
        for name in names:
            if name != "marker.json":
                os.link(Path(folder) / name, there / name)
    content = json.loads((source / "marker.json").read_text())
    content.pop("checksum", None)
    content["key"]["video"] = digest
    (target / "marker.json").write_bytes(seal(content))  # type: ignore[operator]


def timed(command: list[str], environment: dict[str, str]) -> float:
    """The best wall seconds of three runs after one to warm up."""
    best = float("inf")
    for turn in range(4):
        began = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if turn:
            best = min(best, time.perf_counter() - began)
    print(f"  {' '.join(command[2:5])} ... : {best:.2f} s   ({(done.stdout + done.stderr).strip().splitlines()[-1]})")
    return best


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        fill(folder, asked.videos)
        ego = [sys.executable, "-m", "ego"]
        options = [word for pair in WITH for word in ("--with", pair)] + [w for s in SETTINGS for w in ("--set", s)]
        print(f"{asked.videos} videos x {len(WITH)} extractors, all stored; load {os.getloadavg()[0]:.1f}")
        store = ["--store", str(folder / "store")]
        extracting = timed([*ego, "extract", *options, *store, str(folder / "videos")], dict(os.environ))
        telling = timed([*ego, "status", *store], dict(os.environ))
        helping = timed([*ego, "--help"], dict(os.environ))
        print(
            f"extract {extracting:.2f} s, status {telling:.2f} s (goal: under 2 s each), help {helping:.2f} s (0.3 s)"
        )


if __name__ == "__main__":
    main()
