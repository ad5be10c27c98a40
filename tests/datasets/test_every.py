"""Every data set: final, picklable, the same from TOML and in another process, light to import."""

import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ego.datasets._base import Dataset
from ego.pipeline import recipe
from ego.pipeline.weights import WeightFinder
from ego.spec import find, make, names, rebuild

FIELDS = {"ego4d": {"benchmark": "lta", "splits_read": ["train"]}, "egtea": {"splits_read": [1, 3]},
          "gtea61": {"layout": "fpar"}, "folder": {"csv": "table.csv"}}  # fmt: skip


@pytest.mark.parametrize("name", names("datasets"))
def test_a_data_set_is_its_fields(name):
    data = make("datasets", name, FIELDS.get(name, {}))
    assert isinstance(data, Dataset)
    assert pickle.loads(pickle.dumps(data)) == data
    assert rebuild(data.describe()).digest == data.digest
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in FIELDS.get(name, {}).items()]
    text = "\n".join(["[dataset]", f'name = "{name}"', *lines])
    assert tomllib.loads(text)["dataset"]["name"] == name
    assert recipe.parse(text, (), WeightFinder([])).dataset == data
    assert all(count > 0 for count in data.published().values())


def test_digests_are_equal_in_another_process():
    specs = {name: FIELDS.get(name, {}) for name in names("datasets")}
    code = f"from ego.spec import make\nfor n, f in {specs!r}.items(): print(make('datasets', n, f).digest)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [make("datasets", name, fields).digest for name, fields in specs.items()]


def test_a_data_set_is_light_to_import():
    heavy = ["torch", "zarr", "av", "pandas", "pyarrow", "PIL", "projectaria_tools"]
    code = (
        "import sys\nfrom ego.spec import find, names\n"
        "for name in names('datasets'): find('datasets', name)\n"
        f"print([one for one in {heavy!r} if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", names("datasets"))
def test_no_data_set_is_made_of_another(name):
    cls = find("datasets", name)
    assert cls.__bases__ == (Dataset,)


def test_the_documents_name_every_data_set():
    text = (Path(__file__).parents[2] / "docs/datasets.md").read_text()
    assert [name for name in names("datasets") if f"| `{name}` |" not in text] == []
