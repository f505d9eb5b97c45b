"""A Go on PATH for toolchains of kind `system`: a real one, behind a script that a test can make slow or wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.support.go_project import write_file
from tests.support.warm_cache import go_cache, go_root

_SCRIPT = """\
#!/bin/sh
export GOROOT={real}
export GOCACHE={cache}
if [ "$1" = build ]; then
    if [ -e {base}/slow ]; then
        touch {base}/reached
        {base}/sleeper 600 &
        {base}/sleeper 601
    fi
    if [ -e {base}/wrong ]; then
        export GOARCH=$(cat {base}/wrong)
    fi
fi
exec {real}/bin/go "$@"
"""


@dataclass(frozen=True)
class ScriptedGo:
    """`path` is a PATH that begins with it."""

    base: Path

    @property
    def path(self) -> str:
        return f"{self.base}/root/bin:/usr/bin:/bin"

    @property
    def reached(self) -> Path:
        """There is a `go build` that waits, with a child of its own."""
        return self.base / "reached"

    def be_slow(self) -> None:
        (self.base / "slow").touch()

    def be_quick(self) -> None:
        (self.base / "slow").unlink()

    def build_for(self, goarch: str) -> None:
        """Whatever rearch asks for."""
        (self.base / "wrong").write_text(goarch)


def scripted_go(base: Path) -> ScriptedGo:
    """A GOROOT whose `go` is a script, below `base`."""
    real = go_root().resolve()
    program = write_file(base / "root/bin/go", _SCRIPT.format(real=real, cache=go_cache(), base=base))
    program.chmod(0o755)
    write_file(base / "root/VERSION", (real / "VERSION").read_text())
    (base / "sleeper").symlink_to("/bin/sleep")
    return ScriptedGo(base)
