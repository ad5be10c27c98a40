"""The command line as a user meets it: help, exit codes, errors in one line, nothing heavy loaded."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ego import cli
from ego.errors import BadRequest, BrokenEntry, NotExtracted

HEAVY = {"torch", "zarr", "dask", "av", "decord", "rich", "numpy", "PIL", "h5py", "onnxruntime", "sklearn"}


def ego(*arguments: str, **more: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ego", *arguments], capture_output=True, text=True, check=False, **more
    )


@pytest.mark.parametrize("code", ["import ego", "import ego; ego.BadRequest", "import ego.cli"])
def test_importing_ego_loads_nothing_heavy(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert HEAVY & {name.partition(".")[0] for name in done.stdout.split()} == set()


def test_help_loads_nothing_heavy_though_it_lists_every_command() -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "ego", "--help"], capture_output=True, text=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_every_file_of_commands_is_a_command_with_help_and_an_example_to_copy() -> None:
    files = {path.stem for path in (Path(cli.__file__).parent / "commands").glob("[!_]*.py")}
    listed = set(cli.group.list_commands(click.Context(cli.group)))
    assert listed == {name.replace("_", "-") for name in files}
    for name in listed:
        shown = CliRunner().invoke(cli.group, [name, "-h"])
        assert shown.exit_code == 0, name
        assert f"  ego {name}" in shown.output or f"(ego {name}" in shown.output, f"{name} has no example"


def test_a_file_with_an_underscore_is_a_command_with_a_hyphen() -> None:
    for path in (Path(cli.__file__).parent / "commands").glob("[!_]*_*.py"):
        assert cli.group.get_command(click.Context(cli.group), path.stem.replace("_", "-")) is not None
        assert cli.group.get_command(click.Context(cli.group), path.stem) is None


def test_version_is_the_packages() -> None:
    import ego as package

    assert ego("--version").stdout == f"ego, version {package.__version__}\n"


def test_an_unknown_command_or_option_is_a_bad_request() -> None:
    assert ego("no-such-command").returncode == 2
    assert ego("ls", "--no-such-option").returncode == 2


@pytest.mark.parametrize("error", [BadRequest("no\nsuch thing"), NotExtracted("not there"), BrokenEntry("torn")])
def test_a_users_error_is_one_line_and_exit_code_2(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: command)
    done = CliRunner().invoke(cli.group, ["anything"])
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [f"ego: {str(error).encode('unicode_escape').decode()}"]


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def command() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli.Commands, "get_command", lambda *_: command)
    assert isinstance(CliRunner().invoke(cli.group, ["anything"]).exception, ZeroDivisionError)


SLEEPER = """
import click, sys, time
from ego import cli
@click.command()
def command():
    print("ready", flush=True)
    time.sleep(60)
cli.Commands.get_command = lambda *_: command
sys.argv = ["ego", "sleep"]
cli.main()
"""


def test_control_c_is_one_line_and_130() -> None:
    running = subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert len(told.splitlines()) == 1
    assert "interrupted" in told


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run([sys.executable, "-m", "ego", "ls", "extractors"], stdout=closed, stderr=subprocess.PIPE)
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_calls_ego(shell: str) -> None:
    done = CliRunner().invoke(cli.group, ["completion", shell])
    assert done.exit_code == 0
    assert f"_EGO_COMPLETE={shell}_complete" in done.output


def test_completion_knows_the_commands() -> None:
    words = {**os.environ, "_EGO_COMPLETE": "bash_complete", "COMP_WORDS": "ego ex", "COMP_CWORD": "1"}
    script = "from ego.cli import group; group(prog_name='ego')"
    done = subprocess.run([sys.executable, "-c", script], env=words, capture_output=True, text=True)
    assert "plain,extract" in done.stdout


def test_ls_lists_every_extractor_with_a_line_and_one_with_its_fields() -> None:
    from ego.spec import names

    listed = [json.loads(line) for line in ego("ls", "extractors", "--json").stdout.splitlines()]
    assert [row["name"] for row in listed] == names("extractors")
    assert all(row["what it is"] for row in listed)
    fields = [json.loads(line) for line in ego("ls", "extractors", "mean_rgb", "--json").stdout.splitlines()]
    assert "window" in [row["field"] for row in fields]


def test_ls_of_something_unknown_lists_the_choices() -> None:
    done = ego("ls", "extractors", "nothing_like_it")
    assert done.returncode == 2
    assert "mean_rgb" in done.stderr
