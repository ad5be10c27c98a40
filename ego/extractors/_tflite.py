"""TFLite models through LiteRT: the file is cut after the wanted tensor and frames run one by one.

Cutting makes an inner tensor an ordinary output: nothing above it is computed and no tensor need be
preserved. On a CPU one frame at a time is as fast as a batch, and the file's batch size stays as it is.
"""

import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._graph import (
    Engine,
    Graph,
    Input,
    Layout,
    Node,
    Quantised,
    dequantise,
    feature_of,
    not_installed,
    picture_input,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]

TENSORS, INPUTS, OUTPUTS, OPERATORS = 4, 6, 8, 10  # fields of a subgraph in the format's tables
SIGNATURES = 18  # field of the model
AVERAGE_POOL_2D, MEAN = 1, 40
_LOUD = Lock()


def is_tflite(start: bytes) -> bool:
    """Whether a file that starts so is a TFLite model."""
    return start[4:8] == b"TFL3"


@dataclass(frozen=True)
class TFLite(Graph):
    """A TFLite file: its first subgraph with its first input and output."""

    content: bytes = field(repr=False, default=b"")

    def engine(self, output: str, height: int, width: int) -> Engine:
        """One interpreter a thread, each of one native thread."""
        self.check(output)
        picture = (height, width, 3) if self.input.layout == "nhwc" else (3, height, width)
        return Interpreters(self.name, _cut(self.content, output), (1, *picture))


def read(path: Path, layout: Layout | None) -> TFLite:
    """The model in a TFLite file; a damaged one, or one that takes no picture, is a BadRequest."""
    content = path.read_bytes()
    try:
        import ai_edge_litert.schema_py_generated  # type: ignore[import-untyped] # noqa: F401
    except ModuleNotFoundError as error:
        raise not_installed("ai-edge-litert") from error
    try:
        graph = _subgraph(content)
        names = [graph.Tensors(i).Name().decode() for i in range(graph.TensorsLength())]
        nodes = list(_nodes(content, graph, names))
        source, output = int(graph.Inputs(0)), int(graph.Outputs(0))
        taken = _input(path.name, graph.Tensors(source), layout)
    except (IndexError, ValueError, TypeError, AttributeError, struct.error) as error:
        if isinstance(error, BadRequest):
            raise
        raise BadRequest(f"{path.name} is a damaged TFLite file ({error}); fetch it again") from error
    tensors = tuple(dict.fromkeys(tensor for node in nodes for tensor in node.outputs))
    integer = taken.dtype in ("uint8", "int8")
    return TFLite(
        path.name, taken, tensors, feature_of(nodes, names[source], names[output]), "byte" if integer else "symmetric",
        content,
    )  # fmt: skip


class Interpreters(Engine):
    """Interpreters of one model, lent to whichever thread needs one; as many are made as run at once."""

    def __init__(self, name: str, content: bytes, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._name, self._content, self._shape = name, content, shape
        self._idle: SimpleQueue[Interpreter] = SimpleQueue()

    def compute(self, pictures: NDArray[Any], cuda: bool) -> NDArray[Any]:
        """The output of one picture after the other."""
        with self._lent() as interpreter:
            source, output = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]
            found = []
            for picture in pictures:
                interpreter.set_tensor(source, picture[None])
                interpreter.invoke()
                found.append(interpreter.get_tensor(output["index"]))
        shape = found[0].shape if found[0].shape[:1] == (1,) else (1, *found[0].shape)
        scale, zero = output["quantization"]
        return dequantise(np.stack(found).reshape(-1, *shape[1:]), Quantised(scale, zero))

    @contextmanager
    def _lent(self) -> "Iterator[Interpreter]":
        try:
            interpreter = self._idle.get_nowait()
        except Empty:
            interpreter = self._new()
        yield interpreter
        self._idle.put(interpreter)

    def _new(self) -> "Interpreter":
        from ai_edge_litert.interpreter import Interpreter

        try:
            with _greeting_unheard():
                interpreter = Interpreter(model_content=self._content, num_threads=1)
                source = interpreter.get_input_details()[0]
                if tuple(source["shape"]) != self._shape:
                    interpreter.resize_tensor_input(source["index"], self._shape)
                interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise BadRequest(f"{self._name} cannot be run by LiteRT: {error}") from error
        return interpreter


