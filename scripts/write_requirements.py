"""Writes requirements.txt: every package that pyproject.toml asks for and all they need, pinned as installed here."""

import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILE = ROOT / "requirements.txt"
OPENING = """\
# What ego runs, is tested and is checked with: pinned exactly, written by `make pins` from pyproject.toml and what is
# installed. For Python 3.11 on x86-64 Linux. torch is spelled plainly: which build pip finds (CPU or CUDA) is the
# machine's choice; the libraries a CUDA build brings with it are pinned by torch itself.
"""


def declared() -> list[Requirement]:
    """What pyproject.toml asks for: to run, for models, to develop and to build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [one for group in project["project"]["optional-dependencies"].values() for one in group]
    return [
        Requirement(one) for one in (*project["project"]["dependencies"], *extras, *project["build-system"]["requires"])
    ]


def closure(wanted: list[Requirement]) -> dict[str, str]:
    """Version by name of these packages and all that they need here."""
    found: dict[str, str] = {}
    waiting = list(_applicable(wanted, set()))
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name not in found or one.extras:
            found[name] = metadata.version(name).partition("+")[0]
            waiting += _applicable([Requirement(text) for text in metadata.requires(name) or []], one.extras)
    return found


def _applicable(wanted: list[Requirement], extras: set[str]) -> Iterator[Requirement]:
    for one in wanted:
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            yield one


def page() -> str:
    """The file, one package a line, sorted."""
    return OPENING + "".join(f"{name}=={version}\n" for name, version in sorted(closure(declared()).items()))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if FILE.read_text() == page() else f"{FILE} is not what pyproject.toml asks for: make pins")
    FILE.write_text(page())
