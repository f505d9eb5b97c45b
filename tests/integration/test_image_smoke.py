"""Image smoke for real: programs of arm64 under qemu-user, and of this machine, in the trees of images made here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rearch.host.emulators import Emulators
from rearch.model.platform import Platform, host_platform, parse_platform
from rearch.model.smoke import Smoke
from rearch.model.step import StepKind
from rearch.model.step_images import ImageSmokeInputs
from rearch.steps.image_smoke import run_image_smoke
from rearch.steps.image_smoke_run import WORKER
from rearch.steps.ports import Outcome, Workspace
from rearch.steps.smoke_errors import SmokeFailed
from tests.support.golang import Go, go_compiler
from tests.support.layouts import File, Folder, Link, Thing, make_image
from tests.support.needs import elsewhere, need_program, unmet
from tests.support.workspace import log_of, make_need, make_workspace

PROGRAM = """package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Println("usage: tool WORD")
		os.Exit(2)
	}
	switch os.Args[1] {
	case "who":
		folder, _ := os.Getwd()
		name, _ := os.Hostname()
		fmt.Println(os.Args[0], os.Getuid(), os.Getgid(), folder, name, strings.Join(os.Environ(), " "))
	case "read":
		text, _ := io.ReadAll(os.Stdin)
		fmt.Printf("read %d bytes\\n", len(text))
	case "write":
		fmt.Println(os.WriteFile("/made", []byte("x"), 0o644))
	case "look":
		_, err := os.Stat("/made")
		fmt.Println("there:", err == nil)
	case "see":
		_, err := os.Stat(os.Args[2])
		fmt.Println("seen:", err == nil)
	case "network":
		faces, _ := net.Interfaces()
		for _, face := range faces {
			fmt.Println("face", face.Name, face.Flags&net.FlagUp != 0)
		}
		place, err := net.Listen("tcp", "127.0.0.1:80")
		fmt.Println("listening:", err == nil, place != nil)
	case "devices":
		zero := make([]byte, 4)
		file, err := os.Open("/dev/urandom")
		if err == nil {
			_, err = file.Read(zero)
		}
		fmt.Println("random:", err, os.WriteFile("/dev/null", zero, 0o644))
	case "child":
		out, err := exec.Command("/bin/tool", "read").CombinedOutput()
		fmt.Printf("child: %s%v\\n", out, err)
	case "crash":
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Second)
	case "leave":
		exec.Command("/bin/tool", "serve").Start()
		fmt.Println("left")
	case "serve":
		fmt.Println("ready")
		time.Sleep(time.Hour)
	case "mount":
		fmt.Println("mount:", syscall.Mount("none", "/mnt", "tmpfs", 0, ""), "chroot:", syscall.Chroot("/mnt"))
	default:
		fmt.Println("args", os.Args[1:])
	}
}
"""
ARM64 = parse_platform("arm64")
HERE = host_platform(os.uname().machine)
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:4242:4243:App:/home/app:/bin/sh\n"


@pytest.fixture(scope="module")
def go() -> Go:
    return go_compiler()


@pytest.fixture(scope="module")
def images(go: Go, tmp_path_factory: pytest.TempPathFactory) -> dict[Platform, Path]:
    """For each platform an image with the program, a link, a script that it interprets, and accounts."""
    base = tmp_path_factory.mktemp("images")
    made = {}
    for platform in dict.fromkeys((ARM64, HERE)):
        program = go.build({"main.go": PROGRAM}, platform, base / f"tool-{platform.slug}", flags=("-ldflags", "-s -w"))
        lower: list[Thing] = [
            Folder("usr/bin"),
            Link("bin", "usr/bin"),
            File("usr/bin/tool", program.read_bytes()),
            File("usr/bin/old", b"removed above"),
            File("usr/bin/script", b"#! /bin/tool first\n"),
            File("etc/passwd", PASSWD, 0o644),
            Folder("mnt"),
        ]
        folder = base / platform.slug
        make_image(
            folder, platform, [lower, [File("usr/bin/.wh.old")]], compress=True, env=("A=image",), working_dir="/srv/x"
        )
        made[platform] = folder
    return made


def workspace(base: Path, image: Path) -> Workspace:
    return make_workspace(base, needs={"image": make_need(image, StepKind.IMAGE)})


def smoke(work: Workspace, platform: Platform, *checks: dict[str, Any]) -> Outcome:
    emulators = Emulators.of_this_host(os.environ["PATH"])
    if emulators.name(platform) == "missing":
        unmet(f"qemu-{platform.arch.qemu} (apt-get install qemu-user-static)")
    smokes = tuple(Smoke.model_validate(check) for check in checks)
    inputs = ImageSmokeInputs(platform=platform, checks=smokes, emulator=emulators.name(platform))
    outcome = run_image_smoke(inputs, work, emulators.find(platform))
    if outcome.facts["outcome"] == "not run":
        unmet(f"namespaces or chroot ({outcome.note})")
    return outcome


BOTH = pytest.mark.parametrize("platform", dict.fromkeys((ARM64, HERE)), ids=str)


@BOTH
def test_programs_start_in_the_images_tree(platform: Platform, images: dict[Platform, Path], tmp_path: Path) -> None:
    work = workspace(tmp_path, images[platform])
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    outcome = smoke(
        work,
        platform,
        {"run": ["tool", "who"], "expect": rf"^tool 0 0 /srv/x \S+ (?=.*A=image)(?=.*HOME=/root)(?=.*{path})"},
        {"run": ["/bin/tool", "who"], "env": {"A": "mine"}, "expect": "^/bin/tool .*A=mine"},
        {"run": ["tool"], "exit": "2", "expect": "usage"},
        {"run": ["tool", "read"], "stdin": "12345", "expect": "^read 5 bytes$"},
        {"run": ["script", "x"], "expect": r"^args \[first /(usr/)?bin/script x\]$"},
        {"run": ["tool", "devices"], "expect": "^random: <nil> <nil>$"},
        {"run": ["tool", "see", "/usr/bin/old"], "expect": "^seen: false$"},
    )
    assert outcome.facts["outcome"] == "passed"
    assert len(outcome.facts["checks"]) == 7


def isolation(work: Workspace) -> str:
    """What the worker said of how it started programs: tests of namespaces mean nothing without any."""
    log = log_of(work)
    if "namespace" not in log.partition("started in a root of its own by ")[2].partition("\n")[0]:
        elsewhere("a kernel that lets this user make namespaces")
    return log


@BOTH
def test_nothing_of_the_host_is_reached(platform: Platform, images: dict[Platform, Path], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    work = workspace(tmp_path, images[platform])
    smoke(work, platform, {"run": ["tool", "see", str(secret)], "expect": "^seen: false$"})
    isolation(work)
    smoke(
        work_again(work, tmp_path),
        platform,
        {"run": ["tool", "network"], "expect": r"^face lo true\nlistening: true true$"},
        {"run": ["tool", "who"], "expect": r"^tool 0 0 /srv/x rearch "},
        {"run": ["tool", "mount"], "expect": "mount: operation not permitted chroot: operation not permitted"},
    )


def work_again(work: Workspace, base: Path) -> Workspace:
    return make_workspace(base / "again", needs=work.needs)


def test_every_check_starts_from_the_image_as_it_is(images: dict[Platform, Path], tmp_path: Path) -> None:
    work = workspace(tmp_path, images[HERE])
    checks = ({"run": ["tool", "write"], "expect": "<nil>"}, {"run": ["tool", "look"]})
    smoke(work, HERE, *checks)
    if "no overlay" in isolation(work):
        elsewhere("a kernel with overlayfs in namespaces")
    assert "there: false" in log_of(work)
    assert not (work.scratch / "root/made").exists()


def test_children_run_under_the_emulator(images: dict[Platform, Path], tmp_path: Path) -> None:
    """Linux 6.7 gives a user namespace a binfmt_misc of its own; before, the host's has to know the emulator."""
    if HERE == ARM64:
        elsewhere("a host of another architecture")
    work = workspace(tmp_path, images[ARM64])
    check = {"run": ["tool", "child"], "expect": "^child: read 0 bytes"}
    smoke(work, ARM64, {"run": ["tool", "args"]})
    if "children are not emulated" not in isolation(work):
        assert smoke(work_again(work, tmp_path), ARM64, check).facts["outcome"] == "passed"
        return
    with pytest.raises(SmokeFailed) as caught:
        smoke(work_again(work, tmp_path), ARM64, check)
    assert "binfmt_misc" in (caught.value.hint or "")


