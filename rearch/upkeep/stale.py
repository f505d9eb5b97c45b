"""What a published image's annotations mean beside what the project, upstream and registries have now. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from rearch.model.frozen import NOTHING
from rearch.model.lock import PinnedBase
from rearch.model.platform import Platform
from rearch.model.watch import Watch
from rearch.planning.image_values import PACKAGES, PREFIX, TOOLCHAIN
from rearch.upkeep.outdated import GitPin, git_row
from rearch.upkeep.outdated_rows import Row
from rearch.upkeep.outdated_tags import HEADS, TAGS, commit_of, tag_names

_DEBIAN = re.compile(r"https://sources\.debian\.org/src/(?P<package>[a-z0-9][a-z0-9+.-]+)/(?P<version>[^/]+)/?")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Published(Struct, frozen=True, kw_only=True):
    """An image or index as a registry has it. `annotations` of the index, else of the manifest, else the labels."""

    reference: str
    annotations: Mapping[str, str] = NOTHING
    platforms: tuple[Platform, ...] = ()

    def said(self, name: str) -> str:
        """A standard annotation, by the end of its key; empty where there is none."""
        return self.annotations.get(PREFIX + name, "")

    @property
    def toolchain(self) -> str:
        """`go-1.27 1.27.3`, several with commas."""
        return self.annotations.get(TOOLCHAIN, "")

    @property
    def packages(self) -> str:
        """The digest over the Debian packages of its base (planning.base_steps.packages_digest)."""
        return self.annotations.get(PACKAGES, "")

    @property
    def debian(self) -> tuple[str, str] | None:
        """Package and version, where the source is Debian's."""
        found = _DEBIAN.fullmatch(self.said("source"))
        return (found["package"], found["version"]) if found else None

    @property
    def has_commit(self) -> bool:
        """Whether it was made from a commit, as far as it says."""
        return bool(_COMMIT.fullmatch(self.said("revision")))


def base_row(row: Row, published: Published, now: PinnedBase | None) -> Row:
    """`now`: what the base's name is in its registry, None when it is gone. An image of one platform names the
    manifest for its platform, an index the base's index: either may be current."""
    was = published.said("base.digest")
    row = replace(row, current=was, where=published.said("base.name"))
    if now is None:
        return replace(row, state="gone", reason="the registry has no such tag any more")
    if not was:
        return replace(row, state="unknown", newest=now.digest, reason="the image does not say which digest it had")
    if was in (now.digest, *now.platforms.values()):
        return replace(row, state="current")
    return replace(row, state="newer", newest=now.digest, candidates=(now.digest,), reason="the base moved since")


def source_row(row: Row, published: Published, refs: Mapping[str, str], watch: Watch | None) -> Row:
    """Whether upstream has a newer tag than the commit's, or moved the tag. `refs` as git_listing gives them."""
    revision, version = published.said("revision"), published.said("version")
    named = [tag for tag in tag_names(refs) if commit_of(TAGS + tag, refs) == revision]
    spelled = [version, f"v{version}", version.removeprefix("v")]
    tag = next((one for one in spelled if one in named), named[-1] if named else "")
    if not tag:
        tag = next((one for one in spelled if TAGS + one in refs), "")
    if tag:
        return git_row(row, GitPin(ref=tag, version=version, commit=revision, watch=watch), refs)
    if revision in (commit for name, commit in refs.items() if name.startswith(HEADS)):
        return replace(row, state="current", current=revision)
    reason = "no tag or branch of upstream names this commit now"
    return replace(row, state="moved", current=revision, reason=reason)


def locked_row(row: Row, published: Published, state: str, where: str) -> Row:
    """Whether the project would build another state of the source now. `where` it says so: `rearch.lock: NAME`."""
    row = replace(row, current=published.said("revision"), where=where)
    if published.said("revision") == state:
        return replace(row, state="current")
    reason = f"{where.partition(':')[0]} has another since"
    return replace(row, state="newer", newest=state, candidates=(state,), reason=reason)


def packages_row(row: Row, published: Published, locked: str) -> Row:
    """Whether the base's Debian packages are those of the lock. `locked`: packages_digest of what it has."""
    row = replace(row, current=published.packages, where="rearch.lock")
    if published.packages == locked:
        return replace(row, state="current")
    reason = "rearch.lock has other packages for its base since"
    return replace(row, state="newer", newest=locked, candidates=(locked,), reason=reason)


def toolchain_row(row: Row, published: Published, known: Mapping[str, str]) -> Row:
    """Whether the project compiles with the same compilers. `known`: toolchain -> its version now."""
    row = replace(row, current=published.toolchain, where="toolchains/")
    pairs = [text.strip().partition(" ") for text in published.toolchain.split(",")]
    unknown = [name for name, _, _ in pairs if name not in known]
    if unknown:
        return replace(row, state="unknown", reason=f"this project has no toolchain {', '.join(unknown)}")
    now = ", ".join(f"{name} {known[name]}" for name, _, _ in pairs)
    if all(known[name] == version for name, _, version in pairs):
        return replace(row, state="current")
    return replace(row, state="newer", newest=now, candidates=(now,), reason="the toolchain moved since")
