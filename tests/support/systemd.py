"""A system that systemd has booted: this machine's files under an overlay, in namespaces of its own.

with booted() as machine:
    machine.run("systemctl", "start", "x.service")

Nothing of this machine is changed: what is written inside is in memory, and gone with the block. It shares the
network, so that a registry on 127.0.0.1 is reached from both sides.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cli import ROOT
from tests.support.needs import need_program, unmet

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BOOT = """\
set -e
base=$1
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
mkdir -p /run/systemd "$base/root/opt/python" "$base/root/opt/packages" "$base/root/opt/tree"
mount -t tmpfs tmpfs /run/systemd
mount --bind --read-only "$2" "$base/root/opt/python"
mount --bind --read-only "$3" "$base/root/opt/packages"
mount --bind --read-only "$4" "$base/root/opt/tree"
# A Python with a library of its own looks for it at its old place, which others may not read.
echo /opt/python/lib >"$base/root/etc/ld.so.conf.d/000-python.conf"
ldconfig -r "$base/root"
# Of what a boot starts by itself nothing is wanted: it would see to the network, which is this machine's, and /tmp.
rm -rf "$base"/root/usr/lib/systemd/system/*.wants "$base"/root/etc/systemd/system/*.wants
printf '[Unit]\\nDefaultDependencies=no\\n' >"$base/root/etc/systemd/system/bare.target"
# Of Debian, as images of it have it: no identity, or journals would be mixed up.
: >"$base/root/etc/machine-id"
export SYSTEMD_NSPAWN_TMPFS_TMP=0
exec systemd-nspawn --quiet --directory "$base/root" --register=no --keep-unit --link-journal=no --console=pipe \\
  --boot systemd.unit=bare.target
"""


@dataclass(frozen=True)
class Machine:
    """`leader` is its process 1, as this machine counts."""

    leader: int

    def run(self, *argv: str, code: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of root's. Fails the test on another exit code; None takes any."""
        enter = ("nsenter", "--target", str(self.leader), "--all", "--wd=/")
        done = subprocess.run(
            (*enter, *argv),
            env={"PATH": PATH, "HOME": "/root", "LC_ALL": "C.UTF-8"} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert code is None or done.returncode == code, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def path(self, inside: str) -> Path:
        """A file of it, as it is reached from outside."""
        return Path(f"/proc/{self.leader}/root/{inside.lstrip('/')}")

    def settled(self, unit: str, fact: str) -> str:
        """The unit's `fact` once it is neither starting nor running."""
        deadline = time.monotonic() + 60
        while (found := self.run("systemctl", "show", "--value", "-p", fact, unit).stdout.strip()).startswith("start"):
            assert time.monotonic() < deadline, f"{unit} is still {found}"
            time.sleep(0.05)
        return found

    def install_rearch(self, venv: str) -> str:
        """A virtual environment there with this checkout, which the Python of the tests runs; its `rearch`."""
        version = f"python3.{sys.version_info.minor}"
        packages = self.path(f"{venv}/lib/{version}/site-packages")
        packages.mkdir(parents=True)
        (packages / "outer.pth").write_text("/opt/tree\n/opt/packages\n")
        self.path(f"{venv}/pyvenv.cfg").write_text("home = /opt/python/bin\ninclude-system-site-packages = false\n")
        programs = self.path(f"{venv}/bin")
        programs.mkdir()
        (programs / "python").symlink_to(f"/opt/python/bin/{version}")
        script = programs / "rearch"
        script.write_text(f"#!{venv}/bin/python\nfrom rearch.cli.program import main\nmain()\n")
        script.chmod(0o755)
        return f"{venv}/bin/rearch"


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """For as long as the block runs; `folder` is an empty one of this machine's."""
    need_program("systemd-nspawn", "systemd-container")
    if os.geteuid() != 0:
        unmet("root, to boot a system of its own")
    purelib = sysconfig.get_path("purelib")
    argv = ("unshare", "--mount", "--propagation", "private", "sh", "-c", _BOOT, "sh", str(folder))
    log = folder.parent / f"{folder.name}.log"
    # systemd-nspawn's control groups have fixed names where it is not a service itself: one machine at a time.
    with Path("/run/lock/rearch-tests-systemd").open("a") as alone, log.open("wb") as said:
        fcntl.flock(alone, fcntl.LOCK_EX)
        child = subprocess.Popen(
            (*argv, sys.base_prefix, purelib, str(ROOT)),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _ready(child, log)
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Its process 1 takes all others along."""
    for leader in _children(child.pid):
        os.kill(leader, signal.SIGKILL)
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _ready(child: subprocess.Popen[bytes], log: Path) -> Machine:
    """Its systemd answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if child.poll() is not None:
            unmet(f"a kernel that lets systemd-nspawn boot: {log.read_text()[-500:]}")
        for leader in _children(child.pid):
            machine = Machine(leader)
            if machine.run("systemctl", "is-system-running", code=None).stdout.strip() in ("running", "degraded"):
                return machine
        time.sleep(0.1)
    raise AssertionError(f"systemd does not answer after 60 s:\n{log.read_text()[-2000:]}")


def _children(number: int) -> tuple[int, ...]:
    try:
        return tuple(map(int, Path(f"/proc/{number}/task/{number}/children").read_text().split()))
    except OSError:
        return ()
