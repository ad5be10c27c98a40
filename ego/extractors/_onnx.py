"""ONNX models through onnxruntime: the graph is pruned to what the wanted tensor needs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
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
    feature_of,
    not_installed,
    picture_input,
)

if TYPE_CHECKING:
    import onnx
    import onnxruntime  # type: ignore[import-untyped]

# where an operation that writes integers reads the scale and the zero point of its output
QUANTISERS = {
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QLinearGlobalAveragePool": (3, 4),
}
WARNINGS = 3


@dataclass(frozen=True)
class Onnx(Graph):
    """An ONNX file: its first input that is no weight, and its first output."""

    model: "onnx.ModelProto" = field(repr=False, default=None)  # type: ignore[assignment]
    fixed_batch: bool = True

    def engine(self, output: str, height: int, width: int) -> Engine:
        """One session for all threads; on a GPU where pictures lie there and the library can."""
        self.check(output)
        return Sessions(self.name, _pruned(self.model, output).SerializeToString(), self.fixed_batch)


def read(path: Path, layout: Layout | None) -> Onnx:
    """The model in an ONNX file; one that is damaged, in several files or takes no picture is a BadRequest."""
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise not_installed("onnx") from error
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise BadRequest(f"{path.name} is neither a TFLite nor an ONNX model: {error}") from error
    graph = model.graph
    if not graph.node or not graph.output:
        raise BadRequest(f"{path.name} is neither a TFLite nor an ONNX model: it holds no graph")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        raise BadRequest(f"{path.name} keeps its weights in other files; save it as one file, whose digest says it all")
    weights = {tensor.name for tensor in graph.initializer}
    source = next((value for value in graph.input if value.name not in weights), None)
    if source is None:
        raise BadRequest(f"{path.name} takes no input, expected one RGB picture")
    nodes = [Node(tuple(_reads(node)), tuple(node.output), _pools(node, graph)) for node in graph.node]
    taken = _input(path.name, model, source, layout)
    tensors = tuple(tensor for node in nodes for tensor in node.outputs if tensor)
    return Onnx(
        path.name, taken, tensors, feature_of(nodes, source.name, graph.output[0].name),
        "byte" if taken.dtype in ("uint8", "int8") else "imagenet", model, _sides(source)[0] == 1,
    )  # fmt: skip


class Sessions(Engine):
    """One session for each kind of device, made when it is first needed, which all threads share."""

    def __init__(self, name: str, content: bytes, fixed_batch: bool) -> None:
        super().__init__()
        self._name, self._content, self._fixed_batch = name, content, fixed_batch
        self._made: dict[bool, onnxruntime.InferenceSession] = {}

    def compute(self, pictures: NDArray[Any], cuda: bool) -> NDArray[Any]:
        """The output of the batch, or of one picture after the other where the model takes one."""
        session = self._session(cuda)
        source = session.get_inputs()[0].name
        batches = np.split(pictures, len(pictures)) if self._fixed_batch else [pictures]
        found = [session.run(None, {source: batch})[0] for batch in batches]
        if any(len(one) != len(batch) for one, batch in zip(map(np.atleast_1d, found), batches, strict=True)):
            raise BadRequest(f"{self._name} gives {found[0].shape} for {len(batches[0])} pictures; name another output")
        whole = np.concatenate(found)
        return whole.astype(np.float32) if whole.dtype.kind == "f" else whole

    def _session(self, cuda: bool) -> "onnxruntime.InferenceSession":
        with self._lock:
            if cuda not in self._made:
                self._made[cuda] = self._new(cuda)
            return self._made[cuda]

    def _new(self, cuda: bool) -> "onnxruntime.InferenceSession":
        try:
            import onnxruntime as ort
            from onnxruntime.capi import onnxruntime_pybind11_state as state  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise not_installed("onnxruntime") from error

        wanted = ["CUDAExecutionProvider"] if cuda else []
        providers = [one for one in wanted if one in ort.get_available_providers()] + ["CPUExecutionProvider"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = WARNINGS
        refusals = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.NotImplemented, state.RuntimeException)
        try:
            return ort.InferenceSession(self._content, options, providers)
        except refusals as error:
            raise BadRequest(f"{self._name} cannot be run by onnxruntime: {str(error)[:300]}") from error


def _sides(value: "onnx.ValueInfoProto") -> list[int]:
    return [dim.dim_value if dim.HasField("dim_value") else 0 for dim in value.type.tensor_type.shape.dim]


def _input(name: str, model: "onnx.ModelProto", source: "onnx.ValueInfoProto", layout: Layout | None) -> Input:
    from onnx import helper, numpy_helper

    kind = helper.tensor_dtype_to_np_dtype(source.type.tensor_type.elem_type).name
    if kind not in ("float32", "float16", "uint8", "int8"):
        raise BadRequest(f"{name} takes numbers of type {kind}, expected float32, float16, uint8 or int8")
    quantised = Quantised(0.0, 0)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == source.name and node.input[1] in weights:
            scale = numpy_helper.to_array(weights[node.input[1]])
            zero = numpy_helper.to_array(weights[node.input[2]]) if len(node.input) > 2 else np.zeros(1)
            quantised = Quantised(float(scale.reshape(-1)[0]), int(zero.reshape(-1)[0]))
    return picture_input(name, _sides(source), kind, quantised, layout)


def _reads(node: "onnx.NodeProto") -> Iterator[str]:
    """Every tensor a node reads, those of the branches inside it too."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                yield from _reads(inner)


def _pools(node: "onnx.NodeProto", graph: "onnx.GraphProto") -> bool:
    """Whether a node averages maps (B, C, h, w) over both their sides."""
    from onnx import helper, numpy_helper

    if node.op_type in ("GlobalAveragePool", "QLinearGlobalAveragePool"):
        return True
    if node.op_type != "ReduceMean":
        return False
    axes = next((list(helper.get_attribute_value(one)) for one in node.attribute if one.name == "axes"), [])
    if len(node.input) > 1:
        axes = [
            int(axis)
            for tensor in graph.initializer
            if tensor.name == node.input[1]
            for axis in numpy_helper.to_array(tensor).reshape(-1)
        ]
    return sorted(axes) in ([2, 3], [-2, -1])


def _pruned(model: "onnx.ModelProto", output: str) -> "onnx.ModelProto":
    """A copy that ends at `output`, real numbers where it is quantised, without what it does not need."""
    import onnx

    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    graph = cut.graph
    kept, needed = [], {output}
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(_reads(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(weights)
    known = {tensor.name for tensor in weights}
    sources = [value for value in model.graph.input if value.name in needed and value.name not in known]
    del graph.input[:]
    graph.input.extend(sources)
    maker = next(node for node in kept if output in node.output)
    if maker.op_type in QUANTISERS:
        scale, zero = (maker.input[place] for place in QUANTISERS[maker.op_type])
        graph.node.append(onnx.helper.make_node("DequantizeLinear", [output, scale, zero], [f"{output}:real"]))
        output = f"{output}:real"
    del graph.output[:]
    graph.output.append(next((v for v in model.graph.output if v.name == output), onnx.ValueInfoProto(name=output)))
    return cut
