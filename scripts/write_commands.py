"""Writes docs/commands.md from the commands' own help; `--check` says whether it is up to date."""

import os
import sys
from pathlib import Path

import click

from ego.cli import group

FILE = Path(__file__).parents[1] / "docs" / "commands.md"
OPENING = """# Commands

This page is what `ego COMMAND --help` says, written by `make docs`. Exit codes: 0 all done, 1 some videos failed or
some entries are broken, 2 the request cannot mean anything.
"""


def page() -> str:
    """The page, one section a command, in alphabetical order."""
    os.environ["COLUMNS"] = "100"
    with click.Context(group, info_name="ego") as root:
        sections = [_section(name, root) for name in group.list_commands(root)]
    return "\n".join([OPENING, *sections])


def _section(name: str, parent: click.Context, level: str = "##") -> str:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None
    with click.Context(command, info_name=name, parent=parent, terminal_width=100) as context:
        text = f"{level} {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
        inner = command.list_commands(context) if isinstance(command, click.Group) else []
        return "\n".join([text, *(_section(one, context, level + "#") for one in inner)])


def main() -> None:
    """Writes the page, or with `--check` exits with 1 if it would change."""
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if FILE.read_text(encoding="utf-8") == page() else f"{FILE} is not what the commands say: make docs")
    FILE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
