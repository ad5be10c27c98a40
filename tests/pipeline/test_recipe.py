"""Recipes: one TOML file into specs, `--set`, and nothing but clear errors whatever the file holds."""

import random
from pathlib import Path

import pytest

from ego.errors import BadRequest, EgoError
from ego.pipeline.recipe import extractors_from, parse, read, read_dataset
from ego.pipeline.weights import WeightFinder
from ego.spec import make

TEXT = """# cost: nothing
[dataset]
name = "folder"
csv = "table.csv"
labels = ["verb"]
ignore = ["background"]

[extractors.rgb]
name = "resnet"
weights = "random:0"
taps = ["conv5_x"]
window = { frames = 1, fps = 2.0 }

[extractors.colour]
name = "mean_rgb"

[tasks.verb]
name = "classify"
label = "verb"

[head]
name = "linear"
features = ["rgb"]
dropout = 0.1

[training]
epochs = 3
lr = 1e-3
"""


@pytest.fixture
def finder():
    return WeightFinder([])


def test_every_part_becomes_a_spec(finder):
    recipe = parse(TEXT, (), finder, Path("recipes/first.toml"))
    assert (recipe.name, list(recipe.extractors), list(recipe.tasks)) == ("first", ["rgb", "colour"], ["verb"])
    assert recipe.extractors["rgb"].name == "resnet"
    assert recipe.extractors["rgb"].window.fps == 2.0
    assert (recipe.head.name, recipe.head.features, recipe.training.epochs) == ("linear", ("rgb",), 3)
    assert recipe.dataset.ignore == ("background",)


def test_a_recipe_may_hold_extractors_alone(finder):
    recipe = parse("[extractors.mean_rgb]\n", (), finder)
    assert (recipe.extractors["mean_rgb"].name, recipe.dataset, recipe.head) == ("mean_rgb", None, None)


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("head.dropout=0.5", lambda recipe: recipe.head.dropout == 0.5),
        ("head.dropout=0", lambda recipe: recipe.head.dropout == 0.0),
        (" head.norm = layer", lambda recipe: recipe.head.norm == "layer"),
        ('head.norm="none"', lambda recipe: recipe.head.norm == "none"),
        ("training.seed=7", lambda recipe: recipe.training.seed == 7),
        ("extractors.rgb.weights=random:5", lambda recipe: recipe.extractors["rgb"].weights == "random:5"),
        ("rgb.weights=random:5", lambda recipe: recipe.extractors["rgb"].weights == "random:5"),
        ("rgb.window.fps=4", lambda recipe: recipe.extractors["rgb"].window.fps == 4.0),
        ("colour.window.stride=3", lambda recipe: recipe.extractors["colour"].window.stride == 3),
        ('dataset.ignore=["a", "b"]', lambda recipe: recipe.dataset.ignore == ("a", "b")),
        ("verb.weight=2", lambda recipe: recipe.tasks["verb"].weight == 2.0),
        ("dataset.csv=other = name.csv", lambda recipe: recipe.dataset.csv == "other = name.csv"),
        ("dataset.csv=a\nb = 2", lambda recipe: recipe.dataset.csv == "a\nb = 2"),
    ],
)
def test_a_setting_changes_one_value(finder, setting, found):
    assert found(parse(TEXT, (setting,), finder))


def test_settings_apply_also_to_a_part_the_recipe_leaves_out(finder):
    text = TEXT.split("[training]")[0]
    assert parse(text, ("training.epochs=9",), finder).training.epochs == 9


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "head.layers=2",
            "no field 'layers'; its fields are: features, tails, tail_norms, start, norm, dropout",
        ),
        ("head.dropout=high", "got 'high' for head.dropout, expected float"),
        ("head.norm=3", "got 3 for head.norm, expected 'layer' or 'batch' or 'none'"),
        ("nose.size=1", "it may begin with: dataset, head, training, sampling, rgb, colour, verb"),
        ("extractors.nose.size=1", "extractors has: rgb, colour"),
        ("rgb.taps.x=1", "'taps' is a value and has no fields"),
        ("head", "expected NAME.FIELD=VALUE"),
        ("head=linear", "expected NAME.FIELD=VALUE"),
        ("head..x=1", "expected NAME.FIELD=VALUE"),
        ("head.name=transformer", "got 'transformer' from heads, expected one of: .*linear"),
        ("training.epochs=1.5", "got 1.5 for training.epochs, expected int"),
        ("rgb.depth=19", "got 19 for rgb.depth, expected 18 or 34 or 50"),
    ],
)
def test_an_unknown_name_or_another_type_lists_the_choices(finder, setting, message):
    with pytest.raises(BadRequest, match=message):
        parse(TEXT, (setting,), finder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[head\n", "is not TOML"),
        ("x = 1979-99-99", "is not TOML"),
        ("x = " + "[" * 5000, "is not TOML"),
        ("[training]\nseed = 99999999999999999999", "beyond 64 bits"),
        (
            "[trainings]\n",
            r"has 'trainings' \(did you mean 'training'\?\), expected some of: dataset, extractors, head, samp",
        ),
        ("head = 3", r"has head = 3, expected a table: \[head\]"),
        ("[extractors]\nrgb = 3", r"expected a table: \[extractors.rgb\]"),
        ('[extractors."a/b"]', "got the name 'a/b'"),
        ("[extractors.head]", "got the name 'head'"),
        ("[extractors.a]\nname = 'mean_rgb'\n[tasks.a]\nname = 'classify'", "as an extractor and as a task"),
        ("[extractors.rgb]\nname = ['x']", r"got \['x'\] from extractors, expected one of"),
        ("[extractors.resnet]", "resnet needs weights: resnet18-f37072fd.pth"),
        ("[dataset]\nname='folder'\n[tasks.verb]\nname='classify'", "classify needs a value for: label"),
    ],
)
def test_what_is_wrong_is_one_sentence(finder, text, message):
    with pytest.raises(BadRequest, match=message) as caught:
        parse(text, (), finder)
    assert "\n" not in str(caught.value)


