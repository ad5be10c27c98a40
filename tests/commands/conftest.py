"""Two small drawn videos, and the command line to run on them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ego.cli import group
from ego.media.encode import encode

Run = Callable[..., Result]
FRAMES, FPS = 24, 12


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `a.mp4` and `deeper/B.MP4`: two seconds each, one brightening, one darkening."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "deeper").mkdir()
    ramp = np.linspace(20, 230, FRAMES).astype(np.uint8)
    for file, levels in ((folder / "a.mp4", ramp), (folder / "deeper" / "B.MP4", ramp[::-1])):
        encode(file, (np.full((48, 64, 3), level, np.uint8) for level in levels), FPS)
    return folder


@pytest.fixture
def run() -> Run:
    """`run("status", "--store", folder)` is what a user would type; bugs are raised, not hidden in the result."""

    def run(*arguments: object) -> Result:
        done = CliRunner().invoke(group, [str(one) for one in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


@pytest.fixture
def store(run: Run, clips: Path, tmp_path: Path) -> Path:
    """A store that holds mean_rgb of both clips."""
    folder = tmp_path / "features"
    assert run("extract", "--with", "mean_rgb", "--store", folder, clips, "--quiet").exit_code == 0
    return folder


def shard(store: Path, video: str) -> Path:
    """The file that holds the rows of mean_rgb of a video."""
    import ego

    return store / ego.open(str(store)).key(video, "mean_rgb").path / "feature" / "c" / "0" / "0"
