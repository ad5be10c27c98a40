"""A job in as few passes over its video as it takes.

One pass is enough unless an extractor needs frames together with the rows of one that speaks only when
the video has ended: it sees the frames again, in a second pass.
"""

from collections.abc import Mapping
from dataclasses import replace

from ego.extractors._base import Extractor
from ego.pipeline.jobs import Job
from ego.pipeline.needs import held_by, in_order, pictures_of, sounds_of, speaks_late


def passes(job: Job) -> list[Job]:
    """The passes of a job, in order; most jobs have one. What later passes need and nobody keeps is `lent` to them."""
    riding = {one.digest: one for one in (*job.passing, *job.extractors)}
    level = _levels(riding)
    found = []
    for number in range(max(level.values()) + 1):
        later = [one for digest, one in riding.items() if level[digest] > number]
        wanted = {held.digest for one in later for held in held_by(one).values()}
        now = [one for one in job.passing if level[one.digest] == number]
        lent = tuple(one for one in now if one.digest in wanted)
        kept = tuple(one for one in job.extractors if level[one.digest] == number)
        found.append(replace(job, extractors=kept, passing=tuple(one for one in now if one not in lent), lent=lent))
    return found


def _levels(riding: Mapping[str, Extractor]) -> dict[str, int]:
    """In which pass each extractor rides, from 0; what is read from the store holds nobody up."""
    level: dict[str, int] = {}
    for extractor in in_order(riding.values()):
        if extractor.digest in riding:
            sees = bool(pictures_of(extractor) or sounds_of(extractor))
            below = [held for held in held_by(extractor).values() if held.digest in riding]
            level[extractor.digest] = max(
                (level[held.digest] + (sees and speaks_late(held)) for held in below), default=0
            )
    return level
