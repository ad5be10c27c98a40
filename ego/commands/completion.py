"""`ego completion`: the script that lets a shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from ego.errors import BadRequest


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes `ego` in your shell.

    \b
    Example, for ~/.bashrc:
      eval "$(ego completion bash)"
    """
    made = get_completion_class(shell)
    if made is None:
        raise BadRequest(f"got {shell!r}, expected bash, zsh or fish")
    root = context.find_root()
    click.echo(made(root.command, {}, "ego", "_EGO_COMPLETE").source())
