"""Documents -> YAML that every reader understands alike: of YAML 1.1 (Python, old Go) and of 1.2.

A text stands without quotes only where no reader can take it for anything else: `yes`, `1.10`, `80:80`, `1e3`, `0o7`
and `null` have quotes. No anchors, no folded lines; keys in the order of the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from rearch.model.document import Document

# Starts as no number, date, `~`, `<<`, indicator or .inf does; no `: ` and no ` #` can be in it.
_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./@=+-]|:(?=[A-Za-z0-9_/]))*")
# https://yaml.org/type/bool.html and null.html; 1.2 has fewer.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "infinity"})


class _Dumper(yaml.SafeDumper):
    """Without aliases, and with the items of a list one step in."""

    def ignore_aliases(self, _data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(tuple, lambda dumper, value: dumper.represent_list(value))
_Dumper.add_multi_representer(dict, lambda dumper, value: dumper.represent_dict(value.items()))


def write_yaml(*documents: Document, comments: Iterable[str] = ()) -> str:
    """One document, or several with `---` between them; `comments` are lines before the first."""
    head = "".join(f"# {_one_line(comment)}\n" for comment in comments)
    return head + yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10**6,
        explicit_start=len(documents) > 1,
    )


def _one_line(comment: str) -> str:
    """A comment cannot become data: what would end its line is escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in comment)
