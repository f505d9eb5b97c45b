"""One text in the languages of units and CI files. All take printable text alone: see model/setup.py."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def systemd_word(text: str) -> str:
    """A word of a list of words (systemd.syntax(7), "Quoting"); % begins a specifier (systemd.unit(5))."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def systemd_command(words: Iterable[str]) -> str:
    """A line for ExecStart=. $ begins a variable in all words but the first (systemd.service(5), "Command lines").

    The first may hold no quotes and no backslashes (systemd's string_is_safe()): a shell starts such a program.
    """
    program, *arguments = words
    if re.search(r"[\"'\\]", program):
        program, arguments = "/bin/sh", ["-c", 'exec "$0" "$@"', program, *arguments]
    return " ".join((systemd_word(program), *(systemd_word(word.replace("$", "$$")) for word in arguments)))


def shell_command(words: Iterable[str]) -> str:
    """A command of a POSIX shell."""
    return shlex.join(words)


def cron_command(text: str) -> str:
    """A shell's command in a crontab: crontab(5) takes % for a line break, unless a backslash stands before it."""
    return text.replace("%", r"\%")


def yaml_text(text: str) -> str:
    """A double-quoted scalar (YAML 1.2, 7.3.1), which JSON's strings are."""
    return json.dumps(text, ensure_ascii=False)


def github_text(text: str) -> str:
    """Text in a workflow, where an expression is looked for before anything else reads it."""
    return text.replace("${{", "${{ '${{' }}")


def groovy_text(text: str) -> str:
    """A string in single quotes, in which Groovy replaces no variables."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
