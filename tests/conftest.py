"""Fixtures every test may ask for."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real material: $EGO_TEST_DATA, else ../shared/data beside the project."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("EGO_TEST_DATA", default))
    if not folder.is_dir():
        reason = f"the real test material is not at {folder}; set EGO_TEST_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own cache or reads the user's own settings."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user-cache"))
    for name in ("EGO_WEIGHTS", "EGO_STORE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "user-cache"


def _load(name: str, path: Path) -> ModuleType:
    """A module of test support, importable by its plain name from any test."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


readable = _load("readable", Path(__file__).parent / "media" / "readable.py")
asking = _load("asking", Path(__file__).parent / "media" / "asking.py")
sounding = _load("sounding", Path(__file__).parent / "media" / "sounding.py")


@pytest.fixture(scope="session")
def readable_video() -> Callable[..., Path]:
    """`readable_video(path, frames=60, fps=15, size=(160, 120), codec="libx264", gop=12, ...)`: frame i says i."""
    return readable.readable_video


@pytest.fixture(scope="session")
def read_number() -> Callable[..., int | None]:
    """`read_number(picture)`: the number a picture says, None where it cannot be read."""
    return readable.read_number


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small drawn data set that a mean colour solves: `.data`, `.recipe` and a filled `.store` (see colours.py)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        module = _load("colours", Path(__file__).parent / "pipeline" / "colours.py")
        return module.draw(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="session")
def fitted(colours: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on `colours`, its three folds each right on every clip; never written to."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return sys.modules["colours"].fit(colours, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def steps_task() -> Callable[..., Any]:
    """`steps_task(*shape)`: a task of that shape at each step, judged by square error (see heads/steps.py)."""
    module = _load("steps", Path(__file__).parent / "heads" / "steps.py")
    return lambda *sides: module.Steps(sides=sides)


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Programs that tests start can be interrupted, also where the tests run in the background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
