"""What this builder does not do, found before anything is done; all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterator

from rearch.oci.dockerfile.errors import Problem
from rearch.oci.dockerfile.instructions import Add, Copy, OnBuild, Run, StageInstruction

OTHER_BUILDERS = "set `builder: docker` or `builder: buildah` in the recipe's image"
_URLS = ("http://", "https://", "ftp://")
_GIT = ("git://", "git@", "ssh://", "github.com/")


def refused(each: StageInstruction) -> Iterator[Problem]:
    """Why this builder cannot carry out an instruction, if it cannot."""
    line = each.where.first
    match each:
        case Run():
            text = "RUN is not for the embedded builder, which starts no program of the image"
            yield Problem(line, text, OTHER_BUILDERS)
        case OnBuild():
            yield Problem(
                line, "ONBUILD is refused: it puts work off to whoever builds on this image", "write it there"
            )
        case Copy(parents=True):
            yield Problem(line, "COPY --parents is not for the embedded builder", OTHER_BUILDERS)
        case Add():
            yield from _add(each, line)
        case _:
            pass


def _add(each: Add, line: int) -> Iterator[Problem]:
    remote = tuple(source for source in each.sources if source.lower().startswith((*_URLS, *_GIT)))
    for source in remote:
        kind = "a git repository" if source.lower().startswith(_GIT) else "a URL"
        text = f"ADD {source}: {kind} is fetched anew at every build, and nothing says what is to come"
        yield Problem(
            line, text, "make it a `source` of a recipe, which pins it by commit or sha256, and COPY from that"
        )
    if each.keep_git_dir:
        yield Problem(line, "ADD --keep-git-dir goes with a git repository", "leave it out")
    if each.checksum is not None and not remote:
        yield Problem(line, "ADD --checksum goes with a URL", "leave it out: the context is part of what is pinned")