@contextmanager
def _greeting_unheard() -> "Iterator[None]":
    """LiteRT writes an INFO line to descriptor 2 as a model is made ready, and has no switch for it."""
    with _LOUD, open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _input(name: str, tensor: Any, layout: Layout | None) -> Input:
    from ai_edge_litert import schema_py_generated as schema

    types = {schema.TensorType.FLOAT32: "float32", schema.TensorType.UINT8: "uint8", schema.TensorType.INT8: "int8"}
    if tensor.Type() not in types:
        raise BadRequest(f"{name} takes numbers of TFLite type {tensor.Type()}, expected float32, uint8 or int8")
    shape = tensor.ShapeSignatureAsNumpy() if tensor.ShapeSignatureLength() else tensor.ShapeAsNumpy()
    quantisation = tensor.Quantization()
    known = quantisation is not None and quantisation.ScaleLength() == 1
    quantised = Quantised(float(quantisation.Scale(0)), int(quantisation.ZeroPoint(0))) if known else Quantised(0.0, 0)
    return picture_input(name, [max(int(side), 0) for side in shape], types[tensor.Type()], quantised, layout)


def _subgraph(content: bytes | bytearray) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(content, 0).Subgraphs(0)


def _nodes(content: bytes, graph: Any, names: list[str]) -> "Iterator[Node]":
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for place in range(graph.OperatorsLength()):
        operator = graph.Operators(place)
        inputs = [int(operator.Inputs(i)) for i in range(operator.InputsLength())]
        outputs = [int(operator.Outputs(i)) for i in range(operator.OutputsLength())]
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
        pools = kind in (AVERAGE_POOL_2D, MEAN) and _averages(graph.Tensors(inputs[0]), graph.Tensors(outputs[0]))
        yield Node(tuple(names[i] for i in inputs if i >= 0), tuple(names[i] for i in outputs), pools)


def _averages(before: Any, after: Any) -> bool:
    """Whether maps (1, h, w, C) became one number each."""
    shape = [int(side) for side in before.ShapeAsNumpy()] if before.ShapeLength() == 4 else []
    return bool(shape) and shape[1] * shape[2] > 1 and int(np.prod(after.ShapeAsNumpy())) == shape[3]


def _cut(content: bytes, output: str) -> bytes:
    """The same file ending at `output`: its outputs rewritten, its later operations and its signatures left off."""
    from ai_edge_litert import schema_py_generated as schema

    cut = bytearray(content)
    graph = _subgraph(content)
    for place in range(graph.OperatorsLength()):
        made = [int(graph.Operators(place).Outputs(i)) for i in range(graph.Operators(place).OutputsLength())]
        wanted = [tensor for tensor in made if graph.Tensors(tensor).Name().decode() == output]
        if wanted:
            break
    table = graph._tab
    _set_length(cut, table, OPERATORS, place + 1)
    _set_length(cut, table, OUTPUTS, 1)
    first = table.Vector(table.Offset(OUTPUTS))
    cut[first : first + 4] = wanted[0].to_bytes(4, "little")
    model = schema.Model.GetRootAs(content, 0)._tab
    if model.Offset(SIGNATURES):
        _set_length(cut, model, SIGNATURES, 0)
    return bytes(cut)


def _set_length(content: bytearray, table: Any, vector: int, length: int) -> None:
    """Shortens a vector of a table in place; its elements stay where they are."""
    start = table.Vector(table.Offset(vector)) - 4
    content[start : start + 4] = length.to_bytes(4, "little")
