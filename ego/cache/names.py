"""What people call videos and extractors, resolved to the groups and entries of a store."""

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from ego.cache.key import FeatureKey
from ego.cache.listing import entry_name, group_name, groups
from ego.cache.notes import Notes, VideoNote
from ego.cache.place import Folder
from ego.errors import BadRequest, NotExtracted

_DIGEST = re.compile(r"[0-9a-f]{8,64}")


class Names:
    """Names in one or several places; notes and listings are kept, and read again where a name is not found."""

    def __init__(self, places: Sequence[Folder]) -> None:
        self._places = places
        self._notes: dict[str, VideoNote] | None = None
        self._called: dict[str, set[str]] = {}
        self._entries: dict[str, dict[str, list[str]]] = {}

    def note(self, digest16: str) -> VideoNote | None:
        """What is noted of a video."""
        return self._known().get(digest16) or self._known(again=True).get(digest16)

    def extractors(self) -> list[str]:
        """Names where unique, else `name-digest16`, sorted."""
        found = self._all_groups()
        count = Counter(_name(group) for group in found)
        return sorted(_name(group) if count[_name(group)] == 1 else group for group in found)

    def videos(self) -> list[str]:
        """Names where unique, else `name-digest16`; digest16 alone where no name is known; sorted."""
        known = self._known(again=True)
        found = {digest for group in self._all_groups() for digest in self._of(group, again=True)}
        called = {digest: known[digest].name if digest in known else digest for digest in found}
        return sorted(
            name if len(self._called.get(name, ())) <= 1 else f"{name}-{digest}" for digest, name in called.items()
        )

    def groups(self, extractor: str) -> list[str]:
        """The group an extractor's name or digest means; several of one name are a BadRequest, none NotExtracted."""
        found = self._all_groups()
        plain = FeatureKey(extractor, "", "").group[:-1]
        chosen = [one for one in found if one == extractor or _name(one) == plain]
        if not chosen and _DIGEST.fullmatch(extractor):
            chosen = [one for one in found if _same(_digest(one), extractor)]
        if not chosen:
            raise NotExtracted(_unknown("extractor", extractor, self.extractors()))
        if len(chosen) > 1:
            raise BadRequest(f"{extractor!r} means several extractors: {', '.join(chosen)}; name one of them")
        return chosen

    def entries(self, video: str, within: Sequence[str]) -> list[str]:
        """`group/entry` of the video that a name or digest means, in these groups."""
        for again in (False, True):
            digests = self.digests(video, again)
            found = [path for group in within for digest in digests for path in self._of(group, again).get(digest, ())]
            if not found and _DIGEST.fullmatch(video):
                held = ((digest, paths) for group in within for digest, paths in self._of(group, again).items())
                found = [path for digest, paths in held if _same(digest, video) for path in paths]
            if found:
                return sorted(found)
        if not digests:
            raise NotExtracted(_unknown("video", video, self.videos()))
        return []

    def digests(self, video: str, again: bool = False) -> set[str]:
        """The digest16s of the video with this name, or `name-digest16`; several of one name are a BadRequest."""
        self._known(again)
        named = self._called.get(video, set())
        if len(named) > 1:
            choices = ", ".join(f"{video}-{digest}" for digest in sorted(named))
            raise BadRequest(f"{video!r} means several videos: {choices}; name one of them")
        name, _, digest = video.rpartition("-")
        return named or ({digest} & self._called.get(name, set()))

    def _known(self, again: bool = False) -> dict[str, VideoNote]:
        if self._notes is None or again:
            self._notes, self._called = {}, {}
            for place in reversed(self._places):
                self._notes.update({digest[:16]: note for digest, note in Notes(place).videos().items()})
            for digest, note in self._notes.items():
                for name in note.names:
                    self._called.setdefault(name, set()).add(digest)
        return self._notes

    def _all_groups(self) -> list[str]:
        return sorted({group for place in self._places for group in groups(place)})

    def _of(self, group: str, again: bool) -> dict[str, list[str]]:
        """The entries of a group by the digest16 of their video."""
        if group not in self._entries or again:
            found: dict[str, list[str]] = {}
            for name in {name for place in self._places for name in place.names(group) or [] if entry_name(name)}:
                found.setdefault(name[:16], []).append(f"{group}/{name}")
            self._entries[group] = found
        return self._entries[group]


def _name(group: str) -> str:
    match = group_name(group)
    return match["name"] if match else group


def _digest(group: str) -> str:
    match = group_name(group)
    return match["digest"] if match else ""


def _same(digest16: str, given: str) -> bool:
    """Whether a shortened or full digest means this one, of which 16 digits are known."""
    return digest16.startswith(given[:16])


def _unknown(what: str, given: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(given, known, 5) or known[:5]
    return f"the store has no {what} called {given!r}; it has {', '.join(map(repr, near)) or 'none'}; run: ego extract"
