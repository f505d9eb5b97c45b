"""Messages through Apprise, to a server of our own; and what the nightly task says of them."""

from __future__ import annotations

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from rearch.errors import ExitCode
from rearch.host import notify
from rearch.host.notify import Trouble, has_addresses, send
from tests.support.go_project import change
from tests.support.mail import mailbox
from tests.support.nightly import inbox, moving_project
from tests.support.registry import free_port

NIGHT = ("nightly", "--no-publish", "--date", "2024-05-17")


def test_text_arrives_as_it_is() -> None:
    with inbox() as box:
        body = 'failing: s/a\n<b>not bold</b> \\n "quoted" | 5 % $HOME\nhttps://ci.example.org/r'
        assert send("demo: fails", body, "failure", ("HOOK",), {"HOOK": f" {box.url} {box.url} "}) == ()
    assert [(one["title"], one["message"], one["type"]) for one in box.messages] == [("demo: fails", body, "failure")]


@pytest.mark.parametrize(
    "text", ["nosuch://a/s3cr3t", "s3cr3t", "mailto://", "json://", "/etc/passwd", "slack://s3cr3t"]
)
def test_an_address_that_is_none_is_told_without_its_text(text: str, caplog: pytest.LogCaptureFixture) -> None:
    troubles = send("t", "b", "info", ("HOOK",), {"HOOK": text})
    assert [trouble.place.partition(" ")[0] for trouble in troubles] == ["HOOK"]
    assert "s3cr3t" not in troubles[0].words + caplog.text


def test_one_that_fails_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with inbox() as box, inbox() as refusing:
        refusing.status = 500
        gone = f"json://u:s3cr3t@127.0.0.1:{free_port()}/s3cr3t"
        found = send("t", "b", "info", ("ONE", "TWO"), {"ONE": f"{gone} {refusing.url}", "TWO": box.url})
    assert len(box.messages) == 1
    why = "the service did not take it, or could not be reached"
    assert found == (Trouble(place="ONE (json)", why=why),) * 2
    assert "s3cr3t" not in caplog.text + "".join(capsys.readouterr())


def test_a_letter_arrives_with_a_login() -> None:
    with mailbox() as box:
        url = f"mailto://robot:s3cr3t@127.0.0.1:{box.port}?mode=insecure&from=robot@example.org&to=team@example.org"
        body = "failing: s/a\n<b>no</b>\nhttps://x.example.org"
        assert send("demo: fails", body, "failure", ("M",), {"M": url}) == ()
        (letter,) = box.letters
        assert letter["Subject"] == "demo: fails"
        assert "team@example.org" in letter["To"]
        text = letter.get_body(("plain",))
        assert text is not None
        assert text.get_content().splitlines()[:3] == body.splitlines()
        assert box.logins == ["robot s3cr3t"]


def test_a_mail_server_that_refuses_is_told_without_the_password(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with mailbox() as box:
        box.refusing = True
        url = f"mailto://robot:s3cr3t@127.0.0.1:{box.port}?mode=insecure&from=robot@example.org&to=team@example.org"
        (trouble,) = send("t", "b", "failure", ("M",), {"M": url})
    assert box.letters == []
    assert trouble.place == "M (mailto)"
    assert "s3cr3t" not in trouble.words + caplog.text + "".join(capsys.readouterr())


def test_a_hook_that_never_comes_to_an_end_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "DEADLINE", 1.5)
    done = threading.Event()

    def drip(server: socket.socket) -> None:
        """A byte of the answer's head now and then: no read of the client ever runs into its time-out."""
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not done.wait(0.1):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server, inbox() as box:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        began = time.monotonic()
        found = send("t", "b", "info", ("H",), {"H": f"json://127.0.0.1:{server.getsockname()[1]}/s3cr3t {box.url}"})
        took = time.monotonic() - began
        done.set()
        thread.join()
    assert [trouble.words for trouble in found] == [
        "the message by H (json) was not sent: no answer within 1.5 s; it may arrive all the same"
    ]
    assert len(box.messages) == 1
    assert took < 8


def test_nobody_is_named() -> None:
    assert send("t", "b", "info", ("HOOK",), {"HOOK": " "}) == ()
    assert not has_addresses(("HOOK",), {"HOOK": " ", "OTHER": "json://x"})


def test_a_night_tells_of_changes_and_again_what_did_not_arrive(tmp_path: Path) -> None:
    rearch = moving_project(tmp_path, ("ash",), (), settings="nightly: {notify_urls: [TEAM_HOOK]}\n")
    recipe = rearch.project / "recipes/demo/ash.yaml"
    with inbox() as box:
        env = {"TEAM_HOOK": box.url}
        change(recipe, "summary:", "sumary:")
        box.status = 500
        ran = rearch.run(*NIGHT, code=ExitCode.USAGE, env=env)
        assert "warning: the message by TEAM_HOOK (json) was not sent" in ran.err
        box.status = 200
        rearch.run(*NIGHT, code=ExitCode.USAGE, env=env)
        rearch.run(*NIGHT, code=ExitCode.USAGE, env=env)
        change(recipe, "sumary:", "summary:")
        ran = rearch.run(*NIGHT, env=env)
        rearch.run(*NIGHT, env=env)
        rearch.run(*NIGHT, "--notify", "always", env=env)
    titles = [message["title"] for message in box.messages]
    assert titles == [f"project: nightly {how}" for how in ("fails", "is well again", "is well")]
    assert "recipes/demo/ash.yaml" in box.messages[0]["message"]
    assert ran.err.strip().endswith("1 of 1 whole, not published; nothing failed")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".a")
    assert b"s3cr3t" not in everything


def test_flags_that_are_wrong(tmp_path: Path) -> None:
    rearch = moving_project(tmp_path, ("ash",), ())
    wrong = {"--policy": "some", "--prune-keep": "0", "--prune-age": "old", "--notify": "loudly", "--date": "today"}
    for flag, word in wrong.items():
        ran = rearch.run("nightly", flag, word, code=ExitCode.USAGE)
        assert ran.err.startswith(f"error: {flag}: "), ran.err


def test_a_dry_run_writes_and_sends_nothing(tmp_path: Path) -> None:
    rearch = moving_project(tmp_path, ("ash",), ())
    ran = rearch.run("nightly", "--dry-run", "--json", "--to", f"oci:{tmp_path / 'mirror'}")
    record = json.loads(ran.out)
    assert record["tags"] == []
    assert "steps would run" in " ".join(record["told"])
    assert not (tmp_path / "mirror").exists()
    assert not (rearch.project / "rearch.lock").exists()
    assert not (rearch.output / "nightly.json").exists()
