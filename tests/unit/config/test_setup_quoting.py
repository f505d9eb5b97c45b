"""One text in many languages: what each reader makes of it is the text."""

from __future__ import annotations

import json
import re
import shlex

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rearch.config import setup_quoting as quoting

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=0x17F, exclude_categories=["Cc", "Cf", "Zs"])
TEXTS = st.text(PRINTABLE | st.just(" "))
WORDS = st.lists(TEXTS.filter(bool), min_size=1, max_size=4)
HARD = "/srv/a b%h$HOME${x}\"c'd\\e;f#g"


def systemd_words(line: str) -> list[str]:
    """systemd.syntax(7) and systemd.service(5): quotes and backslashes, then %%, then $$ in all but the first."""
    words = shlex.split(line, comments=False)
    assert not re.search(r"(?<!%)(%%)*%(?!%)", line), "a specifier"
    words = [word.replace("%%", "%") for word in words]
    return [words[0], *(word.replace("$$", "$") for word in words[1:])]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(WORDS)
def test_systemd_reads_the_words(words: list[str]) -> None:
    wanted = ["/bin/sh", "-c", 'exec "$0" "$@"', *words] if set(words[0]) & set("\"'\\") else words
    assert systemd_words(quoting.systemd_command(words)) == wanted


def test_systemd_replaces_no_variable_of_an_argument() -> None:
    line = quoting.systemd_command(["/bin/x", HARD])
    assert line.replace("$$", "").count("$") == 0
    assert quoting.systemd_command(["/srv/$x", "a"]) == '"/srv/$x" a', "the program itself is no place for variables"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(WORDS)
def test_cron_and_the_shell_read_the_words(words: list[str]) -> None:
    line = quoting.cron_command(quoting.shell_command(words))
    assert re.search(r"(?<!\\)%", line) is None
    assert shlex.split(line.replace(r"\%", "%")) == words


@settings(max_examples=100, deadline=None, derandomize=True)
@given(TEXTS)
def test_yaml_reads_the_text(text: str) -> None:
    assert yaml.safe_load(quoting.yaml_text(text)) == text


@settings(max_examples=100, deadline=None, derandomize=True)
@given(TEXTS)
def test_groovy_reads_the_text(text: str) -> None:
    quoted = quoting.groovy_text(text)
    inner = quoted[1:-1]
    assert re.fullmatch(r"(?:[^'\\]|\\.)*", inner), "it ends where it should"
    assert re.sub(r"\\(.)", r"\1", inner) == text


def test_github_meets_no_expression_of_ours() -> None:
    assert quoting.github_text("a${{ secrets.X }}b") == "a${{ '${{' }} secrets.X }}b"
    assert quoting.github_text("$HOME {{x}}") == "$HOME {{x}}"


def test_plain_words_stay_readable() -> None:
    assert quoting.systemd_command(["/usr/bin/rearch", "--project", "/srv/x"]) == "/usr/bin/rearch --project /srv/x"
    assert json.loads(quoting.yaml_text("rearch nightly")) == "rearch nightly"
