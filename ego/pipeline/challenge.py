"""What the servers of challenges take: files of scores in their official formats.

EPIC-KITCHENS-100 action recognition is version 0.2 with three levels of supervision, in one `test.json`;
EPIC-KITCHENS-55 is version 0.1, in `seen.json` (S1) and `unseen.json` (S2). Both take scores before softmax for every
verb and noun by official id, and may hold the 100 likeliest actions, verb times noun by probability.

Ego4D's object state change classification (OSCC) takes a list of whether each piece has a state change, by its
`unique_id`.
"""

import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.datasets._ego4d_fho import CHANGE
from ego.datasets.ego4d import Ego4d
from ego.datasets.epic_kitchens import EpicKitchens
from ego.errors import BadRequest, EgoError
from ego.heads._train import Predicted
from ego.pipeline.evaluate import Evaluated
from ego.pipeline.read_run import Run

Files = Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""The files of a submission by the names they have in the archive."""
ACTIONS = 100
NAMES = {"test_s1": "seen.json", "test_s2": "unseen.json"}


def levels(text: str) -> tuple[int, int, int]:
    """`PT,TL,TD` as the three supervision levels; anything else is a BadRequest."""
    if not re.fullmatch(r"[0-5],[0-5],[0-5]", text):
        raise BadRequest(f"got --sls {text!r:.40}, expected three levels from 0 to 5 such as 2,3,3")
    pretraining, labels, data = map(int, text.split(","))
    return pretraining, labels, data


def check_served(run: Run, challenge: str) -> None:
    """Nothing, or a BadRequest where a run is on no data set of the challenge."""
    dataset = run.recipe.dataset
    name = f"ego4d {dataset.benchmark}" if isinstance(dataset, Ego4d) else dataset.name if dataset else "none"
    if challenge == "epic" and not isinstance(dataset, EpicKitchens):
        raise BadRequest(f"got a run on the data set {name}, expected epic_kitchens for --challenge epic")
    if challenge == "ego4d" and not (isinstance(dataset, Ego4d) and dataset.benchmark == "oscc"):
        raise BadRequest(f"got a run on the data set {name}, --challenge ego4d serves the benchmark oscc of ego4d")


def epic(run: Run, found: Evaluated, supervision: tuple[int, int, int] | None) -> Files:
    """The submission of an EPIC-KITCHENS run by the name it has in the archive."""
    check_served(run, "epic")
    _check_one_fold(found)
    newer = getattr(run.recipe.dataset, "release", None) == 100
    if newer and supervision is None:
        raise BadRequest("EPIC-KITCHENS-100 asks how a model was supervised; say it with --sls PT,TL,TD such as 2,3,3")
    scores = {label: _scores(run, found, label) for label in ("verb", "noun")}
    files = {}
    for split in _one_split(found) if newer else _of_the_server(found.results[0].predictions):
        about: dict[str, Any] = {"version": "0.2" if newer else "0.1", "challenge": "action_recognition"}
        if newer and supervision is not None:
            about |= dict(zip(("sls_pt", "sls_tl", "sls_td"), supervision, strict=True))
        results = _results(found, split, {label: some[split] for label, some in scores.items()})
        files["test.json" if newer else NAMES.get(split, f"{split}.json")] = {**about, "results": results}
    return files


def ego4d(run: Run, found: Evaluated) -> Files:
    """The submission of a run on Ego4D's OSCC by its name; other benchmarks are a BadRequest."""
    check_served(run, "ego4d")
    _check_one_fold(found)
    own = _task_on(run, "state_change", "whether a state changes")
    if (classes := run.recipe.tasks[own].describe()["fields"].get("classes")) != list(CHANGE):
        raise BadRequest(f"got a task {own!r} of the classes {classes}, the challenge wants {', '.join(CHANGE)}")
    ((split, said),) = _one_split(found).items()
    clips = [found.problem.clips[i] for i in found.problem.folds[found.results[0].name][split]]
    if any("unique_id" not in clip.labels for clip in clips):
        raise BadRequest(
            f"the annotations of {split!r} have pieces without a unique_id, by which the server knows them"
        )
    changes = said[own].predictions.argmax(axis=1) == CHANGE.index("yes")
    pieces = zip(clips, changes, strict=True)
    return {"oscc.json": [{"unique_id": clip.labels["unique_id"], "state_change": bool(one)} for clip, one in pieces]}


