"""The best of any epoch on what is tested, as papers report it; nothing is chosen by it."""

from typing import Any

from ego.pipeline import runs


class BestOnTest:
    """Of each split that is not trained on and each task, the figures of the epoch whose leading figure is highest.

    It looks at what is tested, so it is no estimate of anything: it stands apart, under `best_on_test`.
    """

    def __init__(self, plan: runs.Plan) -> None:
        self._plan = plan
        self.found: dict[str, dict[str, Any]] = {}

    def see(self, epoch: int, tested: runs.FoldResult) -> None:
        """Takes in what the head says of the tested splits after an epoch."""
        for split, tasks in runs.figures(self._plan.problem, [tested])["folds"][tested.name].items():
            for name, figures in tasks.items():
                self._compare(split, name, {"epoch": epoch, **figures})

    def _compare(self, split: str, task: str, seen: dict[str, Any]) -> None:
        leading = next((name for name in seen if name not in ("epoch", "clips")), None)
        best = self.found.setdefault(split, {}).setdefault(task, seen)
        if leading is not None and not best[leading] >= seen[leading]:
            self.found[split][task] = seen
