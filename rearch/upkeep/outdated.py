"""What upstream's answers mean for a project's pins: pure, one function for each kind of name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rearch.errors import RearchError
from rearch.model.lock import Lock, PinnedBase, PinnedPackages, Sysroot
from rearch.model.source import DebianPackage, PinnedDebian
from rearch.model.watch import Watch
from rearch.upkeep.outdated_rows import Row
from rearch.upkeep.outdated_tags import HEADS, TAGS, Ranked, Rule, commit_of, rank_tags, rule_of
from rearch.upkeep.versions import Version, parse_version

NOT_LOCKED = "not in rearch.lock: `invoke lock`"


class GitPin(Struct, frozen=True, kw_only=True):
    """What a project has of a git repository. `ref` as the recipe says, empty where only `watch.git` names the
    repository; `commit` as locked, empty where it is not; `version` is the recipe's."""

    ref: str
    version: str
    commit: str = ""
    watch: Watch | None = None


def git_row(row: Row, pin: GitPin, refs: Mapping[str, str]) -> Row:
    """The row of a git source. `row` has its name and who needs it; `refs` as git_listing gives them."""
    ref = _full(pin.ref, refs)
    if ref.startswith(HEADS):
        return _branch_row(row, pin, commit_of(ref, refs))
    is_tag = ref.startswith(TAGS)
    if pin.ref and not is_tag and not _is_commit(pin.ref):
        row = replace(row, state="gone", current=pin.ref, reason="upstream has no such tag or branch any more")
    elif is_tag and pin.commit and commit_of(ref, refs) != pin.commit:
        reason = f"the tag moved: locked {pin.commit[:12]}, now {commit_of(ref, refs)[:12]}"
        row = replace(row, state="moved", reason=reason)
    rule = rule_of(ref.removeprefix(TAGS) if is_tag else _tag_like(pin.ref), pin.version, pin.watch)
    return _ranked_row(replace(row, current=pin.ref if is_tag else pin.version or pin.ref), rule, rank_tags(refs, rule))


def _ranked_row(row: Row, rule: Rule, ranked: Ranked) -> Row:
    """A row whose state is open yet (unknown), moved or gone: with what is newer, and why nothing can be said."""
    names = tuple(tag.name for tag in ranked.newer)
    if row.state in ("moved", "gone"):
        return replace(row, candidates=names, newest=names[-1] if names else "")
    if rule.current is None:
        return replace(row, state="unknown", reason=rule.why)
    if names:
        return replace(row, state="newer", candidates=names, newest=names[-1])
    if not ranked.seen:
        unread = f": {', '.join(ranked.unread[:3])} cannot be read" if ranked.unread else ""
        return replace(row, state="unknown", reason=f"no tag is a {rule.scheme} version as {rule.pattern}{unread}")
    return replace(row, state="current")


def _branch_row(row: Row, pin: GitPin, commit: str) -> Row:
    if not pin.commit:
        return replace(row, state="unknown", current=pin.ref, newest=commit, reason=NOT_LOCKED)
    if commit == pin.commit:
        return replace(row, state="current", current=commit)
    reason = f"the branch {pin.ref} went on"
    return replace(row, state="newer", current=pin.commit, newest=commit, candidates=(commit,), reason=reason)


def _full(ref: str, refs: Mapping[str, str]) -> str:
    """The ref in full, chosen as git_refs.choose does: in full, else a tag, else a branch; empty when it is none."""
    names = (ref, f"{TAGS}{ref}", f"{HEADS}{ref}")
    return next((name for name in names if ref and name.startswith("refs/") and name in refs), "")


def _is_commit(ref: str) -> bool:
    return len(ref) in (40, 64) and set(ref.lower()) <= set("0123456789abcdef")


def _tag_like(ref: str) -> str:
    """A tag that is gone still says how upstream spells tags; a commit does not."""
    return "" if _is_commit(ref) else ref.removeprefix(TAGS)


def base_row(row: Row, pinned: PinnedBase, digest: str | None) -> Row:
    """The row of a base. `digest`: what its tag names now, None when it is gone; with a digest in the recipe, that."""
    row = replace(row, current=pinned.digest)
    if digest is None:
        return replace(row, state="gone", reason="the registry has no such tag any more")
    if digest == pinned.digest:
        return replace(row, state="current")
    return replace(row, state="newer", newest=digest, candidates=(digest,), reason="the tag names another image now")


