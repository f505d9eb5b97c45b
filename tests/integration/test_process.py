"""The place where commands are run: ends, limits, families, and being stopped from elsewhere."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest

from rearch.errors import StepError
from rearch.host.process import CannotStart, Processes, ToolMissing
from rearch.model.command import TAIL, Command, Completed

TMP = Path("/")


def shell(script: str, **more: object) -> Command:
    return Command(argv=("/bin/sh", "-c", script), cwd=TMP, **more)  # type: ignore[arg-type]


def run(script: str, **more: object) -> Completed:
    return Processes().run(shell(script, **more))


def alive(pid: int) -> bool:
    """Whether the process is there and no zombie (nobody may have collected it yet)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition: object, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


def test_exit_code_and_both_streams() -> None:
    done = run("echo out; echo err >&2; exit 3")
    assert (done.exit, done.output, done.matched) == (3, "out\nerr\n", False)


def test_the_environment_is_the_command_s_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the caller")
    done = Processes().run(Command(argv=("/usr/bin/env",), cwd=TMP, env=(("A", "1"),)))
    assert done.output == "A=1\n"


def test_a_signal_is_a_negative_exit() -> None:
    assert run("kill -SEGV $$").exit == -11


def test_stdin_is_fed_and_otherwise_empty() -> None:
    data = b"x" * 300_000
    assert run("wc -c", stdin=data).output.strip() == "300000"
    assert run("wc -c").output.strip() == "0"


def test_stdin_that_nobody_reads_is_no_error() -> None:
    assert run("exit 0", stdin=b"x" * 10_000_000).exit == 0


def test_working_folder_and_umask(tmp_path: Path) -> None:
    done = Processes().run(Command(argv=("/bin/sh", "-c", "pwd; umask; touch f"), cwd=tmp_path, umask=0o027))
    assert done.output == f"{tmp_path}\n0027\n"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_time_limit() -> None:
    done = run("echo before; sleep 60", timeout=0.3)
    assert (done.exit, done.output) == (None, "before\n")
    assert done.seconds < 4


def test_time_limit_of_a_program_that_has_closed_its_output() -> None:
    done = run("exec >/dev/null 2>&1; sleep 60", timeout=0.3)
    assert done.exit is None
    assert done.seconds < 4


def test_a_program_that_ignores_the_first_request_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rearch.host.process.GRACE", 0.3)
    done = run("trap '' TERM; echo ready; while :; do sleep 1; done", timeout=0.3)
    assert done.exit is None
    assert done.seconds < 4


def test_grandchildren_end_with_the_child(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60"
    assert run(script, timeout=0.5).exit is None
    assert until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_grandchild_that_stays_behind_is_ended_too(tmp_path: Path) -> None:
    done = run(f"sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; exit 0")
    assert done.exit == 0
    assert until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_a_grandchild_that_holds_the_output_does_not_keep_us() -> None:
    done = run("sleep 60 & echo done; exit 4")
    assert (done.exit, done.output) == (4, "done\n")
    assert done.seconds < 10


def test_the_end_of_the_output_is_kept_and_all_of_it_logged() -> None:
    log = io.BytesIO()
    done = Processes().run(shell(f"head -c {5 * TAIL} /dev/zero | tr '\\0' a; echo end"), log)
    assert len(done.output) == TAIL
    assert done.output.endswith("aend\n")
    assert len(log.getvalue()) == 5 * TAIL + 4


def test_a_log_has_its_limit_and_the_output_goes_on() -> None:
    log = io.BytesIO()
    done = Processes().run(shell("head -c 1000000 /dev/zero | tr '\\0' a; echo end"), log, limit=1000)
    assert log.getvalue().startswith(b"a" * 1000 + b"\n[the log has reached its limit")
    assert len(log.getvalue()) < 1100
    assert done.output.endswith("end\n")


def test_output_that_is_no_utf8() -> None:
    assert run("printf 'a\\377b'").output == "a\ufffdb"


# until


def test_until_ends_a_program_that_would_go_on() -> None:
    done = run("echo starting; echo listening on 80; sleep 60", until="^listening on [0-9]+$", timeout=30)
    assert done.matched
    assert "listening on 80" in done.output
    assert done.seconds < 10


def test_until_across_two_writes() -> None:
    done = run("printf listen; sleep 0.2; echo ing; sleep 60", until="listening", timeout=30)
    assert done.matched


def test_until_that_never_comes() -> None:
    ended = run("echo other; exit 2", until="listening", timeout=30)
    assert (ended.matched, ended.exit) == (False, 2)
    late = run("echo other; sleep 60", until="listening", timeout=0.3)
    assert (late.matched, late.exit) == (False, None)


# what cannot be started


def test_a_missing_program() -> None:
    with pytest.raises(ToolMissing) as caught:
        Processes().run(Command(argv=("no-such-program-of-ours",), cwd=TMP))
    assert caught.value.program == "no-such-program-of-ours"
    assert "doctor" in (caught.value.hint or "")


def test_a_program_that_is_not_executable(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(CannotStart, match="Permission denied"):
        Processes().run(Command(argv=(str(tmp_path / "f"),), cwd=TMP))


def test_a_file_that_is_no_program_of_this_host(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\x7fELF" + bytes(60))
    (tmp_path / "f").chmod(0o755)
    with pytest.raises(CannotStart, match="exec format error"):
        Processes().run(Command(argv=(str(tmp_path / "f"),), cwd=TMP))


def test_a_script_without_its_interpreter(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("#!/no/such/interpreter\n")
    (tmp_path / "f").chmod(0o755)
    with pytest.raises(CannotStart, match="loader or interpreter"):
        Processes().run(Command(argv=(str(tmp_path / "f"),), cwd=TMP))


def test_a_working_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="gone is not there"):
        Processes().run(Command(argv=("/bin/true",), cwd=tmp_path / "gone"))


# stop


def test_stop_from_another_thread_ends_all_and_starts_no_more(tmp_path: Path) -> None:
    processes = Processes()
    ends: list[Completed] = []

    def work(name: str) -> None:
        ends.append(processes.run(shell(f"echo $$ > {tmp_path}/{name}; sleep 60")))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    assert until(lambda: all((tmp_path / name).exists() for name in ("a", "b", "c")))
    started = time.monotonic()
    processes.stop()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started < 4
    assert [done.exit for done in ends] == [-15, -15, -15]
    with pytest.raises(StepError, match="stopped before it began"):
        processes.run(shell("true"))


def test_stop_gives_stubborn_children_one_grace_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rearch.host.process.GRACE", 1.0)
    processes = Processes()
    script = f"trap '' TERM; touch {tmp_path}/$$; while :; do sleep 1; done"
    threads = [threading.Thread(target=processes.run, args=(shell(script),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert until(lambda: len(list(tmp_path.iterdir())) == 4)
    started = time.monotonic()
    processes.stop()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started < 3.5


def test_no_descriptor_is_left_open() -> None:
    processes = Processes()
    processes.run(shell("cat >/dev/null", stdin=b"x"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        processes.run(shell("cat", stdin=b"x"))
    assert until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)
