"""The audit of an image's config: what it says to be for, and whether what it starts is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rearch.formats.printable import printable
from rearch.model.platform import Platform
from rearch.oci.audit_report import Finding, Severity
from rearch.oci.entry import EntryKind
from rearch.oci.image_tree import ImageTree
from rearch.oci.types import ImageConfig, RunConfig

# What engines give a container whose image sets no PATH (moby: oci/defaults, "DefaultPathEnv").
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def judge_config(
    config: ImageConfig, described: Platform | None, tree: ImageTree, texts: Mapping[str, str], platform: Platform
) -> Iterator[Finding]:
    """`described` is the platform of the manifest's descriptor, None where it has none; `texts` are files by path."""
    if config.platform != platform:
        said = "/".join(part for part in (config.os, config.architecture, config.variant) if part)
        yield _finding("error", "platform", f"platform: found {printable(said)}, wanted {platform}")
    if described is not None and described != platform:
        yield _finding("error", "platform of the descriptor", f"platform: found {described}, wanted {platform}")
    run = config.config or RunConfig()
    yield from _program(run, tree)
    yield from _user(run, texts)


def _finding(severity: Severity, what: str, why: str) -> Finding:
    return Finding(severity=severity, kind="config", path="config", what=what, why=(why,))


def environment(run: RunConfig) -> dict[str, str]:
    """Env of the config; PATH as the engines set it where the image does not."""
    pairs = (line.partition("=") for line in run.env or ())
    return {"PATH": DEFAULT_PATH} | {name: value for name, _, value in pairs if name}


def find_program(tree: ImageTree, name: str, path: str, folder: str) -> str | None:
    """Where the program lies in the tree (links followed); None where there is no such file.

    A name with a slash is a path, relative to `folder`; any other is looked up on `path` (as execvp(3) does).
    """
    places = [f"{folder}/{name}" if not name.startswith("/") else name] if "/" in name else []
    places = places or [f"{each if each.startswith('/') else f'{folder}/{each}'}/{name}" for each in path.split(":")]
    for place in places:
        found = tree.find(place)
        entry = tree.entries.get(found) if isinstance(found, str) else None
        if entry is not None and entry.entry.kind is EntryKind.FILE and isinstance(found, str):
            return found
    return None


def _program(run: RunConfig, tree: ImageTree) -> Iterator[Finding]:
    """A volume can bring the program, so that its absence is a warning."""
    key = "ENTRYPOINT" if run.entrypoint else "CMD"
    argv = run.entrypoint or run.cmd or ()
    if not argv or not argv[0]:
        return
    name = printable(argv[0])
    found = find_program(tree, argv[0], environment(run)["PATH"], run.working_dir or "/")
    if found is None:
        where = "" if "/" in argv[0] else " on PATH"
        yield _finding("warning", key, f"it starts {name}, and there is no such file{where} in the image")
    elif not tree.entries[found].entry.mode & 0o111:
        yield _finding("warning", key, f"it starts {name}, and /{printable(found)} is not executable")


def _user(run: RunConfig, texts: Mapping[str, str]) -> Iterator[Finding]:
    user, _, group = (run.user or "").partition(":")
    for name, file in ((user, "etc/passwd"), (group, "etc/group")):
        if name and not name.isdigit() and account(texts.get(file, ""), name) is None:
            yield _finding("warning", "USER", f"it is {printable(name)}, and /{file} of the image has no such name")


def account(text: str, name: str) -> tuple[str, ...] | None:
    """The fields of a line of passwd(5) or group(5), by its name; None where there is none."""
    for line in text.splitlines():
        fields = tuple(line.split(":"))
        if fields[0] == name and len(fields) >= 4:
            return fields
    return None
