"""The plain layout: `videos/<name>.mp4` and `annotations.csv` with video, start, stop, verb, noun, split."""

from collections.abc import Sequence
from pathlib import Path

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.layouts._base import Layout, Record, actions, written
from ego.datasets.kitchen.shoot import Shoot, film_file


class Folder(Layout):
    """Seconds and words, nothing else."""

    def name(self, film: Film) -> str:
        """Number, cook and recipe."""
        return f"v{film.order.index:04d}_{film.cast.subject.name}_{film.recipe}"

    def shoot(self, shoot: Shoot, name: str, root: Path) -> None:
        """The video alone."""
        film_file(root / "videos" / f"{name}.mp4", shoot.film, shoot.frames())

    def finish(self, records: Sequence[Record], root: Path) -> None:
        """`annotations.csv`, and `videos.csv` with what each video shows."""
        lines = ["video,start,stop,verb,noun,split"]
        about = ["video,split,subject,room,recipe,seconds,fps,people"]
        for one in records:
            lines += [
                f"{one['name']},{action.start:.3f},{action.stop:.3f},{action.verb},{action.noun},{one['split']}"
                for action in actions(one)
            ]
            about.append(
                f"{one['name']},{one['split']},{one['subject']},{one['room']},{one['recipe']},{one['seconds']:g},"
                f"{one['fps']:g},{len(one['people'])}"
            )
        written(root / "annotations.csv", "\n".join(lines) + "\n")
        written(root / "videos.csv", "\n".join(about) + "\n")
