"""What changed in an entry of the lock, in words."""

from __future__ import annotations

from rearch.app.prepare import identity_text
from rearch.model.lock import Lock, PinnedPackages, Sysroot
from rearch.model.source import DebianPackage, PinnedDebian
from rearch.upkeep.outdated import few, package_changes


def change_text(before: Lock, after: Lock, name: str) -> str:
    """`OLD -> NEW`, only NEW where it had no entry; where both read the same, the packages that differ."""
    new = identity_text(after, name)
    if name not in before.entries:
        return new
    old = identity_text(before, name)
    changes = package_changes(_packages(before, name), _packages(after, name))
    if old != new:
        return f"{old} -> {new}"
    return f"{new}, with {few(changes)}" if changes else new


def _packages(lock: Lock, name: str) -> tuple[DebianPackage, ...]:
    match lock.entries[name].identity:
        case PinnedPackages(packages=packages) | Sysroot(packages=packages) | PinnedDebian(build_packages=packages):
            return packages
    return ()
