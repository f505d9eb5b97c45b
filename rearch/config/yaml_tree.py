"""YAML -> plain data in which every scalar is text, and the places of its parts on demand.

`1.10`, `386` and `no` stay as they are written; only an empty scalar, `~` and `null` mean nothing
(None). What YAML can do beyond data is refused: tags, merge keys, several documents, keys that stand
twice or are no scalars. Aliases are allowed and counted, so that nine lines cannot become a billion values.

libyaml composes the nodes (thirty times faster); PyYAML's own composer takes its place where PyYAML
was built without libyaml. Both ask `resolve` for the tag of an untagged node: the empty answer tells
tagged and untagged nodes apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from msgspec import Struct

if TYPE_CHECKING:
    from yaml.nodes import Node

Data: TypeAlias = "dict[str, Data] | list[Data] | str | None"

LARGEST_FILE = 1024 * 1024
DEEPEST = 60
MOST_VALUES = 50_000

_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN = ("", None)
# https://yaml.org/spec/1.2.2/#51-character-set. PyYAML compiles this large class when it is imported; once is enough.
_UNPRINTABLE: re.Pattern[str] = yaml.reader.Reader.NON_PRINTABLE
_BYTE_ORDER_MARK = "\ufeff"
# The line breaks of YAML 1.1, which both composers count.
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Span(Struct, frozen=True):
    """Where something stands: line and column from 1, and its first and last (exclusive) character's index."""

    line: int
    column: int
    start: int
    end: int


class Spot(Struct, frozen=True):
    """A value's place, the place of the key before it, and those of its children by key or index."""

    value: Span
    key: Span | None
    children: Mapping[str | int, Spot]


class YamlFault(Exception):
    """One thing in a YAML text that rearch does not read. Collected and told by config.files.

    `usable`: the rest of the data can be looked at all the same, so that its problems come in the same run.
    """

    def __init__(self, span: Span, text: str, hint: str | None = None, *, usable: bool = False) -> None:
        super().__init__(text)
        self.span = span
        self.text = text
        self.hint = hint
        self.usable = usable


class _Untagged:
    """What both composers inherit: no tag is guessed, and depth is limited before the stack is."""

    depth = 0

    def resolve(self, _kind: object, _value: object, _implicit: object) -> str:
        return ""

    def descend_resolver(self, _parent: object, _index: object) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _TooDeep

    def ascend_resolver(self) -> None:
        self.depth -= 1


class _TooDeep(Exception):
    pass


class _PureComposer(_Untagged, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)


def _fast_composer() -> type[Any]:
    if not yaml.__with_libyaml__:
        return _PureComposer
    from yaml._yaml import CParser

    class Composer(_Untagged, CParser):  # type: ignore[misc, valid-type, unused-ignore]
        pass

    return Composer


_FAST = _fast_composer()


def read_yaml(text: str, composer: type[Any] = _FAST) -> tuple[Data, tuple[YamlFault, ...]]:
    """The data of one document, and what is wrong with it: unless that is `usable`, the data is not to be looked at.

    Of a key that stands twice the first value is in the data.
    """
    try:
        node = _compose(text, composer)
    except YamlFault as fault:
        return None, (fault,)
    reader = _Reader()
    data = None if node is None else reader.value(node, 0)
    return data, tuple(reader.faults)


def places(text: str) -> Spot:
    """The places of a text that `read_yaml` has read, with usable faults at most."""
    node = _compose(text, _FAST)
    return Spot(Span(1, 1, 0, 0), None, {}) if node is None else _spot(node, None)


def _compose(text: str, composer: type[Any]) -> Node | None:
    wrong = _UNPRINTABLE.search(text)
    at = wrong.start() if wrong else text.find(_BYTE_ORDER_MARK)
    if at >= 0:
        raise YamlFault(span_at(text, at), f"the character U+{ord(text[at]):04X} cannot stand in YAML")
    try:
        loader = composer(text)
        node: Node | None = loader.get_single_node()
    except _TooDeep:
        raise YamlFault(Span(1, 1, 0, 0), f"nested deeper than {DEEPEST} levels") from None
    except yaml.YAMLError as error:
        raise _syntax(text, error) from None
    return node


