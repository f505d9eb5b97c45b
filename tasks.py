"""invoke's way in: `invoke --list`. The product's tasks are in rearch/cli; those for working on rearch are here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from invoke import Collection, Context, Exit, task

from rearch.cli.program import collection, teach_invoke

ROOT = Path(__file__).parent
teach_invoke()
# Program: the Debian packages that bring it and what it needs.
PACKAGES = {
    "git": ("git", "ca-certificates"),
    "qemu-aarch64-static": ("qemu-user-static",),
    "aarch64-linux-gnu-gcc": ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"),
    "pkg-config": ("pkg-config",),
    "zip": ("zip",),
    "zstd": ("zstd",),
    "xz": ("xz-utils",),
    "bzip2": ("bzip2",),
    "skopeo": ("skopeo",),
    "umoci": ("umoci",),
    "dockerd": ("docker.io",),
    "docker-registry": ("docker-registry",),
    "buildah": ("buildah",),
    "update-binfmts": ("binfmt-support",),
    "mmdebstrap": ("mmdebstrap",),
    "openssl": ("openssl",),
    "curl": ("curl",),
    "jq": ("jq",),
    "chromium": ("chromium",),
    "systemd-analyze": ("systemd",),
    "systemd-nspawn": ("systemd-container",),
    "zsh": ("zsh",),
    "fish": ("fish",),
}


def _run(*argv: str, **environment: str) -> int:
    print("$", " ".join(argv), file=sys.stderr, flush=True)
    return subprocess.run(argv, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


def _python(*argv: str, **environment: str) -> int:
    return _run(sys.executable, "-m", *argv, **environment)


def _install_missing() -> None:
    """On Debian as root, get what the tests need; elsewhere they say themselves what they could not run."""
    missing = sorted({name for program, names in PACKAGES.items() if shutil.which(program) is None for name in names})
    if not missing or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    _run("apt-get", "update", "-q")
    _run("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing, DEBIAN_FRONTEND="noninteractive")


@task(
    name="test",
    help={
        "only": "a pytest expression: -k ONLY",
        "fast": "unit tests alone",
        "jobs": "processes; default: the number of CPUs",
        "install": "apt-get install what is missing (as root on Debian)",
    },
)
def run_tests(context: Context, only: str = "", fast: bool = False, jobs: int = 0, install: bool = True) -> None:
    """Run all tests. Its last lines name what could not run here."""
    if install and not fast:
        _install_missing()
    argv = ["pytest", "tests/unit" if fast else "tests", "-n", str(jobs or len(os.sched_getaffinity(0)))]
    argv += ["--durations", "20", "--durations-min", "5", "--dist", "worksteal", *(["-k", only] if only else [])]
    code = _python(*argv)
    if code:
        raise Exit(code=code)


@task(help={"unit": "run the unit tests too (CI leaves them to `invoke test`)"})
def check(context: Context, unit: bool = True) -> None:
    """Lint, types, the import wall, generated files, unit tests: everything that is quick."""
    scripts = Path(sys.executable).parent
    checks: dict[str, tuple[str, ...]] = {
        "ruff check": (sys.executable, "-m", "ruff", "check", "."),
        "ruff format": (sys.executable, "-m", "ruff", "format", "--check", "."),
        "mypy": (sys.executable, "-m", "mypy"),
        "import wall": (str(scripts / "lint-imports"),),
        "schema": (sys.executable, "-m", "rearch", "schema", "--check"),
    }
    if unit:
        checks["unit tests"] = (sys.executable, "-m", "pytest", "tests/unit", "-q", "-n", "auto")
    failed = [name for name, argv in checks.items() if _run(*argv)]
    if failed:
        raise Exit(f"failed: {', '.join(failed)}", code=1)


@task
def bench(context: Context, only: str = "") -> None:
    """Measure speed and memory, as ratios in one run; exit 1 when a bound is broken."""
    code = _python("tests.bench", *([only] if only else []))
    if code:
        raise Exit(code=code)


@task
def snapshots(context: Context) -> None:
    """Rewrite the files under tests/snapshots/ from what the code does now; read the diff before you commit."""
    code = _python("pytest", "tests/unit", "-q", REARCH_SNAPSHOTS="write")
    if code:
        raise Exit(code=code)


ns = collection()
ns.add_task(run_tests)
dev = Collection("dev")
each: Any
for each in (check, bench, snapshots):
    dev.add_task(each)
ns.add_collection(dev)
