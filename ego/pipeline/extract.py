"""`ego extract`: each video is decoded once for all extractors that miss it; their rows are stored.

One share of jobs is done by one process (`ego.pipeline.threads`); shares go to threads here, to other
processes, or to a cluster's workers through the same call.
"""

import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from ego.cache.store import FeatureStore
from ego.extractors._base import Files, Network
from ego.media.decode import Choice
from ego.pipeline.device import device_of
from ego.pipeline.engine import How
from ego.pipeline.jobs import Advance, Job, Outcome, shares
from ego.pipeline.passes import passes
from ego.pipeline.sharing import lanes_of
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
    compiled: bool = False


def extract(
    jobs: Sequence[Job],
    store: FeatureStore,
    files: Files,
    *,
    device: str = "auto",
    batch: int | None = None,
    workers: int | None = None,
    decoder: Choice = "auto",
    compiled: bool = False,
    jobs_at_once: int = 1,
    executor: Executor | None = None,
) -> Iterator[Advance | Outcome]:
    """One Outcome for each job, as they end, and Advances between; entries appear whole or not at all.

    `batch` is windows at once, `workers` compute threads, `jobs_at_once` processes on this machine;
    `compiled` has torch.compile make kernels of the networks first.
    With an `executor` (a cluster's) jobs go to its workers in shares and only outcomes come back.
    Stopping early leaves nothing half written.
    """
    settings = Settings(device, batch, workers, decoder, compiled)
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
    single = [job for job in jobs if len(passes(job)) == 1]
    if single:
        yield from _one_pass(single, store, files, settings)
    for job in jobs:
        if job not in single:
            yield from _several_passes(job, store, files, settings)


def _several_passes(job: Job, store: FeatureStore, files: Files, settings: Settings) -> Iterator[Advance | Outcome]:
    """One job pass after pass; what later passes need and nobody keeps lies in a scratch store meanwhile."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="ego-pass-") as folder:
        scratch = FeatureStore(folder, create=True)
        both = FeatureStore(*store.places, folder)
        for one in passes(job):
            for event in _one_pass([one], both, files, settings, scratch):
                if isinstance(event, Outcome):
                    outcomes.append(event)
                else:
                    yield event
            if outcomes[-1].state == "failed":
                break
    yield _together(outcomes, job)


def _together(outcomes: Sequence[Outcome], job: Job) -> Outcome:
    """The outcome of a job from those of its passes."""
    named = {extractor.name for extractor in job.extractors}
    rows = {name: count for one in outcomes for name, count in one.rows.items() if name in named}
    wall = sum(one.wall_seconds for one in outcomes)
    first = next((one for one in outcomes if one.state in ("failed", "stored")), outcomes[-1])
    return replace(outcomes[-1], state=first.state, rows=rows, error=first.error, wall_seconds=wall)


def _one_pass(
    jobs: Sequence[Job], store: FeatureStore, files: Files, settings: Settings, scratch: FeatureStore | None = None
) -> Iterator[Advance | Outcome]:
    device = device_of(settings.device)
    workers = settings.workers or (2 if device.startswith("cuda") else os.cpu_count() or 1)
    needed = {one.digest: one for job in jobs for one in job.riding}
    with _intra_op_threads(device, workers):
        how = How(device, settings.batch, settings.compiled)
        lanes = lanes_of([one for one in needed.values() if isinstance(one, Network)], files, how)
        run = Run(jobs, store, files, lanes, how, workers, settings.decoder, scratch)
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
