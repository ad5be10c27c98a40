"""`ego export`: stored features, and models of runs, in the files that other programs read."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.errors import BadRequest

if TYPE_CHECKING:
    from ego.pipeline.export_run import Exported, Form
    from ego.pipeline.flow_folder import Suffix

FORMATS = ["flow-folder"]


@click.command()
@click.argument("what", metavar="VIDEO|RUN")
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE]")
@click.option(
    "--store",
    "places",
    multiple=True,
    envvar="EGO_STORE",
    metavar="DIR",
    help="Of a video: the store; a second one is read through. [$EGO_STORE]",
)
@click.option("--with", "name", metavar="NAME", help="Of a video: the extractor, by name or digest.")
@click.option("--as", "form", type=click.Choice(FORMATS), help="Of a video: what is written.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Of a video: the folder; it must not exist yet."
)
@click.option(
    "--picture",
    "suffix",
    type=click.Choice(["jpg", "png"]),
    default="jpg",
    show_default=True,
    help="What flow is drawn into; png loses no more.",
)
@click.option("--bound", type=float, default=20.0, show_default=True, metavar="PIXELS", help="What is black and white.")
@click.option("--to", "program", type=click.Choice(["torch", "onnx"]), help="Of a run: the kind of model in FILE.")
@click.option("--fold", metavar="NAME", help="Of a run of several folds: whose weights.")
@click.option("--weights", multiple=True, metavar="DIR", help="Of a run: where weights files lie. [$EGO_WEIGHTS]")
@click.option(
    "--frame",
    default="340x256",
    show_default=True,
    metavar="WxH",
    help="Of a run: the upright videos it is made for, where pictures keep their shape.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    what: str, path: Path | None, places: tuple[str, ...], name: str | None, form: str | None, out: Path | None,
    suffix: "Suffix", bound: float, program: "Form | None", fold: str | None, weights: tuple[str, ...], frame: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Write what is stored for one VIDEO, or the model of one RUN, in the files that other programs read.

    flow-folder: grey pictures flow_x_00001.jpg and flow_y_00001.jpg for each pair of frames, numbered by the first
    of the two from 1; 0 to 255 are minus to plus 20 pixels (--bound). The folder appears whole or not at all.

    \b
    torch (torch.export, .pt2) and onnx: where the head reads one network of pictures, the model takes uint8 frames
    (clips, windows, frames, height, width, 3) of the size that is printed, with crop and mean inside. Otherwise it is
    the head alone, which takes each feature and its mask by name. It gives scores before softmax by task. What was
    written is run once and held against the run's own model.

    \b
    Examples:
      ego export --store features/ --with tvl1 --as flow-folder --out flow/S2_Cheese_C1 S2_Cheese_C1
      ego export runs/0123456789abcdef --to onnx model.onnx
    """
    if program is not None:
        if path is None or name or form or out:
            raise BadRequest("got --to for a run, expected a FILE after it and none of --with, --as and --out")
        _model(Path(what), path, program, fold, weights, frame, as_json)
        return
    if path is not None or name is None or form is None or out is None or not places:
        raise BadRequest("expected a VIDEO with --store, --with, --as and --out, or a RUN with --to and a FILE")
    _flow(what, places, name, out, suffix, bound, form, as_json)


def _flow(
    video: str, places: tuple[str, ...], name: str, out: Path, suffix: "Suffix", bound: float, form: str, as_json: bool
) -> None:
    from ego.cache.store import FeatureStore
    from ego.pipeline.flow_folder import export_flow

    found = export_flow(FeatureStore(*places), video, name, out, suffix=suffix, bound=bound)
    if as_json:
        facts = {"out": str(out), "as": form, "pairs": found.pairs, "width": found.width, "height": found.height}
        click.echo(json.dumps({**facts, "bound": bound, "cut": round(found.cut, 6)}))
        return
    cut = f"; {found.cut:.2%} of the values lay beyond {bound:g} pixels" if found.cut else ""
    click.echo(f"{out}: {found.pairs} pairs of {found.width}x{found.height} pixels{cut}")


def _model(
    folder: Path, path: Path, program: "Form", fold: str | None, weights: tuple[str, ...], frame: str, as_json: bool
) -> None:
    from ego.pipeline.export_run import export
    from ego.pipeline.read_run import open_run
    from ego.pipeline.weights import WeightFinder

    run = open_run(folder)
    folds = run.pick_folds((fold,) if fold is not None else ())
    if len(folds) > 1:
        raise BadRequest(f"got a run of {len(folds)} folds, expected --fold one of: {', '.join(map(repr, folds))}")
    size = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", frame)
    if size is None:
        raise BadRequest(f"got --frame {frame!r:.40}, expected WxH such as 640x480")
    finder = WeightFinder([Path(one) for one in weights])
    found = export(run, folds[0], finder, program, path, (int(size[1]), int(size[2])))
    click.echo(json.dumps(_facts(found)) if as_json else _words(found))


def _facts(found: "Exported") -> dict[str, Any]:
    return {
        "out": str(found.path),
        "inputs": {name: list(shape) for name, shape in found.inputs.items()},
        "outputs": {name: list(shape) for name, shape in found.outputs.items()},
        "away": found.away,
        "features": found.why or None,
    }


def _words(found: "Exported") -> str:
    inputs, outputs = (
        ", ".join(f"{name} ({', '.join(str(side or 'any') for side in shape)})" for name, shape in some.items())
        for some in (found.inputs, found.outputs)
    )
    tried = (
        "not run, for onnxruntime is missing" if found.away is None else f"within {found.away:.1e} of the run's model"
    )
    head = f"; the head alone, since {found.why}" if found.why else ""
    return f"{found.path}: takes {inputs}, gives {outputs}, {tried}{head}"
