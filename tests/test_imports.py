"""Who may import whom: the contracts in pyproject.toml hold, and each of them bites."""

import ast
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

BREACHES = [
    ("floors:", "cache/_breach.py", "import ego.pipeline.scan"),
    ("floors:", "media/_breach.py", "import ego.signals"),
    ("floors:", "pipeline/_breach.py", "import ego.report.text"),
    ("newcomer", "newcomer.py", ""),
    ("heads know no extractors", "heads/_breach.py", "import ego.extractors._base"),
    ("extractors and tasks read no files", "extractors/_breach.py", "import ego.media"),
    ("only extractors and heads are made of layers", "cache/_breach.py", "import ego.layers"),
    ("report draws what it is handed", "report/_breach.py", "import ego.cache.key"),
    ("no torch outside", "cache/_breach.py", "import torch"),
    ("decord and PyAV in media", "pipeline/_breach.py", "def later():\n    import decord"),
    ("zarr in cache", "report/_breach.py", "from zarr import open_group"),
    ("h5py and lmdb in pipeline.exchange", "pipeline/_breach.py", "import h5py"),
    ("dask in pipeline.cluster", "pipeline/_breach.py", "import distributed"),
]


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Checks the contracts of a checkout, its own code and not the installed one."""
    code = """if True:
        import sys
        sys.path.insert(0, ".")
        from importlinter.cli import lint_imports
        sys.exit(lint_imports(cache_dir=None))"""
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_no_room_imports_what_lies_above_it() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "0 broken" in done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "ego", folder / "ego", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.mark.parametrize(("contract", "file", "code"), BREACHES)
def test_each_contract_notices_a_breach(copy: Path, contract: str, file: str, code: str) -> None:
    breach = copy / "ego" / file
    breach.write_text(code + "\n")
    try:
        done = lint(copy)
    finally:
        breach.unlink()
    told = done.stdout + done.stderr
    assert done.returncode == 1, told[-3000:]
    broken = [line for line in told.splitlines() if " BROKEN" in line or "newcomer" in line]
    assert any(contract in line for line in broken), told[-3000:]


def test_every_library_that_is_imported_is_asked_for_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(one for group in project["optional-dependencies"].values() for one in group)]
    declared = {canonicalize_name(Requirement(one).name) for one in asked}
    sold_as = metadata.packages_distributions()
    for file in [
        path for folder in ("ego", "scripts", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {name.partition(".")[0] for name in names} & sold_as.keys() - {"ego"}:
                assert {canonicalize_name(one) for one in sold_as[top]} & declared, f"{file} imports {top}"


def test_every_room_imports_nothing_by_itself() -> None:
    for file in (ROOT / "ego").glob("*/__init__.py"):
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        assert lines[0].startswith('"""')
        assert not [line for line in lines if line.startswith(("import", "from"))], file
