"""`ego extract`: each video is decoded once for all extractors that miss it; their rows are stored.

One share of jobs is done by one process (`ego.pipeline.threads`); shares go to threads here, to other
processes, or to a cluster's workers through the same call.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from ego.cache.store import FeatureStore
from ego.extractors._base import Files, Network
from ego.media.decode import Choice
from ego.pipeline.device import device_of
from ego.pipeline.jobs import Advance, Job, Outcome, shares
from ego.pipeline.lanes import Lane
from ego.pipeline.threads import Run

SHARE_SECONDS = 300.0
"""How much video a worker takes at a time, where videos are short."""


@dataclass(frozen=True)
class Settings:
    """How fast and where, never what: nothing here changes a number."""

    device: str = "auto"
    batch: int | None = None
    workers: int | None = None
    decoder: Choice = "auto"


def extract(
    jobs: Sequence[Job],
    store: FeatureStore,
    files: Files,
    *,
    device: str = "auto",
    batch: int | None = None,
    workers: int | None = None,
    decoder: Choice = "auto",
    jobs_at_once: int = 1,
    executor: Executor | None = None,
) -> Iterator[Advance | Outcome]:
    """One Outcome for each job, as they end, and Advances between; entries appear whole or not at all.

    `batch` is windows at once, `workers` compute threads, `jobs_at_once` processes on this machine.
    With an `executor` (a cluster's) jobs go to its workers in shares and only outcomes come back.
    Stopping early leaves nothing half written.
    """
    settings = Settings(device, batch, workers, decoder)
    if executor is not None:
        waiting = [
            executor.submit(_whole_share, share, store.places, files, settings) for share in shares(jobs, SHARE_SECONDS)
        ]
        for future in as_completed(waiting):
            yield from future.result()
    elif jobs_at_once > 1 and len(jobs) > 1:
        # spawned, not forked: the parent may hold threads and a GPU
        with ProcessPoolExecutor(jobs_at_once, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield from extract(jobs, store, files, **vars(settings), executor=pool)
    else:
        yield from extract_share(jobs, store, files, settings)


def _whole_share(share: Sequence[Job], places: Sequence[str], files: Files, settings: Settings) -> list[Outcome]:
    done = extract_share(share, FeatureStore(*places), files, settings)
    return [event for event in done if isinstance(event, Outcome)]


def extract_share(
    jobs: Sequence[Job], store: FeatureStore, files: Files, settings: Settings
) -> Iterator[Advance | Outcome]:
    """Does these jobs in this process; see `extract`."""
    device = device_of(settings.device)
    workers = settings.workers or (2 if device.startswith("cuda") else os.cpu_count() or 1)
    needed = {extractor.digest: extractor for job in jobs for extractor in job.extractors}
    with _intra_op_threads(device, workers):
        lanes = {
            digest: Lane(extractor, files, device, settings.batch)
            for digest, extractor in needed.items()
            if isinstance(extractor, Network)
        }
        run = Run(jobs, store, files, lanes, device, workers, settings.decoder)
        try:
            yield from run.events()
        finally:
            run.stop()


@contextmanager
def _intra_op_threads(device: str, workers: int) -> Iterator[None]:
    """Compute threads share the cores: several windows at once beat several threads on one."""
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)