def packages_row(row: Row, locked: Sequence[DebianPackage], offered: Sequence[DebianPackage]) -> Row:
    """The row of a set of Debian packages: the locked ones against those that apt would choose now."""
    changes = package_changes(locked, offered)
    row = replace(row, current=f"{len(locked)} packages")
    if not changes:
        return replace(row, state="current")
    return replace(row, state="newer", newest=f"{len(changes)} differ", candidates=changes, reason=few(changes))


def package_changes(locked: Iterable[DebianPackage], offered: Iterable[DebianPackage]) -> tuple[str, ...]:
    """`NAME OLD -> NEW` for each package that differs, sorted."""
    before = {package.name: package for package in locked}
    after = {package.name: package for package in offered}
    return tuple(
        _change(name, before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if _bytes(before.get(name)) != _bytes(after.get(name))
    )


def _change(name: str, old: DebianPackage | None, new: DebianPackage | None) -> str:
    same = old is not None and new is not None and old.version == new.version
    end = ", of other bytes" if same else ""
    return f"{name} {old.version if old else '(new)'} -> {new.version if new else '(gone)'}{end}"


def _bytes(package: DebianPackage | None) -> tuple[str, str] | None:
    return (package.version, package.file.sha256) if package else None


def few(changes: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    return ", ".join(changes[:3]) + (f", and {len(changes) - 3} more" if len(changes) > 3 else "")


def debian_row(row: Row, pinned: PinnedDebian, offered: PinnedDebian) -> Row:
    """The row of a Debian source package, and of the Go libraries that it is built with."""
    if pinned.version != offered.version:
        return debian_version_row(row, pinned.version, offered.version)
    found = packages_row(row, pinned.build_packages, offered.build_packages)
    newest = f"{pinned.version}, {found.newest}" if found.newest else ""
    return replace(found, current=pinned.version, newest=newest)


def debian_version_row(row: Row, version: str, offered: str) -> Row:
    """The row of a Debian source package by its version alone."""
    row = replace(row, current=version)
    if version == offered:
        return replace(row, state="current")
    old, new = (parse_version("debian", text) for text in (version, offered))
    if old is not None and new is not None and new < old:
        return replace(row, state="unknown", reason=f"apt offers only {offered}, which is older")
    return replace(row, state="newer", newest=offered, candidates=(offered,))


class ToolPin(Struct, frozen=True, kw_only=True):
    """What a toolchain's file pins: its name, and the version of its package."""

    name: str
    version: str


def toolchain_row(row: Row, pin: ToolPin, versions: Iterable[Sequence[str]]) -> Row:
    """The row of a toolchain. `versions`: what the index has, for each host that the file pins a wheel for.

    A file that is called by a line of versions (`go-1.27`) is compared within it; any other with all versions.
    """
    current = parse_version("pep440", pin.version)
    row = replace(row, current=pin.version)
    if current is None:
        return replace(row, state="unknown", reason=f"{pin.version!r} cannot be read as a version of scheme pep440")
    everywhere = set.intersection(*map(set, versions))
    found = sorted(
        (version for text in everywhere if (version := parse_version("pep440", text))),
        key=lambda version: (version, version.text),
    )
    line = line_of(pin.name, current)
    newer = tuple(each.text for each in found if each > current and not each.pre and _in_line(each, line))
    if pin.version not in everywhere and not any(each == current for each in found):
        row = replace(row, reason="the index has the pinned version no more")
        return replace(row, state="gone", candidates=newer, newest=newer[-1] if newer else "")
    if newer:
        return replace(row, state="newer", newest=newer[-1], candidates=newer)
    return replace(row, state="current")


def line_of(name: str, version: Version) -> tuple[int, ...]:
    """`go-1.27` with 1.27.3 -> (1, 27); () where the name says no line."""
    last = parse_version("pep440", name.rpartition("-")[2])
    numbers = last.numbers if last else ()
    return numbers if numbers and version.numbers[: len(numbers)] == numbers else ()


def _in_line(version: Version, line: tuple[int, ...]) -> bool:
    return version.numbers[: len(line)] == line


def failed_row(row: Row, error: RearchError) -> Row:
    """A name that could not be looked at: the error, in one line."""
    said = f"{error.summary}: {error.details[-1]}" if error.details else error.summary
    return replace(row, state="unknown", reason=said)


def locked_packages(lock: Lock, name: str) -> tuple[DebianPackage, ...] | None:
    """The packages of a set (of a base or a sysroot) as they are locked."""
    entry = lock.entries.get(name)
    identity = entry.identity if entry else None
    return identity.packages if isinstance(identity, PinnedPackages | Sysroot) else None
