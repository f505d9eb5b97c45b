"""A mail server of our own: it speaks as much SMTP (RFC 5321, AUTH of RFC 4954) as a client needs to leave a letter."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default


@dataclass
class Mailbox:
    """Letters, and with which login they came. `refusing`: nobody's login is right."""

    port: int = 0
    refusing: bool = False
    letters: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """For as long as the block runs."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 mail.example.org")
            while line := self.rfile.readline().decode().strip():
                if not self._answer(line):
                    return

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def _answer(self, line: str) -> bool:
            match line.split(" ", maxsplit=1)[0].upper():
                case "EHLO":
                    self._say("250-mail.example.org\r\n250 AUTH PLAIN")
                case "AUTH":
                    box.logins.append(base64.b64decode(line.split(" ")[2]).decode().replace("\0", " ").strip())
                    self._say("535 no" if box.refusing else "235 welcome")
                case "DATA":
                    self._say("354 go on")
                    lines = iter(self.rfile.readline, b".\r\n")
                    box.letters.append(message_from_bytes(b"".join(lines), policy=default))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return False
                case _:
                    self._say("250 well")
            return True

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
