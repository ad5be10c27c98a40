"""Tables as text: one header line, then rows, each error with its file and line."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ego.errors import BadRequest


@dataclass(frozen=True)
class Line:
    """One row of a table: its cells by column, stripped of outer blanks, and where it stands."""

    cells: dict[str, str]
    source: str

    def text(self, column: str) -> str:
        """The cell of a column; an empty one is a BadRequest."""
        if not self.cells[column]:
            raise BadRequest(f"{self.source}: {column!r} is empty")
        return self.cells[column]

    def number(self, column: str) -> float:
        """The cell of a column as a number, NaN where it is empty; anything else is a BadRequest."""
        text = self.cells[column]
        try:
            return float(text) if text else math.nan
        except ValueError:
            raise BadRequest(f"{self.source}: got {text!r} as {column!r}, expected a number") from None

    def seconds(self, column: str) -> float:
        """The cell of a column as seconds at or after 0, plain or `H:M:S`; anything else is a BadRequest."""
        text = self.text(column)
        value = _seconds(text)
        if not math.isfinite(value):
            raise BadRequest(f"{self.source}: got {text!r} as {column!r}, expected a number of seconds")
        if value < 0:
            raise BadRequest(f"{self.source}: got {text!r} as {column!r}, expected seconds at or after 0")
        return value

    def whole(self, column: str) -> int:
        """The cell of a column as a whole number; anything else, NaN included, is a BadRequest."""
        return whole(self.text(column), f"{column!r}", self.source)

    def stamp(self, column: str) -> int:
        """The cell of a column as whole nanoseconds of a clock, more digits than a float holds; else a BadRequest."""
        text = self.text(column)
        if not re.fullmatch(r"-?[0-9]{1,19}", text):
            raise BadRequest(f"{self.source}: got {text!r} as {column!r}, expected whole nanoseconds")
        return int(text)

    def span(self, start: str, stop: str) -> tuple[float, float]:
        """Two columns as the start and stop of a segment; one that stops before it starts is a BadRequest."""
        return span(self.seconds(start), self.seconds(stop), self.source)


def whole(text: str, what: str, source: str) -> int:
    """A text as a whole number (`4` and `4.0` are); anything else is a BadRequest."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (abs(value) < 2**53 and value == int(value)):  # NaN is not below anything
        raise BadRequest(f"{source}: got {text!r} as {what}, expected a whole number")
    return int(value)


def span(start: float, stop: float, source: str) -> tuple[float, float]:
    """(start, stop) in seconds where 0 <= start <= stop, else a BadRequest."""
    if not 0 <= start <= stop:
        raise BadRequest(f"{source}: got a segment from {start:g} to {stop:g} s, expected 0 <= start <= stop")
    return start, stop


def _seconds(text: str) -> float:
    """`12.5` or `00:01:02.50` as seconds, NaN for anything else."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return math.nan
    if len(numbers) == 3 and min(numbers) >= 0 and max(numbers[1:]) < 60.0:
        return (numbers[0] * 60 + numbers[1]) * 60 + numbers[2]
    return numbers[0] if len(numbers) == 1 else math.nan


def read_table(path: Path, columns: Sequence[str], delimiter: str = ",") -> tuple[tuple[str, ...], list[Line]]:
    """The header and the rows of a delimited text file (UTF-8, any line ends), blank lines left out.

    A file that cannot be read, a missing or doubled column and a row of another length are each a
    BadRequest with file and line.
    """
    rows = _rows(path, delimiter)
    header = tuple(cell.strip() for cell in rows[0][1]) if rows else ()
    _check_header(path, header, columns, delimiter)
    lines = []
    for number, row in rows[1:]:
        source = f"{path.name}, line {number}"
        if len(row) != len(header):
            raise BadRequest(f"{source}: got {len(row)} cells, expected {len(header)}: {', '.join(header)}")
        lines.append(Line({name: cell.strip() for name, cell in zip(header, row, strict=True)}, source))
    return header, lines


def read_lines(path: Path, expected: str) -> list[str]:
    """The lines of a UTF-8 text file, whatever its line ends; what cannot be read is a BadRequest."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}; expected {expected}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _rows(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank."""
    lines = read_lines(path, "a table with a header line")
    reader = csv.reader((line + "\n" for line in lines), delimiter=delimiter, strict=True)
    rows, number = [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((number, row))
            number = reader.line_num + 1
    except csv.Error as error:
        raise BadRequest(f"{path.name}, line {reader.line_num}: {error}; expected cells with {delimiter!r}") from error
    return rows


def _check_header(path: Path, header: tuple[str, ...], columns: Sequence[str], delimiter: str) -> None:
    if not header:
        raise BadRequest(f"{path.name} is empty, expected a header line with: {', '.join(columns)}")
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise BadRequest(f"{path.name}, line 1: the column {doubled[0]!r} stands there twice")
    missing = [name for name in columns if name not in header]
    if missing:
        other = next((mark for mark in ",;\t" if mark != delimiter and mark in "".join(header)), None)
        hint = f"; its cells look divided by {other!r}, expected {delimiter!r}" if other else ""
        raise BadRequest(f"{path.name}, line 1: no column {missing[0]!r} among {', '.join(map(repr, header))}{hint}")
