"""What the documents show is what happens: their examples run, their links lead somewhere, their commands exist."""

import doctest
import itertools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from ego.cli import group

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
RUN = re.compile(r"<!-- (?P<what>run|file: \S+) -->\n```(?P<kind>[a-z]+)\n(?P<text>.*?)```", re.DOTALL)
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
LINES, WIDE = 14, 128
TABLE = """video,start,stop,verb
one,0,3,cut\none,3,6,open\none,6,9,pour
two,0,3,cut\ntwo,3,6,open\ntwo,6,9,pour
"""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the examples run: `videos/kitchen.mp4` and two annotated videos in `kitchens/`."""
    from ego.media.encode import encode

    folder = tmp_path_factory.mktemp("workplace")
    for name in ("videos", "kitchens"):
        (folder / name).mkdir()
    for seed, file in enumerate(("videos/kitchen.mp4", "kitchens/one.mp4", "kitchens/two.mp4")):
        encode(folder / file, _drawn(seed), 12)
    (folder / "kitchens" / "clips.csv").write_text(TABLE)
    return folder


def _drawn(seed: int) -> Iterator[NDArray[np.uint8]]:
    """Nine seconds at 12 frames a second: every three seconds another texture slides by."""
    textures = np.random.default_rng(seed).integers(0, 255, (3, 9, 32, 3), np.uint8)
    for index in range(108):
        wide = textures[index // 36].repeat(20, 0).repeat(20, 1)
        yield wide[:, index : index + 320]


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if RUN.search(path.read_text())], ids=lambda p: p.name)
def test_examples_run_and_print_what_is_shown(document: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    for example in RUN.finditer(document.read_text(encoding="utf-8")):
        if example["what"] != "run":
            (workplace / example["what"].removeprefix("file: ")).write_text(example["text"])
        elif example["kind"] == "pycon":
            _session(example["text"], document)
        else:
            _commands(example["text"])


def _session(text: str, document: Path) -> None:
    parsed = doctest.DocTestParser().get_doctest(text, {}, document.name, str(document), 0)
    told: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(parsed, out=told.append).failed == 0, "".join(told)


def _commands(text: str) -> None:
    """Runs each `$ ` line; lines that follow it must be what it prints."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "ego"
        done = CliRunner().invoke(group, arguments, catch_exceptions=False)
        assert done.exit_code == 0, f"{command}\n{done.stderr}"
        assert shown in ("", done.stdout), f"{command} prints\n{done.stdout}"


def test_every_make_target_that_is_mentioned_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        mentioned = set(re.findall(r"`make ([a-z-]+)`|\$ make ([a-z-]+)", document.read_text()))
        assert {name for pair in mentioned for name in pair if name} <= targets, document


def test_every_link_leads_to_a_file() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_commands.py", "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def test_every_command_that_a_document_shows_exists() -> None:
    known = set(group.list_commands(click.Context(group)))
    for document in DOCUMENTS:
        text = document.read_text()
        shown = set(re.findall(r"(?:^\$ |^  |`)ego ([a-z][a-z-]*)", text, re.MULTILINE))
        assert shown <= known, f"{document.name} shows {shown - known}"


def test_requirements_pin_all_that_the_project_asks_for() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_requirements.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_opens_with_its_cost_its_score_and_its_source(recipe: Path) -> None:
    opening = list(itertools.takewhile(lambda line: line.startswith("#"), recipe.read_text().splitlines()))
    parts = {word: [line for line in opening if line.startswith(f"# {word}: ")] for word in ("Cost", "Score", "Source")}
    assert {word: len(lines) for word, lines in parts.items()} == {"Cost": 1, "Score": 1, "Source": 1}
    assert "not measured" not in " ".join(opening)
    assert any(character.isdigit() for character in "".join(opening[1:]).partition("# Score: ")[0]), "a cost in figures"
    assert len(opening) <= LINES
    assert max(map(len, opening)) <= WIDE


def test_the_table_of_recipes_has_every_recipe() -> None:
    table = (ROOT / "docs" / "performance.md").read_text().partition("\n## Recipes\n")[2].partition("\n## ")[0]
    assert {path.stem for path in RECIPES} == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
