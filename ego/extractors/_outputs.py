"""TFLite and ONNX files that give several outputs at once, such as detectors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors import _onnx, _tflite
from ego.extractors._graph import Input


class Outputs:
    """A model ready to run on one picture: all its outputs by name, real numbers, without the batch of one."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            start = file.read(8)
        self.name = path.name
        self.input: Input
        if _tflite.is_tflite(start):
            self.input = _tflite.read(path, None).input
            self._run = _tflite_runner(path)
        else:
            self.input = _onnx.read(path, None).input
            self._run = _onnx_runner(path)

    def __call__(self, picture: NDArray[Any]) -> Mapping[str, NDArray[np.float32]]:
        """The outputs for an (h, w, 3) picture already scaled as the model wants it."""
        shaped = picture if self.input.layout == "nhwc" else picture.transpose(2, 0, 1)
        found = self._run(np.ascontiguousarray(shaped[None].astype(self.input.dtype)))
        return {name: np.asarray(value, np.float32)[0] for name, value in found.items()}


def _tflite_runner(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

    try:
        with _tflite._greeting_unheard():
            interpreter = Interpreter(model_path=str(path), num_threads=1)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise BadRequest(f"{path.name} cannot be run by LiteRT: {error}") from error
    source = interpreter.get_input_details()[0]["index"]

    def run(picture: NDArray[Any]) -> dict[str, NDArray[Any]]:
        interpreter.set_tensor(source, picture)
        interpreter.invoke()
        return {one["name"]: interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()}

    return run


def _onnx_runner(path: Path) -> Any:
    session = _onnx.Sessions(path.name, path.read_bytes(), True)._session(cuda=False)
    source = session.get_inputs()[0].name
    names = [one.name for one in session.get_outputs()]

    def run(picture: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return dict(zip(names, session.run(None, {source: picture}), strict=True))

    return run