def _of_the_server(splits: Iterable[str]) -> list[str]:
    """Those of the splits that the server of EPIC-KITCHENS-55 knows; where it knows none, all of them."""
    names = list(splits)
    return [split for split in names if split in NAMES] or names


def _check_one_fold(found: Evaluated) -> None:
    if len(found.results) != 1:
        raise BadRequest(f"got {len(found.results)} folds, a challenge takes one; name it with --fold")


def _one_split(found: Evaluated) -> Mapping[str, Mapping[str, Predicted]]:
    """The predictions of the only split; several are a BadRequest."""
    splits = found.results[0].predictions
    if len(splits) > 1:
        raise BadRequest(f"got the splits {', '.join(splits)}, name one with --split")
    return splits


def _task_on(run: Run, label: str, words: str) -> str:
    """The name of the task that is trained on a label."""
    own = next((name for name, task in run.trained_tasks.items() if getattr(task, "label", None) == label), None)
    if own is None:
        raise BadRequest(f"the challenge wants {words}, this run has no task on {label!r}")
    return own


def _scores(run: Run, found: Evaluated, label: str) -> dict[str, NDArray[np.float32]]:
    """(clips, official classes) scores before softmax of the task on a label, by split."""
    own = _task_on(run, label, "scores of verbs and nouns")
    known, official = list(getattr(run.recipe.tasks[own], "classes", ())), found.classes[label]
    missing = [name for name in official if name not in known]
    if missing:
        raise BadRequest(
            f"the challenge wants a score for each of {len(official)} {label}s, the task {own!r} lacks {len(missing)}, "
            f"such as {missing[0]!r}"
        )
    order = [known.index(name) for name in official]
    return {split: some[own].predictions[:, order] for split, some in found.results[0].predictions.items()}


def _results(found: Evaluated, split: str, scores: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    clips = [found.problem.clips[i] for i in found.problem.folds[found.results[0].name][split]]
    return {
        str(clip.labels["segment"]): {
            "verb": {str(i): float(score) for i, score in enumerate(verbs)},
            "noun": {str(i): float(score) for i, score in enumerate(nouns)},
            "action": best_actions(verbs, nouns),
        }
        for clip, verbs, nouns in zip(clips, scores["verb"], scores["noun"], strict=True)
    }


def best_actions(verbs: NDArray[Any], nouns: NDArray[Any], count: int = ACTIONS) -> dict[str, float]:
    """The likeliest (verb, noun) pairs as `v,n`, best first, with p(verb) p(noun) of scores before softmax."""
    joint = np.outer(_softmax(verbs), _softmax(nouns))
    best = np.argsort(-joint, axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(best, joint.shape), strict=True)
    return {f"{verb},{noun}": float(joint[verb, noun]) for verb, noun in pairs}


def _softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    shares = np.exp(np.asarray(scores, np.float64) - scores.max())
    return np.asarray(shares / shares.sum())


def write(files: Files, out: Path) -> None:
    """Writes one submission as .json, or all as a flat .zip; anything else is a BadRequest."""
    if out.suffix not in (".json", ".zip") or (out.suffix == ".json" and len(files) > 1):
        raise BadRequest(
            f"got --out {str(out)!r} for {', '.join(files)}, expected FILE.zip, or FILE.json for one of them"
        )
    try:
        if out.suffix == ".json":
            out.write_text(json.dumps(next(iter(files.values()))))
            return
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, json.dumps(content))
    except OSError as error:
        raise EgoError(f"{out} cannot be written: {error.strerror or error}; name another --out") from error
