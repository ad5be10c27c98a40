"""Models of `transformers` as modules that take frames: loaded strictly, without its processors or its hub."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ego.errors import BadRequest
from ego.extractors._above import Above
from ego.extractors._tapped import _autocast, centre_crop
from ego.extractors._viewed import seen
from ego.extractors._views import ONE, views_of
from ego.extractors._weights import KeysDiffer, _open, _some, initialise
from ego.fields import Weights

if TYPE_CHECKING:
    from ego.extractors.hf import Hf

CLIPS = ("frames_per_clip", "num_frames")
"""What a configuration calls the frames of a clip; an image model has neither."""
FRAMES_LAST = ("timesformer",)
"""Models whose tokens run over the frames of one patch before they go on to the next patch."""


def frames_of(config: str) -> int | None:
    """How many frames the model of a configuration sees; None for a model of single pictures."""
    made = _config(config)
    found = (getattr(made, name, None) for name in CLIPS)
    return next((int(frames) for frames in found if frames), None)


def default_output(spec: "Hf") -> str:
    """`pooled` where the model pools by itself, else `cls` where it has such a token, else `mean`."""
    with _fitting(spec):
        if Seen(_empty(spec.config), spec, "pooled").pools(_grey(spec)):
            return "pooled"
        return "cls" if Seen(_empty(spec.config), spec, "cls").prefix(_grey(spec)) else "mean"


def row_shape(spec: "Hf") -> tuple[int, ...]:
    """The shape of one row, found by a run that computes no number and needs no weights."""
    with _fitting(spec):
        row = Seen(_empty(spec.config), spec, spec.output).row(_grey(spec))
    return tuple(row.shape[1:])


def build(spec: "Hf", files: Mapping[Weights, Path]) -> nn.Module:
    """The model of a spec with its weights, in eval mode, every tensor filled from the file."""
    return Seen(_loaded(spec.config, spec.weights, files), spec, spec.output).eval()


def above_pooled(spec: "Hf", files: Mapping[Weights, Path]) -> nn.Module:
    """The classifier of a model, in eval mode."""
    whole = Seen(_loaded(spec.config, spec.weights, files), spec, "logits").model
    return Above(whole, ("classifier",), _classified, "feature", spec.precision).eval()


def _classified(model: nn.Module, rows: torch.Tensor) -> torch.Tensor:
    scores: torch.Tensor = model.get_submodule("classifier")(rows)
    return scores


class Seen(nn.Module):
    """Frames cropped, scaled and shown to a model; the wanted output arranged as a row."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, spec: "Hf", output: str) -> None:
        super().__init__()
        self._spec, self._output = spec, output
        self._type = str(json.loads(spec.config)["model_type"])
        self._classifies = isinstance(getattr(model, "classifier", None), nn.Module) and output in ("logits", "pooled")
        if output == "logits" and not self._classifies:
            raise BadRequest(
                f"got output logits of {type(model).__name__}, which has no classifier; take another output"
            )
        if self._classifies and output == "pooled":
            model.classifier = nn.Identity()  # what it would see is what comes out
        self.model = model if self._classifies else _trunk(model)
        self._sees_clips = frames_of(spec.config) is not None
        if not self._sees_clips and spec.window.frames != 1:
            raise BadRequest(f"got a window of {spec.window.frames} frames for {self._type}, which sees one")
        device = next(model.parameters()).device
        self.register_buffer("mean", torch.tensor(spec.mean, device=device), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std, device=device), persistent=False)

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"feature": (B, [views,] *shape) float32} of frames (B, T, H, W, 3) uint8."""
        spelt = self._spec.views
        if spelt == ONE:
            return {"feature": self.row(frames)}
        rows = seen(frames, views_of(spelt, self._spec.name), self._spec.size, self.row)
        return {"feature": rows if len(spelt) == 1 else rows.reshape(-1, len(spelt), *rows.shape[1:])}

    def row(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, *shape) float32 of the centre crops of frames."""
        return self._arranged(self._run(frames)).float()

    def pools(self, frames: torch.Tensor) -> bool:
        """Whether the model gives one vector by itself."""
        return self._classifies or self._run(frames).get("pooler_output") is not None

    def prefix(self, frames: torch.Tensor) -> int:
        """How many tokens stand before those of the patches."""
        return self._split(self._run(frames))[0].shape[1]

    def _run(self, frames: torch.Tensor) -> Any:
        spec = self._spec
        x = centre_crop(frames, spec.size, spec.size).float() * spec.factor
        x = ((x - self.mean) / self.std).permute(0, 1, 4, 2, 3)
        shown = x if self._sees_clips else x[:, 0]
        more: dict[str, Any] = {"return_dict": True}
        if self._type == "vjepa2" and not self._classifies:
            more["skip_predictor"] = True
        if self._type == "hiera" and not self._classifies:
            more["output_hidden_states"] = True
        name = str(getattr(self.model, "main_input_name", "pixel_values"))
        with _autocast("cuda" if frames.is_cuda else "cpu", spec.precision):
            found = self.model(**{name: shown}, **more)
        if found.get("ids_restore") is not None:
            raise BadRequest(
                f"got {type(self.model).__name__}, which hides patches at random: no two runs are equal; write its "
                "encoder as a model that sees all, such as a ViT"
            )
        return found

    def _arranged(self, found: Any) -> torch.Tensor:
        if self._classifies:
            scores: torch.Tensor = found.logits
            return scores.flatten(1)
        if self._output == "pooled":
            return self._pooled(found)
        before, grid = self._split(found)
        if self._output == "cls":
            if not before.shape[1]:
                raise BadRequest(f"got output cls of {type(self.model).__name__}, which has no such token; take mean")
            return before[:, 0]
        if self._output == "grid":
            return grid if self._spec.window.frames > 1 else grid[:, :, 0]
        tokens = grid.flatten(2).transpose(1, 2)
        return tokens.mean(dim=1) if self._output == "mean" else tokens

    def _pooled(self, found: Any) -> torch.Tensor:
        pooled: torch.Tensor | None = found.get("pooler_output")
        if pooled is None:
            raise BadRequest(f"got output pooled of {type(self.model).__name__}, which does not pool; take mean or cls")
        return pooled.flatten(1)

    def _split(self, found: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """The tokens before the patches' (B, P, D), and the patches' as (B, D, T', h, w)."""
        tokens: torch.Tensor = found.last_hidden_state
        if found.get("reshaped_hidden_states"):  # in the order of the picture, which the tokens of Hiera are not
            return tokens[:, :0], found.reshaped_hidden_states[-1].permute(0, 3, 1, 2)[:, :, None]
        if tokens.ndim == 4:
            return tokens.flatten(2).transpose(1, 2)[:, :0], tokens[:, :, None]
        moments, side = self._grid(tokens.shape[1])
        first = tokens.shape[1] - moments * side * side
        before, patches = tokens[:, :first], tokens[:, first:]
        if self._type in FRAMES_LAST:
            return before, patches.reshape(len(patches), side, side, moments, -1).permute(0, 4, 3, 1, 2)
        return before, patches.reshape(len(patches), moments, side, side, -1).permute(0, 4, 1, 2, 3)

    def _grid(self, tokens: int) -> tuple[int, int]:
        """(moments, cells a side) of the patches; a network that narrows from stage to stage tells by its tokens."""
        config = getattr(self.model.config, "vision_config", None) or self.model.config
        patch, tube = (getattr(config, name, None) or 1 for name in ("patch_size", "tubelet_size"))
        sides = patch if isinstance(patch, int) else patch[-1]
        if not isinstance(tube, int):
            sides, tube = tube[-1], tube[0]
        moments, side = max(1, self._spec.window.frames // tube), self._spec.size // sides
        if moments * side * side <= tokens:
            return moments, side
        return 1, int(tokens**0.5)


def _trunk(model: nn.Module) -> nn.Module:
    """The part of a model that sees: without heads, decoders and towers of text."""
    prefix = str(getattr(model, "base_model_prefix", ""))
    inner = getattr(model, prefix, model) if prefix and not type(model).__name__.endswith("Model") else model
    seeing = getattr(inner, "vision_model", inner)
    return seeing if isinstance(seeing, nn.Module) else model


def _loaded(config: str, weights: Weights, files: Mapping[Weights, Path]) -> nn.Module:
    if weights.seed is not None:
        model = _architecture(config)(_config(config))
        initialise(model, weights.seed)
        return model  # type: ignore[no-any-return]
    path = files[weights]
    with _quiet():
        try:
            model, about = _architecture(config).from_pretrained(
                None, config=_config(config), state_dict=dict(_open(path)), output_loading_info=True,
                ignore_mismatched_sizes=True, dtype=torch.float32,
            )  # fmt: skip
        except (TypeError, ValueError, RuntimeError) as error:
            raise BadRequest(f"{path.name} does not fit its configuration: {str(error)[:200]}") from error
    parts = {"missing": "missing_keys", "unexpected": "unexpected_keys", "of another shape": "mismatched_keys"}
    found = {what: sorted(str(one) for one in about[key]) for what, key in parts.items()}
    words = [f"{len(keys)} {what}: {_some(keys)}" for what, keys in found.items() if keys]
    if words:
        name = type(model).__name__
        raise KeysDiffer(
            f"{path.name} does not fill {name}: {'; '.join(words)}; name the file of this configuration", found
        )
    return model  # type: ignore[no-any-return]


def _empty(config: str) -> nn.Module:
    """The model without memory or numbers: what runs through it has shapes alone."""
    from transformers.initialization import no_init_weights

    with no_init_weights():
        return _architecture(config)(_config(config)).to("meta").eval()  # type: ignore[no-any-return]


@contextmanager
def _fitting(spec: "Hf") -> Iterator[None]:
    """Where no weights are loaded and nothing is computed, what goes wrong is the shape of what is shown."""
    try:
        yield
    except BadRequest:
        raise
    except (ValueError, RuntimeError) as error:
        raise BadRequest(
            f"the model does not take {spec.window.frames} frames of {spec.size} pixels ({str(error)[:160]}); leave "
            "size and window.frames to its folder"
        ) from error


def _grey(spec: "Hf") -> torch.Tensor:
    return torch.zeros((1, spec.window.frames, spec.size, spec.size, 3), dtype=torch.uint8, device="meta")


def _config(config: str) -> Any:
    library = _transformers()
    table = json.loads(config)
    known = library.CONFIG_MAPPING
    if table["model_type"] not in known:
        raise BadRequest(
            f"got a model of type {table['model_type']!r}, which transformers {library.__version__} does not know and "
            "whose own code is not run; install a newer one, or use python_model"
        )
    with _quiet():
        try:
            return known[table["model_type"]].from_dict(table)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise BadRequest(f"got a configuration that transformers refuses: {str(error)[:200]}") from error


def _architecture(config: str) -> Any:
    """The class the file was written by, so that every tensor in it has its place; else the bare model."""
    library = _transformers()
    names = json.loads(config).get("architectures")
    if not names:
        return library.MODEL_MAPPING[type(_config(config))]
    found = getattr(library, str(names[0]), None)
    if not (isinstance(found, type) and issubclass(found, library.PreTrainedModel)):
        raise BadRequest(f"got the architecture {names[0]!r}, expected one of transformers {library.__version__}")
    return found


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise BadRequest("hf needs the package transformers, which is not installed: pip install 'ego[hf]'") from error
    return transformers


@contextmanager
def _quiet() -> Iterator[None]:
    """`transformers` reports on stderr what is an error here anyway."""
    logging = _transformers().utils.logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()
