"""The go commands of a compile, as values."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from rearch.model.command import Command
from rearch.steps.compile_environment import GoTool
from rearch.steps.compile_flags import Stamp, join_flags
from rearch.steps.compile_packages import LISTED
from rearch.steps.compile_tree import Tree


class GoCall(Struct, frozen=True, kw_only=True):
    """What the commands of one compile have in common. `parallel` is go's -p; None leaves it to go."""

    go: GoTool
    tree: Tree
    env: tuple[tuple[str, str], ...]
    tags: tuple[str, ...] = ()
    parallel: int | None = None

    def command(self, verb: str, flags: Iterable[str], words: Iterable[str]) -> Command:
        """`go <verb> <flags> <words>` in the tree's folder, with the flags that decide what a package is."""
        mod = (f"-mod={self.tree.mod}",) if self.tree.mod else ()
        tags = (f"-tags={','.join(self.tags)}",) if self.tags else ()
        argv = (str(self.go.program), verb, *mod, *tags, *flags, *words)
        return Command(argv=argv, cwd=self.tree.folder, env=self.env)


def list_command(call: GoCall, packages: Iterable[str], *, deps: bool) -> Command:
    """`go list` of these packages; with `deps` also all that they link, which costs go a little more."""
    fields = (*LISTED, *(("Deps",) if deps else ()))
    return call.command("list", (f"-json={','.join(fields)}",), packages)


def build_command(call: GoCall, packages: Iterable[str], ldflags: str, folder: Path) -> Command:
    """`go build` into a folder: reproducible (no paths, no state of a checkout), the linker's flags as given.

    Every package is named, so that the linker's flags reach each. `folder` must exist.
    """
    flags = ("-trimpath", "-buildvcs=false", *((f"-p={call.parallel}",) if call.parallel else ()))
    return call.command("build", (*flags, f"-ldflags={ldflags}", "-o", f"{folder}/"), packages)


def linker_flags(*, strip: bool, cgo: tuple[str, ...], stamps: Iterable[Stamp], own: tuple[str, ...]) -> str:
    """The text for -ldflags: ours first, the recipe's last, so that it wins where the linker takes the last.

    `-buildid=`: go's own is a hash over all inputs, and with cgo these are paths of this machine.
    """
    symbols = ("-s", "-w") if strip else ()
    stamped = tuple(word for stamp in stamps for word in ("-X", f"{stamp.variable}={stamp.text}"))
    return join_flags((*symbols, "-buildid=", *cgo, *stamped, *own))


def into_file(command: Command, path: Path) -> Command:
    """The same command with its standard output in a file: a listing is data, and would drown the log."""
    argv = ("/bin/sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", str(path), *command.argv)
    return Command(argv=argv, cwd=command.cwd, env=command.env, timeout=command.timeout)
