"""Matches one regular expression in a process of its own: `python -I -S edit_worker.py REQUEST RESPONSE`.

Python's `re` cannot be stopped, holds the interpreter lock, and takes for ever on a pattern such as `(a+)+$`. In a
process of its own it can be given a limit of time and memory, and it stays the dialect that recipes are written in.
(The `regex` package has a time limit, but reads some patterns otherwise: `{e}` after a group is fuzzy matching there.)
Stands alone: nothing of rearch is imported, so that starting it takes about 15 ms.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys

SHOWN = 50
_LINE = 200
_MEMORY = 2 * 1024**3
_BOM = "\ufeff"


def main(request_path: str, response_path: str) -> None:
    """Read a request, do it under limits, write the response whole."""
    with open(request_path, encoding="ascii") as file:  # noqa: PTH123 - pathlib is a third of the start-up time
        request = json.load(file)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    seconds = int(request["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    response = replace_all(request["pattern"], request["replace"], request["files"], request["outs"])
    with open(response_path + ".part", "w", encoding="ascii") as file:  # noqa: PTH123
        json.dump(response, file)
    os.replace(response_path + ".part", response_path)  # noqa: PTH105


def replace_all(pattern: str, replacement: str, files: list[str], outs: list[str]) -> dict[str, object]:
    """Replace in every file of `files`, writing what changed to the path of the same index in `outs`.

    Answers {"counts": [per file], "matches": [[index, line, text], ... at most SHOWN]}, or {"error": text} for a
    replacement that does not fit the pattern.
    """
    compiled = re.compile(pattern, re.MULTILINE)
    try:
        compiled.sub(replacement, "")  # reads the replacement, even where nothing matches
    except (re.error, IndexError) as error:
        return {"error": str(error)}
    counts: list[int] = []
    matches: list[tuple[int, int, str]] = []
    for index, (path, out) in enumerate(zip(files, outs, strict=True)):
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read()
        made, places = replace(compiled, replacement, data)
        counts.append(len(places))
        matches += [(index, line, text) for line, text in places[: SHOWN - len(matches)]]
        if places:
            with open(out, "wb") as target:  # noqa: PTH123
                target.write(made)
    return {"counts": counts, "matches": matches}


def replace(compiled: re.Pattern[str], replacement: str, data: bytes) -> tuple[bytes, list[tuple[int, str]]]:
    """The changed bytes, and (line from 1, its text) of each match. Line ends, BOM and bytes that are no UTF-8 stay."""
    text = data.decode("utf-8", "surrogateescape")
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    crlf = "\r\n" in body and body.count("\n") == body.count("\r\n")
    body = body.replace("\r\n", "\n") if crlf else body
    pieces: list[str] = []
    places: list[tuple[int, str]] = []
    at, line = 0, 1
    counted = 0
    for found in compiled.finditer(body):
        line += body.count("\n", counted, found.start())
        counted = found.start()
        places.append((line, _line_at(body, found.start()) if len(places) < SHOWN else ""))
        pieces += [body[at : found.start()], found.expand(replacement)]
        at = found.end()
    made = "".join(pieces) + body[at:]
    made = made.replace("\n", "\r\n") if crlf else made
    return (mark + made).encode("utf-8", "surrogateescape"), places


def _line_at(text: str, at: int) -> str:
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    return text[start : len(text) if end < 0 else end][:_LINE]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
