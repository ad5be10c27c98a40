"""Specs: what a digest covers, what a field accepts, and how plug-ins are found."""

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ego.errors import BadRequest
from ego.sampling import Window
from ego.spec import Spec, Weights, canonical_json, find, late, make, names, rebuild


@dataclass(frozen=True)
class Flow(Spec):
    levels: int = 5
    step: float = 0.5
    engine: Literal["dis", "tvl1"] = "dis"


@dataclass(frozen=True)
class Warp(Spec):
    flow: Flow = Flow()
    sizes: tuple[int, ...] = (7, 14)
    weights: Weights | None = None
    extra: int = late(1)


def test_a_digest_covers_every_field_and_nothing_else() -> None:
    assert Warp() == Warp()
    assert Warp().digest == Warp(Flow(), [7, 14]).digest  # type: ignore[arg-type]
    changed = [Warp(Flow(levels=6)), Warp(sizes=(7,)), Warp(weights=Weights("random:1")), Warp(extra=2), Flow()]
    assert len({Warp().digest, *(spec.digest for spec in changed)}) == len(changed) + 1


def test_a_late_field_is_left_out_while_it_holds_its_default() -> None:
    assert "extra" not in Warp().describe()["fields"]
    assert Warp(extra=2).describe()["fields"]["extra"] == 2


def test_the_digest_of_a_window_is_this_one_on_every_machine() -> None:
    assert Window().digest == "8fc1412935fb5066d33b2c25f1c53456914ac375900dff27152f8c4dfcb84a76"
    code = "from ego.sampling import Window; print(Window().digest)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == Window().digest


def test_a_whole_number_for_a_float_is_the_same_spec() -> None:
    assert Flow(step=1) == Flow(step=1.0)
    assert Flow(step=1).digest == Flow(step=1.0).digest
    assert Flow(step=-0.0).digest == Flow(step=0.0).digest


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"levels": 1.5}, "levels"),
        ({"levels": True}, "int"),
        ({"step": float("nan")}, "float"),
        ({"engine": "raft"}, "'dis' or 'tvl1'"),
        ({"engine": None}, "engine"),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_was_expected(fields: dict[str, object], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        Flow(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["sha256:abc", "weights.pt", "random:", "random:-1", "", "sha256:" + "G" * 64])
def test_only_an_identity_is_weights(text: str) -> None:
    with pytest.raises(BadRequest, match="weights"):
        Weights(text)


def test_a_spec_travels_by_pickle() -> None:
    spec = Warp(Flow(levels=3), weights=Weights("random:7"))
    assert spec.digest == pickle.loads(pickle.dumps(spec)).digest


def test_the_folder_is_the_registry() -> None:
    assert "mean_rgb" in names("extractors")
    assert all(not name.startswith("_") for name in names("extractors"))
    assert find("extractors", "mean_rgb").__module__ == "ego.extractors.mean_rgb"
    with pytest.raises(BadRequest, match="mean_rgb"):
        find("extractors", "no_such_thing")
    with pytest.raises(BadRequest, match="room"):
        names("attic")


def test_make_lists_the_fields_when_one_is_unknown() -> None:
    with pytest.raises(BadRequest, match="window"):
        make("extractors", "mean_rgb", {"windw": 3})


def test_a_described_spec_is_rebuilt_with_its_nested_parts() -> None:
    spec = make("extractors", "mean_rgb", {"window": {"frames": 1, "stride": 4, "fps": 8}})
    again = rebuild(json.loads(canonical_json(spec.describe())))
    assert again == spec
    assert again.digest == spec.digest
    with pytest.raises(BadRequest, match="version"):
        rebuild({**spec.describe(), "version": 99})
    with pytest.raises(BadRequest, match="frames"):
        make("extractors", "mean_rgb", {"window": {"frmes": 1}})


def test_another_package_adds_a_plug_in_by_entry_point(tmp_path: Path) -> None:
    (tmp_path / "nosy.py").write_text(
        "from dataclasses import dataclass\nfrom ego.extractors.mean_rgb import MeanRgb\n"
        "from ego.extractors._base import Network\n"
        "@dataclass(frozen=True)\nclass Nosy(Network):\n"
        "    needs = MeanRgb.needs\n    rows = MeanRgb.rows\n    build = MeanRgb.build\n"
    )
    code = (
        "from ego.spec import names, make\n"
        "from ego.errors import BadRequest\n"
        "try: spec = make('extractors', 'other:nosy', {'window': {}})\n"
        "except BadRequest as error: print(error)\n"
        "else: print(spec.name, spec.room, 'other:nosy' in names('extractors'))"
    )
    assert _with_package(tmp_path, "nosy = nosy\n", code) == "other:nosy extractors True"
    two = _with_package(tmp_path, "nosy = nosy\nnosy = elsewhere\n", code)
    assert two == "two plug-ins are called 'other:nosy': nosy and elsewhere; remove one package"


def _with_package(folder: Path, members: str, code: str) -> str:
    """What the code prints where a package `other` with these members is installed in the folder."""
    info = folder / "other-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ego.extractors]\n{members}")
    path = [str(folder), str(Path(__file__).parents[1])]
    program = f"import sys; sys.path[:0] = {path!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@given(
    st.dictionaries(st.text(), st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()))
)
def test_canonical_json_is_one_text_for_one_value(value: dict[str, object]) -> None:
    shuffled = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(shuffled)
    assert json.loads(canonical_json(value)) == value


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_a_hostile_description_gives_only_a_bad_request(value: object) -> None:
    with pytest.raises(BadRequest):
        rebuild(value)  # type: ignore[arg-type]