def test_failures_are_told_all_at_once(images: dict[Platform, Path], tmp_path: Path) -> None:
    work = workspace(tmp_path, images[ARM64])
    with pytest.raises(SmokeFailed) as caught:
        smoke(
            work,
            ARM64,
            {"run": ["tool", "args"], "expect": "something else"},
            {"run": ["nosuch"]},
            {"run": ["tool", "serve"], "timeout": "1s"},
            {"run": ["/etc/passwd"]},
        )
    text = caught.value.render()
    assert "4 of 4 smoke checks failed" in text
    assert "its output does not match 'something else'" in text
    assert "| args [args]" in text
    assert "there is no nosuch in any folder of PATH" in text
    assert "it was still running after 1 s" in text


def test_what_the_kernel_does_not_start_and_what_it_ends(images: dict[Platform, Path], tmp_path: Path) -> None:
    with pytest.raises(SmokeFailed) as caught:
        smoke(workspace(tmp_path, images[HERE]), HERE, {"run": ["/etc/passwd"]}, {"run": ["tool", "crash"]})
    text = caught.value.render()
    assert "it cannot be started: " in text
    assert "tool crash: killed by signal 9, wanted exit code 0" in text


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose user namespace has all users")
def test_the_images_user(images: dict[Platform, Path], go: Go, tmp_path: Path) -> None:
    program = images[HERE].parent / f"tool-{HERE.slug}"
    layer: list[Thing] = [File("bin/tool", program.read_bytes()), File("etc/passwd", PASSWD, 0o644)]
    make_image(tmp_path / "image", HERE, [layer], user="app")
    check = {"run": ["tool", "who"], "expect": "^tool 4242 4243 / .*HOME=/home/app"}
    assert smoke(workspace(tmp_path, tmp_path / "image"), HERE, check).facts["outcome"] == "passed"


