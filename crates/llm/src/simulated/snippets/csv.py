import csv
import io


def parse_csv(text: str) -> list:
    """Return one dictionary per row, keyed by the names in the first line."""
    rows = csv.DictReader(io.StringIO(text))
    return [dict(row) for row in rows]
# ----
def parse_csv(text: str) -> list:
    """Return one dictionary per row; quoted fields may hold commas, quotes and line breaks."""
    rows, row, field, quoted = [], [], "", False
    characters = iter(text.rstrip("\n") + "\n")
    for c in characters:
        if c == '"':
            quoted = not quoted
            if quoted and field:
                field += c
        elif c == "," and not quoted:
            row, field = row + [field], ""
        elif c == "\n" and not quoted:
            rows, row, field = rows + [row + [field.rstrip("\r")]], [], ""
        else:
            field += c
    names = rows[0]
    return [dict(zip(names, values)) for values in rows[1:]]
# ----
def parse_csv(text: str) -> list:
    """Return one dictionary per row, keyed by the names in the first line."""
    lines = text.splitlines()
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","))) for line in lines[1:]]
