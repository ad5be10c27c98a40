"""`ego predict --draw`: a video with what is predicted written below its frames."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ego.errors import BadRequest
from ego.report.text import one_line

if TYPE_CHECKING:
    from ego.media.decode import Decoder
    from ego.pipeline.predict import Guess
    from ego.report.captions import Caption
    from ego.report.overlay import Pixels
    from ego.video import Video

HEIGHT = 360


def check_film(file: Path, videos: int) -> None:
    """Nothing, or a BadRequest where nothing can be drawn."""
    if file.suffix.lower() != ".mp4":
        raise BadRequest(f"got --draw {str(file)!r}, expected a file that ends in .mp4")
    if not file.parent.is_dir():
        raise BadRequest(f"the folder {file.parent} of --draw is not there; make it or name another")
    if videos != 1:
        raise BadRequest(f"got {videos} videos for one film, expected one with --draw")


def film(video: "Video", guesses: "Sequence[Guess]", decoder: "Decoder", file: Path) -> None:
    """Writes the film: at each frame the clips whose middle is nearest to it, a line a task."""
    from ego.media.encode import encode
    from ego.pipeline.around import frames
    from ego.report.captions import captioned
    from ego.video import Picture

    tasks = list(dict.fromkeys(one.task for one in guesses))
    told = {one.task for one in guesses if _words(one, one.start)}  # points and maps have no words

    def pictures() -> "Iterator[Pixels]":
        for shown in frames(video, decoder, Picture("height", HEIGHT)):
            now = [
                nearest([one for one in guesses if one.task == task], (shown.start + shown.stop) / 2) for task in tasks
            ]
            points = [point for one in now for point in _points(one, shown.start)]
            yield captioned(
                shown.picture, [caption(one, shown.start) for one in now if one.task in told], len(told), points
            )

    rate = video.header.fps_from_header if video.header and video.header.fps_from_header else 30.0
    encode(file, pictures(), rate, crf=20)


def nearest(guesses: "Sequence[Guess]", seconds: float) -> "Guess":
    """The guess whose clip's middle is nearest."""
    return min(guesses, key=lambda one: abs((one.start + one.stop) / 2 - seconds))


def caption(guess: "Guess", seconds: float) -> "Caption":
    """A guess as a line: what is said, and how sure."""
    from ego.report.captions import Caption

    sure = f"  {guess.score:.0%}" if guess.score is not None else ""
    return Caption(one_line(f"{guess.task}: {_words(guess, seconds)}{sure}"), guess.score)


def _words(guess: "Guess", seconds: float) -> str:
    """What is said of a clip, or of its step nearest to a moment; of numbers nothing."""
    said: Any = guess.said
    if guess.steps:
        said = min(guess.steps, key=lambda step: abs(step.seconds - seconds)).said
    return in_words(said) if isinstance(said, list | str) and not _numbers(said) else ""


def _numbers(said: Any) -> bool:
    return isinstance(said, list) and not all(isinstance(word, str) for word in said)


def in_words(said: Any) -> str:
    """What is said of a clip on one line: the words of a class or a pair, anything else as JSON."""
    if isinstance(said, str):
        return said
    return json.dumps(said) if _numbers(said) or not isinstance(said, list) else " ".join(said)


def _points(guess: "Guess", seconds: float) -> "list[tuple[str, float, float]]":
    if not guess.steps:
        return []
    return list(min(guess.steps, key=lambda step: abs(step.seconds - seconds)).points)
