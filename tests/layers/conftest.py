"""The pins of cells of recurrent networks."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


def _published() -> ModuleType:
    place = Path(__file__).parents[1] / "extractors" / "published.py"
    spec = importlib.util.spec_from_file_location("published_cells", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["published_cells"] = module
    spec.loader.exec_module(module)
    return module


_shared = _published()


@pytest.fixture
def cell_pins(shared_data):
    """`cell_pins(name, pin)`: the pins of a cell, whose keys lie in each pin's own configuration."""

    def read(name, pin):
        folder = shared_data / "parity"
        facts = json.loads((folder / f"{name}.json").read_text())
        with np.load(folder / f"{name}.npz") as arrays:
            found = _shared.Pins(facts, dict(arrays))
        facts["state_dict"] = found.pins[pin]["config"]["state_dict"]
        return found

    return read