@BOTH
def test_a_server_is_ended_at_once_and_so_is_what_it_leaves_behind(
    platform: Platform, images: dict[Platform, Path], tmp_path: Path
) -> None:
    work = workspace(tmp_path, images[platform])
    before = time.monotonic()
    smoke(work, platform, {"run": ["tool", "serve"], "stop": "true", "expect": "^ready$"})
    assert time.monotonic() - before < 4
    if platform == HERE:
        smoke(work_again(work, tmp_path), platform, {"run": ["tool", "leave"], "expect": "^left$"})
    assert not processes_below(tmp_path)


def processes_below(folder: Path) -> list[str]:
    """Processes whose root folder or arguments are below a folder."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            if str(folder) in words:
                found.append(words)
    return found


def request(root: Path, base: Path) -> tuple[Path, Path]:
    """A request and the place of the report, for a worker that is started by hand."""
    (base / "mounts").mkdir()
    asked = {
        "root": str(root),
        "stage": str(base / "mounts"),
        "argv": ["/usr/bin/tool", "who"],
        "argv0": "tool",
        "env": {},
        "cwd": "/",
        "uid": 0,
        "gid": 0,
        "groups": None,
        "binfmt": None,
    }
    (base / "request.json").write_text(json.dumps(asked))
    return base / "request.json", base / "report.json"


MEANS = {
    "user namespace": ("", ""),
    "namespaces": ("echo 0 > /proc/sys/user/max_user_namespaces; ", ""),
    "chroot": ("echo 0 > /proc/sys/user/max_user_namespaces; ", "-sys_admin"),
    "": ("echo 0 > /proc/sys/user/max_user_namespaces; ", "-sys_admin,-sys_chroot"),
}


@pytest.mark.parametrize("means", MEANS)
def test_whatever_the_kernel_allows(means: str, images: dict[Platform, Path], tmp_path: Path) -> None:
    """As root of a user namespace of the test's own, which can forbid things to itself."""
    unshare, setpriv = need_program("unshare", "util-linux"), need_program("setpriv", "util-linux")
    if subprocess.run((unshare, "--user", "--map-root-user", "true"), check=False).returncode:
        elsewhere("a kernel that lets this user make namespaces")
    work = workspace(tmp_path, images[HERE])
    smoke(work, HERE, {"run": ["tool", "args"]})  # leaves the tree
    asked, report = request(work.scratch / "root", tmp_path)
    before, drop = MEANS[means]
    project = str(Path(__file__).parents[2])
    worker = (sys.executable, "-I", "-S", "-c", WORKER, project, str(asked), str(report))
    limited = (setpriv, "--bounding-set", drop, *worker) if drop else worker
    line = (unshare, "--user", "--map-root-user", "sh", "-c", f'{before}exec "$@"', "sh", *limited)
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    found = json.loads(report.read_text())
    assert found["means"] == means
    if means:
        assert (done.returncode, "error" in found) == (0, False), done.stderr
        assert done.stdout.startswith("tool 0 0 / ")
    else:
        assert done.returncode == 125
        assert "Operation not permitted" in found["error"]
