"""The key of an entry: which bytes, seen how, and nothing else."""

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class FeatureKey:
    """(digest of the video's bytes, digests of the signals used, digest of the extractor's fields).

    `name` is the extractor's name, for people; the digest already covers it.
    """

    name: str
    extractor: str
    video: str
    signals: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The folder of all entries of this extractor: `<extractor>-<digest16>`."""
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', self.name)[:80]}-{self.extractor[:16]}"

    @property
    def entry(self) -> str:
        """The entry's own folder: `<video digest16>[+<signals digest16>]`. A video's name is never in it."""
        if not self.signals:
            return self.video[:16]
        return f"{self.video[:16]}+{hashlib.sha256('+'.join(sorted(self.signals)).encode()).hexdigest()[:16]}"

    @property
    def path(self) -> str:
        """`group/entry`, relative to the store."""
        return f"{self.group}/{self.entry}"
