"""recipes/rancher/files/await: its own tests by the Go toolchain; the program against servers, as PID 1, under qemu."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rearch.formats.elf import match_platform
from rearch.model.platform import Platform, parse_platform
from tests.support.binaries import elf_of
from tests.support.cli import ROOT
from tests.support.golang import Go, go_compiler
from tests.support.needs import need_program, unmet

SOURCE = ROOT / "recipes/rancher/files/await"
STACK_GO = "1.21.13"  # toolchains/go-1.21.yaml
SLOW = 0.1  # seconds after each byte of a slow answer
PACE = {"AWAIT_FIRST": "20ms", "AWAIT_MAX": "80ms", "AWAIT_LIMIT": "20s", "AWAIT_TIMEOUT": "500ms"}
ARM64, AMD64 = parse_platform("arm64"), parse_platform("amd64")


@pytest.fixture(scope="session")
def compiler() -> Go:
    return go_compiler(STACK_GO)


def compile_await(go: Go, platform: Platform, folder: Path) -> Path:
    files = {path.name: path.read_text() for path in (SOURCE / "go.mod", *SOURCE.glob("*.go"))}
    sources = {name: text for name, text in files.items() if not name.endswith("_test.go")}
    return go.build(sources, platform, folder / f"await-{platform.slug}", flags=("-ldflags=-s -w",))


@pytest.fixture(scope="session")
def program(compiler: Go, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_await(compiler, AMD64, tmp_path_factory.mktemp("await"))


def run(program: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The program with short pauses, and how it ended."""
    return subprocess.run(
        (str(program), *arguments), env=environment(env), capture_output=True, text=True, check=False, timeout=60
    )


