"""`ego export`: stored features in the files that other programs read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ego.commands._request import store_option

if TYPE_CHECKING:
    from ego.pipeline.flow_folder import Suffix

FORMATS = ["flow-folder"]


@click.command()
@click.argument("video")
@store_option
@click.option("--with", "name", required=True, metavar="NAME", help="The extractor, by name or digest.")
@click.option("--as", "form", type=click.Choice(FORMATS), required=True, help="What is written.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The folder; it must not exist yet."
)
@click.option(
    "--picture", "suffix", type=click.Choice(["jpg", "png"]), default="jpg", show_default=True,
    help="What flow is drawn into; png loses no more.",
)  # fmt: skip
@click.option("--bound", type=float, default=20.0, show_default=True, metavar="PIXELS", help="What is black and white.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    video: str, places: tuple[str, ...], name: str, form: str, out: Path, suffix: "Suffix", bound: float, as_json: bool
) -> None:
    """Write what is stored for one VIDEO, by its name or digest, in the files that other programs read.

    flow-folder: grey pictures flow_x_00001.jpg and flow_y_00001.jpg for each pair of frames, numbered by the first
    of the two from 1; 0 to 255 are minus to plus 20 pixels (--bound). The folder appears whole or not at all.

    \b
    Examples:
      ego export --store features/ --with tvl1 --as flow-folder --out flow/S2_Cheese_C1 S2_Cheese_C1
    """
    from ego.cache.store import FeatureStore
    from ego.pipeline.flow_folder import export_flow

    found = export_flow(FeatureStore(*places), video, name, out, suffix=suffix, bound=bound)
    if as_json:
        facts = {"out": str(out), "as": form, "pairs": found.pairs, "width": found.width, "height": found.height}
        click.echo(json.dumps({**facts, "bound": bound, "cut": round(found.cut, 6)}))
        return
    cut = f"; {found.cut:.2%} of the values lay beyond {bound:g} pixels" if found.cut else ""
    click.echo(f"{out}: {found.pairs} pairs of {found.width}x{found.height} pixels{cut}")
