"""Fixtures every test may ask for."""

import os
from pathlib import Path

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