def test_files_that_are_no_recipe(finder, tmp_path):
    with pytest.raises(BadRequest, match="cannot be read"):
        read(tmp_path / "absent.toml", (), finder)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadRequest, match="not UTF-8"):
        read(tmp_path / "bytes.toml", (), finder)


def test_extractors_by_option(finder):
    found = extractors_from(
        ["mean_rgb", "small=resnet", "large=resnet"],
        ["small.weights=random:0", "large.weights=random:0", "large.depth=50", "mean_rgb.window.fps=1"],
        finder,
    )
    assert [(own, one.name) for own, one in found.items()] == [
        ("mean_rgb", "mean_rgb"), ("small", "resnet"), ("large", "resnet")
    ]  # fmt: skip
    assert (found["large"].depth, found["mean_rgb"].window.fps) == (50, 1.0)
    with pytest.raises(BadRequest, match="got --with mean_rgb twice"):
        extractors_from(["mean_rgb", "mean_rgb"], [], finder)
    with pytest.raises(BadRequest, match="it may begin with: mean_rgb"):
        extractors_from(["mean_rgb"], ["resnet.depth=50"], finder)


def test_the_shipped_recipes_can_be_read(shared_data):
    finder = WeightFinder([shared_data / "weights" / "imagenet_small"])
    shipped = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
    assert shipped
    for path in shipped:
        assert read(path, (), finder).extractors


def mutated(chance: random.Random) -> str:
    """The recipe with a few letters, lines or values changed, cut or doubled."""
    text = TEXT
    for _ in range(chance.randint(1, 4)):
        lines = text.split("\n")
        at, place = chance.randrange(len(text) + 1), chance.randrange(len(lines))
        kind = chance.randrange(6)
        if kind == 0:
            text = text[:at] + chance.choice('"[]{}=#.,\\\n\t \x00\ud7ff0-eé') + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + chance.randint(1, 9) :]
        elif kind == 2:
            text = "\n".join(lines[:place] + lines[place + 1 :])
        elif kind == 3:
            text = "\n".join([*lines[:place], chance.choice(lines), *lines[place:]])
        elif kind == 4 and "=" in lines[place]:
            values = [
                "-1",
                "1e999",
                "nan",
                "true",
                '""',
                "[]",
                "[[]]",
                "{}",
                "1979-05-27",
                "0x" + "f" * 999,
                "'\\u0000'",
            ]
            lines[place] = lines[place].split("=")[0] + "= " + chance.choice(values)
            text = "\n".join(lines)
        else:
            text = (
                text[:at] + chr(ord(text[at]) ^ 1 << chance.randrange(7)) + text[at + 1 :] if at < len(text) else text
            )
    return text


def only_ego_errors(finder, count, seed):
    chance = random.Random(seed)
    refused = 0
    for _ in range(count):
        try:
            parse(mutated(chance), (), finder)
        except EgoError as error:
            refused += bool(str(error))
    return refused


def test_mutated_recipes_give_only_clear_errors(finder):
    assert 2500 < only_ego_errors(finder, 5000, 0) < 5000


@pytest.mark.slow
def test_many_mutated_recipes_give_only_clear_errors(finder):
    assert only_ego_errors(finder, 100_000, 1) > 50_000


def test_a_data_set_alone_needs_no_weights(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[dataset]\nname = "gtea61"\n[extractors.rgb]\nname = "resnet"\nweights = "nowhere.pth"\n')
    found = read_dataset(path, ["dataset.fps=30"], WeightFinder([]))
    assert found == make("datasets", "gtea61", {"fps": 30.0})
    path.write_text("")
    assert read_dataset(path, [], WeightFinder([])) is None
