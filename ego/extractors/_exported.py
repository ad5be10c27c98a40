"""Exported networks (.pt2) made safe to open: what PyTorch would run as code is refused or left out.

PyTorch's own reader falls back to full pickles, evaluates the text of symbolic sizes and guards, and looks
operators up by any dotted name under `torch`. So the archive is read here, every part is held against a list
of what may be in it, and a new archive of those parts alone is what PyTorch opens.
"""

import ast
import io
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from ego.errors import BadRequest

MODEL, SAMPLE = "models/model.json", "data/sample_inputs/model.pt"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
PLAIN = re.compile(
    r"archive_format|archive_version|byteorder|\.data/\w+|data/weights/weight_\d+|data/constants/tensor_\d+"
)
OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.[a-z_]\w*\.\w+|torch\.sym_(float|int|max|min|not|sum|ite)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|getitem)|math\.(ceil|floor|trunc)"
)
WORD = re.compile(r"[\w.,>+\- ]*")
"""A text that can be a name or an equation of einsum, and cannot be a call."""
FUNCTIONS = re.compile(
    r"Symbol|Integer|FloorDiv|ModularIndexing|Where|PythonMod|Mod|CleanDiv|CeilToInt|FloorToInt|Max|Min|Mul|Add|Pow"
    r"|PowByNatural|IntTrueDiv|FloatTrueDiv|ToFloat|TruncToInt|Eq|Ne|Lt|Le|Gt|Ge|LShift|RShift"
)
ARITHMETIC = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Compare, ast.cmpop, ast.Constant, ast.Load,
    ast.Name, ast.keyword,
)  # fmt: skip


def vetted(path: Path) -> io.BytesIO:
    """The exported network of a file as a new archive of its checked parts; anything else in it is a BadRequest."""
    made = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as kept:
        for name in dict.fromkeys(archive.namelist()):
            root, _, part = name.partition("/")
            if not part.startswith("extra/"):
                kept.writestr(f"{root}/{part}", _part(part, archive.read(name), path.name))
    made.seek(0)
    return made


def _part(part: str, content: bytes, where: str) -> bytes:
    if PLAIN.fullmatch(part):
        return content
    if part in CONFIGS:
        for one in json.loads(content)["config"].values():
            if one["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", one["path_name"]):
                raise _refused(where, f"the pickle {one['path_name']}")
        return content
    if part == SAMPLE:
        return _sample(content, where)
    if part == MODEL:
        return json.dumps(_checked(json.loads(content), "", where)).encode()
    raise _refused(where, f"the part {part!r:.60}")


def _sample(content: bytes, where: str) -> bytes:
    """The inputs it was exported with, written anew."""
    if not content:
        return content
    try:
        found = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise _refused(where, "a pickle with more than tensors in it") from error
    made = io.BytesIO()
    torch.save(found, made)
    return made.getvalue()


def _checked(value: Any, key: str, where: str) -> Any:
    """The description of a graph without remarks and guards, every text in it held against what it may be."""
    if key == "metadata":
        return {}
    if key == "guards_code":
        return []
    if isinstance(value, dict):
        return {_word(name, where): _checked(one, name, where) for name, one in value.items()}
    if isinstance(value, list):
        return [_checked(one, key, where) for one in value]
    if not isinstance(value, str):
        return value
    if key == "target":
        if not OPERATOR.fullmatch(value):
            raise _refused(where, f"the operator {value!r:.60}")
    elif key == "expr_str":
        _arithmetic(value, where)
    elif key in ("in_spec", "out_spec", "context") and value[:1] in ("[", "{", '"'):
        _checked(json.loads(value), "context", where)
    else:
        _word(value, where)
    return value


def _word(text: str, where: str) -> str:
    if not WORD.fullmatch(text):
        raise _refused(where, f"the text {text!r:.60}")
    return text


def _arithmetic(text: str, where: str) -> None:
    """Nothing, or a BadRequest where a size is more than numbers, symbols and the functions between them."""
    try:
        parts = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError) as error:
        raise _refused(where, f"the size {text!r:.60}") from error
    for one in parts:
        called = isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and FUNCTIONS.fullmatch(one.func.id)
        name_known = (
            not isinstance(one, ast.Name) or FUNCTIONS.fullmatch(one.id) or re.fullmatch(r"[a-z]{1,2}\d+", one.id)
        )
        is_word = not (isinstance(one, ast.Constant) and isinstance(one.value, str)) or one.value.isidentifier()
        if not (called or isinstance(one, ARITHMETIC)) or not name_known or not is_word:
            raise _refused(where, f"the size {text!r:.60}")


def _refused(where: str, what: str) -> BadRequest:
    return BadRequest(
        f"{where} holds {what}, which could run code when it is opened; expected a network of PyTorch's own operators "
        "as torch.export.save writes it"
    )