def environment(env: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", **PACE, **env}


class Metadata(ThreadingHTTPServer):
    """Answers /version as `answers` say, one after the other and the last for ever: a status or a word.

    `slow`: 200 a byte at a time; `half`: a part of it, and no more; `never`: nothing at all.
    """

    daemon_threads = True

    def __init__(self, *answers: int | str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Answers)
        self.answers = list(answers)
        self.asked: list[str] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/2016-07-29/version"


class _Answers(BaseHTTPRequestHandler):
    server: Metadata

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == "never":
            self.server.stopping.wait(20)
            return
        self.send_response(int(answer) if isinstance(answer, int) else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        for byte in b"4" if answer == "half" else b"42-ab":
            self.wfile.write(bytes([byte]))
            self.server.stopping.wait(SLOW if answer == "slow" else 0)
        if answer == "half":
            self.server.stopping.wait(20)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def metadata(*answers: int | str, port: int = 0) -> Iterator[Metadata]:
    server = Metadata(*answers, port=port)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_its_own_tests_pass(compiler: Go, tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path / "await")
    # Compiled as the program is, so that the libraries are compiled once for both.
    env = {"CGO_ENABLED": "0"}
    assert "ok" in compiler.run("test", "-trimpath", "-buildvcs=false", "-vet=all", cwd=tmp_path / "await", env=env)


def test_it_is_formatted(compiler: Go) -> None:
    done = subprocess.run(
        (str(compiler.root / "bin/gofmt"), "-l", str(SOURCE)), capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def test_the_service_starts_when_metadata_has_got_over_its_errors(program: Path) -> None:
    with metadata(500, 404, "half", 503, 200) as server:
        done = run(program, "--http", server.url, "--", "echo", "service")
    assert (done.returncode, done.stdout) == (0, "service\n")
    lines = [line.removeprefix(f"await: {server.url}: ") for line in done.stderr.splitlines()]
    assert lines[0] == f"await: waiting for {server.url}"
    assert lines[1:-1] == [
        "answers 500 Internal Server Error",
        "answers 404 Not Found",
        "begins to answer, but the rest does not come: no answer in time",
        "answers 503 Service Unavailable",
        "there",
    ]
    assert lines[-1].startswith("await: all there after ")
    assert len(server.asked) == 5


def test_metadata_that_answers_slowly_is_waited_for_to_its_last_byte(program: Path) -> None:
    with metadata("slow") as server:
        began = time.monotonic()
        done = run(program, "--http", server.url, "--timeout", "15s", "--", "echo", "service")
        assert time.monotonic() - began > 4 * SLOW
    assert (done.returncode, done.stdout, len(server.asked)) == (0, "service\n", 1)


def test_metadata_that_comes_late(program: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/2016-07-29/version"
    with subprocess.Popen(
        (str(program), "echo", "service"),
        env=environment({"AWAIT_HTTP": url}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == f"await: waiting for {url}\n"
        assert child.stderr.readline() == f"await: {url}: connection refused\n"
        time.sleep(0.3)
        with metadata(200, port=port):
            out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (0, "service\n")
    # The same reason is said once, however often it was tried.
    assert "refused" not in err


def test_metadata_that_never_answers_is_named_when_the_limit_is_over(program: Path) -> None:
    with metadata("never") as server:
        done = run(
            program, "--limit", "1s", "--timeout", "200ms", "--each", "300ms", "--", "echo", AWAIT_HTTP=server.url
        )
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.splitlines()[-1] == f"await: gave up after 1s; missing: {server.url} (no answer in time)"
    assert done.stderr.count("since the start; missing: ") >= 2
    assert len(server.asked) >= 2


def test_the_server_is_asked_beside_its_api(program: Path) -> None:
    with metadata(200) as server:
        api = server.url.replace("/2016-07-29/version", "/v1")
        done = run(program, "echo", "service", AWAIT_PING="CATTLE_URL", CATTLE_URL=api)
        assert (done.returncode, done.stdout, server.asked) == (0, "service\n", ["/ping"])
    assert "CATTLE_URL is not set" in run(program, "true", AWAIT_PING="CATTLE_URL").stderr


def test_a_port_and_a_file(program: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        threading.Timer(0.3, (tmp_path / "ready").touch).start()
        done = run(program, "--tcp", address, "--file", str(tmp_path / "ready"), "--", "echo", "service")
    assert (done.returncode, done.stdout) == (0, "service\n")
    assert f"file {tmp_path}/ready: is not there" in done.stderr
    refused = run(program, "--tcp", address, "--limit", "300ms", "--", "echo")
    assert (refused.returncode, refused.stdout) == (75, "")


def test_nothing_to_wait_for_is_nothing_to_say(program: Path) -> None:
    done = run(program, "--", "echo", "service", AWAIT_HTTP="", AWAIT_TCP=" ")
    assert (done.returncode, done.stdout, done.stderr) == (0, "service\n", "")


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 75", 75), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
)
def test_it_ends_as_the_service_does(program: Path, script: str, code: int) -> None:
    assert run(program, "--", "sh", "-c", script).returncode == code


def test_what_cannot_be_run(program: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF not for this machine")
    foreign.chmod(0o755)
    for command, code, says in (
        (str(foreign), 126, "is for another processor than this machine's"),
        ("/nowhere/at-all", 127, "there is no command"),
        ("no-such-command", 127, "there is no command"),
        (str(tmp_path), 126, "cannot run"),
    ):
        done = run(program, "--", command)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr


def test_no_command_is_a_mistake_in_use(program: Path) -> None:
    done = run(program, "--http", "http://127.0.0.1:1/")
    assert (done.returncode, "no command" in done.stderr) == (2, True)
    assert run(program, "true", AWAIT_LIMIT="soon").returncode == 2


# Each signal is noted by the service; those that a shell cannot trap are not asked for.
NOTES = """
for one in HUP INT QUIT USR1 USR2 ALRM TERM WINCH CONT TSTP; do trap "echo $one" $one; done
trap 'echo end; exit 9' RTMIN+3
echo ready
while :; do sleep 0.02; done
"""


def test_signals_are_passed_on(program: Path) -> None:
    need_program("bash", "bash")
    with subprocess.Popen(
        (str(program), "--", "bash", "-c", NOTES), env=environment({}), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "WINCH", "CONT", "TSTP"):
            child.send_signal(getattr(signal, f"SIG{name}"))
            assert child.stdout.readline() == f"{name}\n"
        child.send_signal(signal.SIGRTMIN + 3)
        assert child.stdout.readline() == "end\n"
        assert child.wait(20) == 9


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda one: one.name)
def test_it_can_be_stopped_while_it_waits(program: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        (str(program), "--file", "/nowhere", "--", "echo"), env=environment({}), stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "await: waiting for file /nowhere\n"
        child.send_signal(number)
        _, err = child.communicate(timeout=20)
    assert child.returncode == 128 + number
    assert "while waiting; missing: file /nowhere" in err


ORPHANS = """
for one in 1 2 3; do (sh -c 'sleep 0.1 & exec true' &) done
sleep 0.6
for status in /proc/[0-9]*/stat; do read -r line < $status && case $line in *') Z '*) echo "zombie $line";; esac; done
echo "pid $(cut -d ' ' -f 4 /proc/$$/stat)"
"""


def in_own_pids(*command: str) -> tuple[str, ...]:
    """The command as PID 1 of a new PID namespace, with a /proc of its own."""
    unshare = need_program("unshare", "util-linux")
    if os.geteuid() != 0:
        unmet("root, for a PID namespace")
    return (unshare, "--pid", "--fork", "--mount-proc", "--kill-child", *command)


def test_as_pid_1_it_reaps_orphans(program: Path) -> None:
    done = subprocess.run(
        in_own_pids(str(program), "--", "sh", "-c", ORPHANS),
        env=environment({}), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "pid 1\n", "")
    # A PID 1 that waits for its own child alone leaves them: the check can fail.
    negligent = "import subprocess, sys; subprocess.run(['sh', '-c', sys.argv[1]])"
    bare = subprocess.run(
        in_own_pids(sys.executable, "-c", negligent, ORPHANS),
        env=environment({}), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "zombie " in bare.stdout


def test_an_arm64_build_is_static_and_does_the_same_under_qemu(compiler: Go, tmp_path: Path) -> None:
    qemu = need_program("qemu-aarch64-static", "qemu-user-static")
    binary = compile_await(compiler, ARM64, tmp_path)
    elf = elf_of(binary)
    assert match_platform(elf, ARM64) == ()
    assert elf.static
    with metadata(500, 200) as server:
        done = subprocess.run(
            (qemu, str(binary), "--http", server.url, "--", "sh", "-c", "echo service; kill -TERM $$"),
            env=environment({}), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (143, "service\n")
    assert "answers 500" in done.stderr
