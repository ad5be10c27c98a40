"""Annotation tables as text: one header line, then rows, each error with its file and line."""

import csv
import math
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

    def seconds(self, column: str) -> float:
        """The cell of a column as seconds at or after 0; anything else is a BadRequest."""
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise BadRequest(f"{self.source}: got {text!r} as {column!r}, expected a number of seconds")
        if value < 0:
            raise BadRequest(f"{self.source}: got {text!r} as {column!r}, expected seconds at or after 0")
        return value


def read_table(path: Path, columns: Sequence[str], delimiter: str) -> tuple[tuple[str, ...], list[Line]]:
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


def _rows(path: Path, delimiter: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every line that is not blank."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}; expected a table with a header line") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
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
        hint = f"; its cells look divided by {other!r}, set dataset.delimiter" if other else ""
        raise BadRequest(f"{path.name}, line 1: no column {missing[0]!r} among {', '.join(map(repr, header))}{hint}")
