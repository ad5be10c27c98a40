"""Training that was cut off goes on: what a run has learnt so far, beside the runs until the run is written."""

import io
import pickle
import shutil
import time
import uuid
import zipfile
from pathlib import Path
from typing import Any

import torch

from ego.cache.place import discard, make_folder, sync, write
from ego.errors import BadRequest, EgoError

State = dict[str, Any]


class Checkpoints:
    """The states of a run's folds in a folder of its own, each file written whole and renamed into place."""

    def __init__(self, out: Path, digest: str, every_seconds: float) -> None:
        self._folder = out / f".training-{digest[:16]}"
        self._every_seconds = every_seconds
        self._saved = time.monotonic()

    @property
    def age_seconds(self) -> float:
        """How long ago the last state was saved, or this was made."""
        return time.monotonic() - self._saved

    @property
    def due(self) -> bool:
        """Whether that is so long ago that another should be saved."""
        return self.age_seconds >= self._every_seconds

    def read(self, fold: int, device: str) -> State | None:
        """The last state of a fold, its tensors on a device; None where there is none."""
        path = self._path(fold)
        try:
            state: State = torch.load(path, map_location=device, weights_only=True)
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            raise BadRequest(
                f"{path} cannot be read ({type(error).__name__}); remove that folder and train again"
            ) from error
        return state

    def save(self, fold: int, state: State) -> None:
        """Puts a fold's state in place of the one before."""
        self._saved = time.monotonic()
        buffer = io.BytesIO()
        torch.save(state, buffer)
        staged = self._folder / f".{uuid.uuid4().hex}"
        try:
            make_folder(self._folder)
            write(staged, buffer.getvalue())
            staged.replace(self._path(fold))
            sync(str(self._folder))
        except OSError as error:
            discard(staged)
            words = f"training cannot be saved to {self._folder}: {error.strerror or error}"
            raise EgoError(f"{words}; make room there or name another --out") from error

    def remove(self) -> None:
        """Forgets everything; for a run that is written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, fold: int) -> Path:
        return self._folder / f"fold-{fold + 1}.pt"
