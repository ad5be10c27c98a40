"""Text for a terminal: one line, aligned columns, sizes, durations and a line of bars."""

from collections.abc import Iterable, Sequence

BARS = "▁▂▃▄▅▆▇█"


def one_line(text: str) -> str:
    """`text` on one line with everything unprintable escaped, so that odd names stay visible and harmless."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text)


def columns(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """Lines of left-aligned cells (numbers to the right), as wide as needed; `head` names the columns."""
    table = [[one_line(str(cell)) for cell in row] for row in rows]
    numeric = [bool(table) and all(_is_number(row[i]) for row in table) for i in range(len(head or (table or [[]])[0]))]
    if head:
        table.insert(0, list(head))
    widths = [max(len(row[i]) for row in table) for i in range(len(numeric))]
    lines = (
        "  ".join(
            cell.rjust(w) if right else cell.ljust(w) for cell, w, right in zip(row, widths, numeric, strict=True)
        )
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def size(count: float) -> str:
    """Bytes in words, decimal: `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """Seconds in words: `4.2 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def bars(values: Sequence[float], width: int = 60) -> str:
    """A line of at most `width` bars, low to high between the least and the greatest value; NaN is a gap."""
    groups = [values[i * len(values) // width : (i + 1) * len(values) // width] for i in range(width)]
    if len(values) <= width:
        groups = [[value] for value in values]
    means = [sum(group) / len(group) for group in groups if len(group)]
    known = [mean for mean in means if mean == mean]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(BARS) - 1) or 1.0
    return "".join(BARS[round((mean - low) / step)] if mean == mean else " " for mean in means)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit() or cell in ("", "-")