def _syntax(text: str, error: yaml.YAMLError) -> YamlFault:
    """libyaml's words are short; the commonest causes deserve a hint."""
    mark = getattr(error, "problem_mark", None)
    words = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    context = getattr(error, "context", None)
    span = Span(mark.line + 1, mark.column + 1, mark.index, mark.index) if mark else Span(1, 1, 0, 0)
    if "another document" in words or "expected a single document" in str(context):
        return YamlFault(span, "a second document begins here", "one file holds one document: remove the `---`")
    hint = None
    if "${{" in _line(text, span.start):
        hint = "an expression inside [] or {} needs quotes"
    elif "tab" in words or ("cannot start any token" in words and text[span.start : span.start + 1] == "\t"):
        hint = "indent with spaces, not tabs"
    elif "cannot start any token" in words:
        hint = "put the text in quotes"
    elif "mapping values are not allowed" in words:
        hint = "a text with `: ` in it needs quotes"
    return YamlFault(span, f"not YAML: {f'{context}: ' if context else ''}{words}", hint)


def _line(text: str, index: int) -> str:
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", index)
    return text[start : end if end >= 0 else len(text)]


class _Reader:
    """Walks the nodes once. Aliases are followed each time, and counted each time."""

    def __init__(self) -> None:
        self.faults: list[YamlFault] = []
        self.values = 0

    def value(self, node: Node, depth: int) -> Data:
        self.values += 1
        if self.values > MOST_VALUES or depth > DEEPEST:
            self._too_much(node)
            return None
        if node.tag:
            self.faults.append(YamlFault(_span(node), f"tags are not read: {node.tag}", "write the value without it"))
        if isinstance(node, yaml.ScalarNode):
            return None if node.value in _NOTHING and node.style in _PLAIN else str(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return self._mapping(node, depth)

    def _mapping(self, node: Node, depth: int) -> Data:
        found: dict[str, Data] = {}
        for key, value in node.value:
            name = self._key(key, found)
            if name is not None:
                found[name] = self.value(value, depth + 1)
        return found

    def _key(self, key: Node, found: Mapping[str, Data]) -> str | None:
        """The key's text; None after a fault."""
        text = key.value
        if not isinstance(key, yaml.ScalarNode) or not isinstance(text, str):
            self.faults.append(YamlFault(_span(key), "a key is a word, not a list or a mapping"))
        elif text == "<<" and key.style in _PLAIN:
            hint = "say it under `defaults` of the stack, or write the keys out"
            self.faults.append(YamlFault(_span(key), "merge keys (`<<`) are not read", hint))
        elif key.tag:
            self.faults.append(YamlFault(_span(key), f"tags are not read: {key.tag}", "write the key without it"))
        elif not text:
            self.faults.append(YamlFault(_span(key), "a key is empty"))
        elif text in found:
            twice = f"the key {text!r} stands here twice"
            self.faults.append(YamlFault(_span(key), twice, "keep one of them", usable=True))
        else:
            return text
        return None

    def _too_much(self, node: Node) -> None:
        if self.values > MOST_VALUES:
            text = f"with its aliases the file has more than {MOST_VALUES} values"
        else:
            text = f"nested deeper than {DEEPEST} levels, or an alias that contains itself"
        if not any(fault.text == text for fault in self.faults):
            self.faults.append(YamlFault(_span(node), text))


def _span(node: Node) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line + 1, start.column + 1, start.index, end.index)


def _spot(node: Node, key: Span | None) -> Spot:
    children: dict[str | int, Spot] = {}
    if isinstance(node, yaml.SequenceNode):
        children = {index: _spot(item, None) for index, item in enumerate(node.value)}
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value not in children:  # the later value of a key that stands twice was not read: it can be endless
                children[name.value] = _spot(value, _span(name))
    return Spot(_span(node), key, children)


def find(spot: Spot, path: Sequence[str | int]) -> tuple[Spot, int]:
    """The deepest place on the path, and how many of its steps lead there."""
    for count, step in enumerate(path):
        child = spot.children.get(step)
        if child is None:
            return spot, count
        spot = child
    return spot, len(path)


def span_at(text: str, index: int) -> Span:
    """The line and column of a character."""
    line, start = 1, 0
    for found in LINE_BREAK.finditer(text, 0, index):
        line, start = line + 1, found.end()
    return Span(line, index - start + 1, index, index + 1)
