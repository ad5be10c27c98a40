"""What commands on a finished run share: which run, where its data and features lie, what decodes."""

from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ego.commands._request import skip_missing_option
from ego.errors import BadRequest

if TYPE_CHECKING:
    from ego.cache.store import FeatureStore
    from ego.pipeline.read_run import Run

Command = Callable[..., Any]

_options = [
    click.argument("folder", metavar="RUN", type=click.Path(path_type=Path)),
    click.option("--store", "places", multiple=True, envvar="EGO_STORE", metavar="DIR",
                 help="The store; a second one is read through. [default: the run's; $EGO_STORE]"),
    click.option("--weights", multiple=True, metavar="DIR", help="Where weights files lie. [$EGO_WEIGHTS]"),
    click.option("--fold", "folds", multiple=True, metavar="NAME", help="This fold's weights only; repeat for more."),
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    click.option("--decoder", "decoder_name", type=click.Choice(["auto", "decord", "pyav", "nvdec"]), default="auto",
                 show_default=True, help="What decodes."),
    click.option("--rehash", is_flag=True, help="Read every byte again instead of trusting name, size and date."),
]  # fmt: skip
_data_options = [
    click.option("--data", metavar="DIR", help="Where the data set lies. [default: where the run found it]"),
    skip_missing_option,
]


def on_run(command: Command) -> Command:
    """Adds a run and its places; the function gets `run`, `at` (a Workplace) and `folds`."""

    @wraps(command)
    def with_run(
        folder: Path, places: tuple[str, ...], weights: tuple[str, ...], device: str, decoder_name: Any, rehash: bool,
        data: str | None = None, skip_missing: bool = False, **rest: Any,
    ) -> Any:  # fmt: skip
        from ego.media.decode import Decoder
        from ego.pipeline.device import device_of
        from ego.pipeline.fit import Workplace
        from ego.pipeline.read_run import open_run
        from ego.pipeline.weights import WeightFinder

        run = open_run(folder)
        root = Path(data or str(run.about["recipe"]["data"]))
        finder = WeightFinder([Path(one) for one in weights])
        with Decoder(decoder_name) as decoder:
            at = Workplace(
                root, store_of(run, places), finder, decoder, folder.parent, device_of(device), rehash, skip_missing,
                partial(click.echo, err=True),
            )  # fmt: skip
            return command(run=run, at=at, **rest)

    return _with_options(with_run, _options)


def on_data(command: Command) -> Command:
    """As `on_run`, on the run's data set or, with `--data`, one that lies elsewhere."""
    return _with_options(on_run(command), _data_options)


def _with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def store_of(run: "Run", places: tuple[str, ...]) -> "FeatureStore":
    """The store named, or the one the run was made from; one that is gone is a BadRequest."""
    from ego.cache.store import FeatureStore

    named = places or tuple(run.about["recipe"]["store"])
    if not places and not Path(named[0]).is_dir():
        raise BadRequest(f"the run's store {named[0]} is not there; name it with --store DIR")
    return FeatureStore(*named)
