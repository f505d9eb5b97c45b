"""The script in front of a Rancher archive's apply.sh that puts the files of this machine into place.

Upstream's scripts copy `apply.sh` and `bin/agent` (or `bin/host-api`) elsewhere, and run the copies later. They must
find under those names what an archive for this machine alone would hold. So the chooser puts the right programs at the
plain names, puts the archive's own script back in its own place, and goes on as that one: whatever that copies, and
whoever runs the copies, never meets the chooser again. Each step is a copy beside and a rename, so that a chooser which
was killed can be run again. POSIX sh and the programs uname, cp, mv alone: it runs in every image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rearch.bundle.values import APPLY, UPSTREAM
from rearch.model.platform import PLATFORMS, Platform

MARK = "# Made by rearch: one archive for all machines."
_SHELL_SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+")


def suffix(platform: Platform) -> str:
    """What stands behind a program's name for this platform: `uname -m` as most such machines say it."""
    return platform.arch.uname[0]


def platform_of_suffix(text: str) -> Platform | None:
    """The platform whose files have this suffix."""
    return next((platform for platform in PLATFORMS if suffix(platform) == text), None)


def quotable(path: str) -> bool:
    """Whether a path can stand in the script."""
    return bool(path) and set(path) <= _SHELL_SAFE and not path.startswith("-")


def machines(platforms: Iterable[Platform]) -> tuple[tuple[Platform, tuple[str, ...]], ...]:
    """Each platform with all that `uname -m` says on machines that take its files.

    That is also a machine whose own files are missing, but which surely runs these: ARMv7 those of ARMv6. Whether a
    64-bit processor runs 32-bit programs is another matter: not all do, so they do not count.
    """
    built = tuple(dict.fromkeys(platforms))
    return tuple((platform, (*platform.arch.uname, *_others(platform, built))) for platform in built)


def _others(platform: Platform, built: Sequence[Platform]) -> Iterable[str]:
    for other in PLATFORMS:
        alike = other.arch.elf_machine == platform.arch.elf_machine
        if other not in built and alike and platform.arch_name in other.arch.also_runs:
            yield from other.arch.uname


def chooser(programs: Sequence[str], platforms: Sequence[Platform]) -> bytes:
    """The script. `programs`: plain paths relative to the folder that it lies in, every one of them `quotable`."""
    known = machines(platforms)
    cases = "".join(f"    {'|'.join(names)}) kind={suffix(platform)} ;;\n" for platform, names in known)
    all_names = " ".join(name for _, names in known for name in names)
    return _TEXT.format(
        mark=MARK,
        cases=cases,
        names=all_names,
        programs=" ".join(sorted(programs)),
        apply=APPLY,
        upstream=UPSTREAM,
    ).encode()


_TEXT = """\
#!/bin/sh
{mark}
# Puts the programs for this machine at their plain names and the archive's own script, {upstream}, in the place of
# this one, and goes on as that.

fail() {{
    echo "{apply}: $*" >&2
    exit 1
}}

case "$0" in
    */*) here=${{0%/*}} ;;
    *) here=. ;;
esac
[ -f "$here/{upstream}" ] || fail "$here/{upstream} is missing: run {apply} in the folder that was unpacked"

machine=$(uname -m) || fail "uname does not say what machine this is"
case "$machine" in
{cases}    *) fail "this archive has nothing for a machine of kind $machine; it has files for: {names}" ;;
esac

# A copy beside, then a rename: there is never half a file at the name.
place() {{
    cp -p "$here/$1" "$here/$2.new" && mv -f "$here/$2.new" "$here/$2" || fail "$here/$2 cannot be written"
}}

for program in {programs}; do
    [ -f "$here/$program.$kind" ] || fail "$here/$program.$kind is missing: the archive is not whole"
    place "$program.$kind" "$program"
done
place {upstream} {apply}

if [ -x "$here/{apply}" ]; then
    exec "$here/{apply}" "$@"
fi
exec sh "$here/{apply}" "$@"
"""
