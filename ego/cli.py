"""The command line: a click group whose commands are the files of `ego/commands`.

`ego/commands/fit_heads.py` *is* `ego fit-heads`: its attribute `command`. A file is imported only when
its help is listed or it is run, and what it needs from other rooms only inside its functions.

Exit codes: 0 all done, 1 some videos failed, 2 bad request, 130 interrupted.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import ego
from ego.errors import EgoError
from ego.report.text import one_line

BAD_REQUEST, INTERRUPTED, NO_READER = 2, 130, 141


class Commands(click.Group):
    """The commands found in the folder `ego/commands`, and the one place where errors become words."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, sorted."""
        folder = Path(__file__).parent / "commands"
        return sorted(path.stem.replace("_", "-") for path in folder.glob("[!_]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None where there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"ego.commands.{cmd_name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a user's error is one red line on stderr, a bug keeps its traceback."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except EgoError as error:
            click.secho(f"ego: {one_line(str(error))}", fg="red", err=True)
            ctx.exit(BAD_REQUEST)
        except KeyboardInterrupt:
            click.secho("ego: interrupted; what is finished is kept, run the same command to go on", fg="red", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # `ego status | head`: nobody reads on, which is no error of ours
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(NO_READER)
        return result


@click.command(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(ego.__version__, "--version", prog_name="ego")
def group() -> None:
    """Features of egocentric video: computed once, kept, and learnt from as often as you like.

    \b
    Start with:
      ego extract --with mean_rgb --store features/ VIDEOS/
      ego status --store features/
    """


def main() -> None:
    """Runs `ego` with the arguments of this process and exits with its code."""
    group(prog_name="ego")
