"""What was found and done, as lines for a terminal and as documents for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rearch.bundle.errors import words_of
from rearch.bundle.scan import Scan
from rearch.bundle.values import FoundElf, Refitted
from rearch.bundle.verify import Verdict
from rearch.formats.elf import ElfFacts
from rearch.formats.elf_facts import machine_name
from rearch.formats.printable import printable

Row = tuple[str, ...]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Columns under each other; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


# --- scan


def scan_lines(scan: Scan) -> Iterator[str]:
    """The programs, then the scripts that name an architecture, then what is wrong with the sums."""
    rows: list[Row] = [("PATH", "ARCH", "LINK", "GO", "MODULE", "MAIN PACKAGE", "COVERED BY", "SHA256")]
    rows += [_elf_row(found) for found in scan.elves]
    yield from table(rows) if scan.elves else ("no ELF file in it",)
    if scan.mentions:
        yield from ("", *table([("SCRIPT", "LINE", "NAMES"), *_mention_rows(scan)]))
    if scan.root is None and scan.sums:
        yield from ("", f"{len(scan.roots)} things at its top, where hosts want one folder")
    if scan.faults:
        yield from ("", *(f"sums: {printable(fault)}" for fault in scan.faults))


def _elf_row(found: FoundElf) -> Row:
    facts = found.facts
    covered = "allowed" if found.allowed else str(found.program) if found.program else f"nothing ({found.why})"
    if facts is None:
        return (printable(found.path), "broken", found.broken, "", "", "", covered, found.sha256[:12])
    module = _module(facts)
    named = f"{module['path']}@{module['version']}" if module else ""
    go = (facts.go.version, named, facts.go.path) if facts.go else ("", "", "")
    return (printable(found.path), machine_name(facts), _link(facts), *go, covered, found.sha256[:12])


def _link(facts: ElfFacts) -> str:
    if facts.kind in ("exec", "pie"):
        return "static" if facts.static else "dynamic"
    return facts.kind


def _mention_rows(scan: Scan) -> Iterator[Row]:
    for mention in scan.mentions:
        yield (printable(mention.path), str(mention.line), ", ".join(mention.words))


def scan_document(scan: Scan) -> dict[str, Any]:
    """The same as JSON values: `elves`, `scripts`, `roots`, `sums`."""
    return {
        "name": scan.name,
        "entries": len(scan.entries),
        "roots": list(scan.roots),
        "elves": [_elf_document(found) for found in scan.elves],
        "scripts": [{"path": printable(one.path), "line": one.line, "words": list(one.words)} for one in scan.mentions],
        "sums": {"present": scan.sums, "faults": [printable(fault) for fault in scan.faults]},
    }


def _elf_document(found: FoundElf) -> dict[str, Any]:
    facts = found.facts
    go = facts.go if facts else None
    return {
        "path": printable(found.path),
        "size": found.size,
        "sha256": found.sha256,
        "description": words_of(found),
        "architecture": machine_name(facts) if facts else None,
        "static": facts.static if facts else None,
        "go": {"version": go.version, "path": go.path, "module": _module(facts)} if go else None,
        "covered_by": {"component": found.program.component, "binary": found.program.binary} if found.program else None,
        "why": found.why,
        "allowed": found.allowed,
    }


def _module(facts: ElfFacts | None) -> dict[str, str] | None:
    main = facts.go.main if facts and facts.go else None
    return {"path": main.path, "version": main.version} if main else None


# --- refit


def refit_lines(refitted: Refitted) -> Iterator[str]:
    """What was put where; what stayed."""
    rows = [("PATH", "IS NOW", "SHA256")]
    rows += [(printable(put.path), put.what, put.sha256[:12]) for put in refitted.done.put]
    rows += [(printable(found.path), "as it was", found.sha256[:12]) for found in refitted.done.kept]
    yield from table(rows)


def refit_document(refitted: Refitted) -> dict[str, Any]:
    """The same as JSON values."""
    done = refitted.done
    return {
        "name": refitted.name,
        "path": str(refitted.path),
        "sha256": refitted.sha256,
        "size": refitted.size,
        "entries": done.entries,
        "machines": list(done.machines),
        "lacking": [str(platform) for platform in done.lacking],
        "put": [
            {
                "path": printable(put.path),
                "was": printable(put.was),
                "what": put.what,
                "platform": str(put.platform) if put.platform else None,
                "sha256": put.sha256,
                "size": put.size,
            }
            for put in done.put
        ],
        "kept": [printable(found.path) for found in done.kept],
        "sums": done.sums,
    }


# --- verify


def verdict_lines(verdict: Verdict) -> Iterator[str]:
    """The programs, the differences, and then all that is wrong."""
    rows = [("PATH", "IS", "FOR", "SOURCE")]
    rows += [
        (printable(one.found.path), words_of(one.found), str(one.platform or "any"), one.source or "not known here")
        for one in verdict.programs
    ]
    yield from table(rows)
    if verdict.differences:
        heading = ("DIFFERS", "IN", "BEFORE", "AFTER", "EXPECTED")
        more = [
            (
                printable(one.path),
                one.what,
                printable(one.before),
                printable(one.after),
                "yes" if one.expected else "NO",
            )
            for one in verdict.differences
        ]
        yield from ("", *table([heading, *more]))
    if verdict.faults:
        yield from ("", *(f"wrong: {printable(fault)}" for fault in verdict.faults))


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """The same as JSON values; `right` is the answer."""
    return {
        "name": verdict.name,
        "right": verdict.holds,
        "faults": [printable(fault) for fault in verdict.faults],
        "programs": [
            {
                "path": printable(one.found.path),
                "sha256": one.found.sha256,
                "description": words_of(one.found),
                "platform": str(one.platform) if one.platform else None,
                "source": one.source,
                "faults": list(one.faults),
            }
            for one in verdict.programs
        ],
        "differences": [
            {
                "path": printable(one.path),
                "what": one.what,
                "before": printable(one.before),
                "after": printable(one.after),
                "expected": one.expected,
            }
            for one in verdict.differences
        ],
    }
