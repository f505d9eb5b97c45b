"""`schema`, `doctor`, `clean`, `gc`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from rearch.app.request import Request
from rearch.app.wiring import Adapters
from rearch.errors import UsageError
from rearch.model.settings import Settings
from rearch.report import silent

DAY = 86400.0


def settings_of(root: Path, environment: dict[str, str]) -> Settings:
    """The project's settings alone, without its recipes."""
    from rearch.config.settings import settings_origins

    return settings_origins(root, environment=environment, flags={})[0]


def settings_lines(request: Request) -> Iterator[str]:
    """Every setting with its value and who said so."""
    from rearch.config.settings import settings_origins

    _, origins = settings_origins(request.project, environment=request.environment, flags=request.flags)
    width = max(len(origin.name) for origin in origins)
    for origin in origins:
        yield f"{origin.name:<{width}}  {origin.value or '(empty)'}  [{origin.origin}]"


def write_schemas(root: Path, *, check: bool) -> tuple[str, ...]:
    """Write the generated files that differ; their names. With `check` nothing is written."""
    from rearch.config.reference import render_reference
    from rearch.config.schema import render_schemas

    files = {f"schema/{name}": text for name, text in render_schemas().items()}
    files["docs/reference.md"] = render_reference()
    differing = tuple(name for name, text in sorted(files.items()) if _text(root / name) != text)
    if not check:
        for name in differing:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(files[name])
    return differing


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


class Examined(Struct, frozen=True):
    """doctor's findings as text; `blocked` when the main job cannot run here."""

    text: str
    blocked: bool


def examine_host(root: Path, environment: dict[str, str], *, as_json: bool) -> Examined:
    """Look at this host on behalf of a project."""
    from rearch.host.doctor import Surroundings, examine, show

    settings = settings_of(root, environment)
    adapters = Adapters(Request(project=root, environment=environment), settings, silent)
    findings = examine(Surroundings(environment=environment, cache=adapters.cache, output=adapters.output))
    text = json.dumps([finding.to_facts() for finding in findings], indent=1) if as_json else show(findings)
    return Examined(text, any(finding.blocks for finding in findings))


def known_fixes() -> Iterator[str]:
    """The fixes that a recipe can name, each with what it cures."""
    from rearch.planning.fixes import FIXES

    for name, known in FIXES.items():
        yield f"{name}: {known.summary}"
        for edit in known.fix.edits:
            yield f"  {edit.file}: {edit.why}"


def clean_output(root: Path, environment: dict[str, str]) -> str:
    """Remove the folder of results, if it is one."""
    from rearch.formats.tree import remove_tree

    output = root / settings_of(root, environment).output
    if not output.exists():
        return f"{output.name}/ is not there"
    if not (output / "CACHEDIR.TAG").exists():
        raise UsageError(
            f"{output} is not rearch's: it holds no CACHEDIR.TAG", hint="check `output:` in rearch.yaml, or remove it"
        )
    remove_tree(output)
    return f"removed {output.name}/"


def _value(parse: Callable[[object], float], text: str, flag: str) -> float:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{flag} {text}: {error}") from None


def collect(
    root: Path, environment: dict[str, str], *, age: str, quota: str, dry_run: bool, everything: bool
) -> Iterator[str]:
    """Collect garbage; lines that say what went."""
    from rearch.engine.gc import collect_garbage
    from rearch.model.base import parse_size, parse_span

    adapters = Adapters(Request(project=root, environment=environment), settings_of(root, environment), silent)
    max_age = 0.0 if everything else _value(parse_span, age, "--age") if age else None if quota else 30 * DAY
    limit = int(_value(parse_size, quota, "--quota")) if quota else None
    done = collect_garbage(adapters.store, adapters.cache, max_age=max_age, quota=limit, dry_run=dry_run)
    verb = "would remove" if dry_run else "removed"
    for item in done.removed:
        yield f"{verb} {item.path.relative_to(adapters.cache)} ({item.size / 1e6:.1f} MB)"
    size = sum(item.size for item in done.removed)
    yield f"{verb} {len(done.removed)} ({size / 1e6:.1f} MB), kept {done.kept} ({done.kept_bytes / 1e6:.1f} MB)"
