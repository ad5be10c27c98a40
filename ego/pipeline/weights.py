"""Weights files found by name, path or digest, told apart by their bytes, and fetched from where they are published.

A file is looked for in the folders of `--weights`, then in those of `$EGO_WEIGHTS`, then in the user's
cache, in each beside its first level also below it. Its name never reaches a key: its sha256 does.
"""

import dataclasses
import os
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ego.errors import BadRequest
from ego.extractors._base import Extractor
from ego.extractors._published import WeightFile
from ego.pipeline.digests import cache_folder, file_sha256
from ego.pipeline.model_folders import HUB_NAME, model_file
from ego.spec import Spec, Weights, find, held, names, weight_fields

SUFFIXES = (".safetensors", ".pt", ".pth", ".pyth", ".onnx", ".tflite", ".model", ".ckpt", ".bin", ".tar")


@dataclass(frozen=True)
class Known:
    """A published file, the extractor that reads it, and where it lies on this machine, if it does."""

    extractor: str
    file: WeightFile
    path: Path | None


class WeightFinder(Mapping[Weights, Path]):
    """Turns what people call weights into identities, and identities into paths: it is the `files` of extractors."""

    def __init__(self, directories: Iterable[Path | str] = ()) -> None:
        given = [Path(folder).expanduser() for folder in directories]
        for folder in given:
            if not folder.is_dir():
                raise BadRequest(f"got --weights {folder}, which is no folder; name the folder the files lie in")
        named = [Path(text).expanduser() for text in os.environ.get("EGO_WEIGHTS", "").split(os.pathsep) if text]
        self.directories = tuple(dict.fromkeys([*given, *(one for one in named if one.is_dir()), weights_folder()]))
        self._paths: dict[Weights, Path] = {}

    @property
    def files(self) -> Mapping[Weights, Path]:
        """Where the bytes of each identity lie."""
        return self

    def identify(self, text: str) -> Weights:
        """The identity of a file name, a path, `sha256:...` or `random:SEED`; no such file is a BadRequest."""
        if text.startswith(("sha256:", "random:")):
            return Weights(text)
        path = self.locate(text)
        if path is None:
            raise BadRequest(f"got weights {text!r}, which is not there; {self._advice(text)}")
        return self._identity(path)

    def fill(self, cls: type[Spec], table: Mapping[str, Any]) -> dict[str, Any]:
        """`table` with an identity in every field of weights, those of nested specs too.

        A field left out is looked up by the names its authors published; then the class fills in what
        the file decides (`Extractor.complete`). Anything else wrong with the table is left to who makes the spec.
        """
        fields = weight_fields(cls)
        filled = {key: self._filled(cls, key, value, key in fields) for key, value in table.items()}
        required = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
        for field in fields:
            if field not in filled and field in required and issubclass(cls, Extractor) and cls.published:
                filled[field] = self._published(cls, table)
        if issubclass(cls, Extractor) and all(isinstance(filled.get(field), Weights) for field in fields):
            return cls.complete(filled, self)
        return filled

    def locate(self, text: str) -> Path | None:
        """The file of that name or path; two of one name with other bytes in one folder are a BadRequest.

        A folder with a model's `config.json`, and a hub's `owner/name` that is in its cache here, stand for the
        weights in them.
        """
        direct = Path(text).expanduser()
        model = model_file(text)
        if model is not None:
            return model
        if direct.name != text and direct.is_file():
            return direct
        for folder in self.directories:
            if (folder / text).is_file():
                return folder / text
            found = [path for path in _walk(folder) if path.name == text]
            if len({file_sha256(path) for path in found}) > 1:
                raise BadRequest(f"got weights {text!r}, of which there are several: {', '.join(map(str, found))}")
            if found:
                return found[0]
        return direct if direct.is_file() else None

    def known(self) -> list[Known]:
        """Every file the extractors' authors published, and where it lies here; one with other bytes is not it."""
        return [Known(name, file, self._present(file)) for name, file in published()]

    def __getitem__(self, weights: Weights) -> Path:
        path = self._found(weights)
        if path is None:
            folders = ", ".join(map(str, self.directories))
            raise BadRequest(f"no file in {folders} has the bytes of {weights}; name its folder with --weights DIR")
        return path

    def __contains__(self, weights: object) -> bool:
        return isinstance(weights, Weights) and self._found(weights) is not None

    def __iter__(self) -> Iterator[Weights]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def _found(self, weights: Weights) -> Path | None:
        if weights.seed is not None:
            return None
        known = self._paths.get(weights)
        if known is not None and known.is_file() and self._identity(known) == weights:
            return known
        for folder in self.directories:
            for path in _walk(folder):
                if path.suffix.lower() in SUFFIXES and self._identity(path) == weights:
                    return path
        return None

    def _identity(self, path: Path) -> Weights:
        try:
            weights = Weights(f"sha256:{file_sha256(path)}")
        except OSError as error:
            raise BadRequest(f"the weights file {path} cannot be read: {error.strerror}") from error
        self._paths[weights] = path.absolute()
        return weights

    def _filled(self, cls: type[Spec], key: str, value: Any, is_weights: bool) -> Any:
        if is_weights and isinstance(value, str):
            return self.identify(value)
        if is_weights and isinstance(value, list | tuple):
            return [self.identify(one) if isinstance(one, str) else one for one in value]
        inner = _inner(cls, key, value) if isinstance(value, Mapping) else None
        if inner is None:
            return value
        name = {"name": value["name"]} if "name" in value else {}
        return name | self.fill(inner, {one: part for one, part in value.items() if one != "name"})

    def _published(self, cls: type[Extractor], table: Mapping[str, Any]) -> Weights:
        values = {field.name: field.default for field in dataclasses.fields(cls)} | dict(table)
        files = [file for file in cls.published if file.fits(values)]
        for file in files:
            path = self.locate(file.name)
            if path is not None:
                check_published(file, path)
                return self._identity(path)
        name = cls.__module__.rpartition(".")[2]
        if not files:
            raise BadRequest(f"{name} needs weights and none are published for these fields; set {name}.weights")
        random = f", or ask for random ones by name: --set {name}.weights=random:0" if cls.takes_random else ""
        file = files[0]
        raise BadRequest(f"{name} needs weights: {file.name} ({file.note}); {self._advice(file.name)}{random}")

    def _advice(self, name: str) -> str:
        folders = ", ".join(map(str, self.directories))
        put = f"put it into one of {folders}, or name its folder with --weights DIR or $EGO_WEIGHTS"
        file = next((file for _, file in published() if file.name == name), None)
        if file is None and HUB_NAME.fullmatch(name) and Path(name).suffix.lower() not in SUFFIXES:
            return f"where it is a model of the hub, `hf download {name}` fetches it into the cache it is looked for in"
        if file is None:
            return put
        return f"it is published at {file.url}: `ego weights get {name}` fetches it, or {put}"

    def _present(self, file: WeightFile) -> Path | None:
        path = self.locate(file.name)
        return path if path is not None and file_sha256(path).startswith(file.sha256) else None


def weights_folder() -> Path:
    """Where fetched weights are kept: `ego/weights` in the user's cache."""
    return cache_folder() / "weights"


def published() -> list[tuple[str, WeightFile]]:
    """(extractor, file) of everything the extractors' authors published."""
    found = []
    for name in names("extractors"):
        cls = find("extractors", name)
        assert issubclass(cls, Extractor)
        found += [(name, file) for file in cls.published]
    return found


def check_published(file: WeightFile, path: Path) -> None:
    """Nothing, or a BadRequest where a file has a published name and other bytes."""
    digest = file_sha256(path)
    if not digest.startswith(file.sha256):
        raise BadRequest(
            f"{path} has sha256 {digest[:16]}..., {file.name} was published with {file.sha256[:16]}...; fetch it "
            "again, or name this one as the weights if it is the one you mean"
        )


def _inner(cls: type[Spec], key: str, table: Mapping[str, Any]) -> type[Spec] | None:
    """The class of the spec that a nested table stands for; None where the field holds none."""
    hint = typing.get_type_hints(cls).get(key)
    return None if hint is None else held(hint, table, key)


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder in a fixed order, hidden ones left out."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(files) if not name.startswith("."))
