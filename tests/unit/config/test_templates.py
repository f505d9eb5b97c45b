"""Templates: what ships with rearch, what a project writes itself, and what a wrong or a hostile one is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rearch.config.template_errors import BadTemplate, NoTemplate
from rearch.config.template_files import template_folders
from rearch.config.templates import Rendered, render_template
from rearch.errors import ExitCode
from rearch.model.frozen import NOTHING
from rearch.oci.dockerfile.parse import parse_dockerfile
from tests.support.snapshots import assert_snapshot

SHIPPED = ("scratch-binary", "debian-service", "rancher-agent")

# Every name of docs/images.md, with the least that a recipe can say.
LEAST: Mapping[str, Any] = {
    "component": "agent",
    "version": "v1.2.3",
    "summary": "A program",
    "repository": "agent",
    "tag": "v1.2.3",
    "platform": "linux/arm/v7",
    "os": "linux",
    "arch": "arm",
    "variant": "v7",
    "base": "scratch",
    "stages": [],
    "files": [{"place": "linux/arm/v7/agent", "to": "/usr/bin/", "mode": "0755", "owner": "0:0"}],
    "entrypoint": None,
    "cmd": None,
    "env": {},
    "labels": {"org.opencontainers.image.title": "agent"},
    "user": "",
    "workdir": "",
    "ports": [],
    "volumes": [],
    "stop_signal": "",
    "healthcheck": None,
    "args": [],
    "values": {},
}
FULL: Mapping[str, Any] = {
    **LEAST,
    "base": "base",
    "stages": ["tools"],
    "files": [
        {"place": "linux/arm/v7/agent", "to": "/usr/bin/", "mode": "0755", "owner": "0:0"},
        {"place": "linux/arm/v7/other/helper", "to": "/usr/bin/helper", "mode": "4755", "owner": "root:adm"},
        {"place": "source/package/start here.sh", "to": "/opt/start here/", "mode": "0755", "owner": "0:0"},
        {"place": "files/etc", "to": "/etc/agent", "mode": "", "owner": "agent:agent"},
    ],
    "entrypoint": ["/usr/bin/tini", "--"],
    "cmd": ["agent", "--flag", "two words", 'a "quoted" $one'],
    "env": {"PLAIN": "1", "SPACES": "two words", "DOLLAR": "$HOME", "QUOTE": 'say "hi"', "END": "c:\\"},
    "labels": {"org.opencontainers.image.title": "agent", "org.example.why": 'it is "so" \\'},
    "user": "agent:agent",
    "workdir": "/var/lib/agent",
    "ports": ["80", "53/udp"],
    "volumes": ["/var/lib/agent", "/with space"],
    "stop_signal": "SIGINT",
    "healthcheck": {
        "test": ["curl", "-f", "http://localhost"],
        "interval": 1.5,
        "timeout": 30.0,
        "start_period": 60.0,
        "retries": 3,
    },
    "args": ["FLAVOUR"],
    "values": {"agent_image": "example/agent:v1"},
}


def render(project: Path, text: str, values: Mapping[str, Any] = FULL, more: Mapping[str, str] = NOTHING) -> Rendered:
    """A template of the project called `own`, with other files beside it."""
    for name, content in {"own.Dockerfile.j2": text, **more}.items():
        path = project / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return render_template(project, "own", values)


def wrong(project: Path, text: str, values: Mapping[str, Any] = FULL, more: Mapping[str, str] = NOTHING) -> BadTemplate:
    with pytest.raises(BadTemplate) as caught:
        render(project, text, values, more)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize(("kind", "values"), [("full", FULL), ("least", LEAST)])
def test_shipped_templates(name: str, kind: str, values: Mapping[str, Any], tmp_path: Path) -> None:
    if kind == "least" and name != "scratch-binary":
        values = {**values, "base": "base", "values": FULL["values"]}
    rendered = render_template(tmp_path, name, values)
    assert rendered.path == f"rearch:templates/{name}.Dockerfile.j2"
    assert_snapshot(f"dockerfiles/{name}-{kind}.Dockerfile", rendered.text)
    # The embedded builder can read it, and there is nothing that it cannot do.
    (stage,) = parse_dockerfile(rendered.text, rendered.path).stages
    assert "Run" not in {type(one).__name__ for one in stage.instructions}
    assert render_template(tmp_path, name, values) == rendered


def test_every_shipped_template_is_tested(tmp_path: Path) -> None:
    assert template_folders(tmp_path).names() == tuple(sorted(SHIPPED))


@pytest.mark.parametrize("name", ["debian-service", "rancher-agent"])
def test_services_want_a_base(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadTemplate, match=f"{name} wants a base"):
        render_template(tmp_path, name, LEAST)


def test_the_agent_wants_the_name_of_its_image(tmp_path: Path) -> None:
    with pytest.raises(BadTemplate, match="agent_image: NAME:TAG"):
        render_template(tmp_path, "rancher-agent", {**FULL, "values": {}})


def test_binaries_come_last(tmp_path: Path) -> None:
    text = render_template(tmp_path, "scratch-binary", FULL).text
    copies = [line for line in text.splitlines() if line.startswith("COPY")]
    assert ["linux/arm/v7" in line for line in copies] == [False, False, True, True]


def test_a_path_that_env_sets_is_not_set_twice(tmp_path: Path) -> None:
    text = render_template(tmp_path, "debian-service", {**FULL, "env": {"PATH": "/bin"}}).text
    assert text.count("PATH=") == 1


@pytest.mark.parametrize(
    "over",
    [
        {"env": {"A": "x\nRUN rm -rf /"}},
        {"labels": {"a": "x\nUSER root"}},
        {"user": "x\nUSER root"},
        {"workdir": "/x\nUSER root"},
        {"ports": ["80\nUSER root"]},
        {"volumes": ["/x\u2028USER root"]},
        {"stop_signal": "SIGTERM\r\nUSER root"},
        {"files": [{"place": "a", "to": "/x\nUSER root", "mode": "", "owner": "0:0"}]},
        {"args": ["A\nUSER root"]},
        {"labels": {"a=b": "x"}},
        {"user": "--help"},
    ],
    ids=str,
)
def test_hostile_values_add_no_instruction(over: Mapping[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadTemplate) as caught:
        render_template(tmp_path, "debian-service", {**FULL, **over})
    assert caught.value.places[-1].path == "rearch:templates/macros.j2"
    assert caught.value.places[0].path == "rearch:templates/debian-service.Dockerfile.j2"


def test_hostile_values_add_no_flag(tmp_path: Path) -> None:
    file = {"place": "a", "to": "/x", "mode": "0755 --link", "owner": "0:0 --from=evil"}
    text = render_template(tmp_path, "scratch-binary", {**FULL, "files": [file]}).text
    assert 'COPY --chown="0:0 --from=evil" --chmod="0755 --link" ["a", "/x"]' in text


def test_a_line_break_in_a_command_stays_inside_it(tmp_path: Path) -> None:
    text = render_template(tmp_path, "scratch-binary", {**FULL, "cmd": ["sh", "-c", "a\nb\u2028c"]}).text
    assert text.endswith('CMD ["sh", "-c", "a\\nb\\u2028c"]\n')


def test_a_project_has_its_own_templates_and_macros(tmp_path: Path) -> None:
    macros = "{% macro hello(name) %}# hello {{ name }}\n{% endmacro %}"
    found = render(
        tmp_path, '{% import "mine.j2" as m %}{{ m.hello(component) }}FROM scratch\n', more={"mine.j2": macros}
    )
    assert found == Rendered(path="templates/own.Dockerfile.j2", text="# hello agent\nFROM scratch\n")


def test_a_project_can_use_the_shipped_macros(tmp_path: Path) -> None:
    text = '{% import "macros.j2" as m %}{{ m.stages(stages) }}FROM {{ base }}\n{{ m.labels(labels) }}'
    lines = render(tmp_path, text).text.splitlines()
    assert lines[:3] == ["FROM tools AS tools", "FROM base", 'LABEL org.opencontainers.image.title="agent" \\']


def test_a_template_of_the_project_goes_first(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/scratch-binary.Dockerfile.j2").write_text("FROM scratch\n")
    found = render_template(tmp_path, "scratch-binary", FULL)
    assert found == Rendered(path="templates/scratch-binary.Dockerfile.j2", text="FROM scratch\n")


def test_shipped_templates_mean_the_same_in_every_project(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    plain = render_template(tmp_path, "scratch-binary", FULL)
    (tmp_path / "templates/macros.j2").write_text("{% macro labels(x) %}LABEL evil=1\n{% endmacro %}")
    assert render_template(tmp_path, "scratch-binary", FULL) == plain


def test_a_template_that_changed_is_read_again(tmp_path: Path) -> None:
    assert render(tmp_path, "FROM scratch\n").text == "FROM scratch\n"
    assert render(tmp_path, "FROM scratch\n# longer\n").text == "FROM scratch\n# longer\n"
    including = '{% include "part.j2" %}'
    assert render(tmp_path, including, more={"part.j2": "one"}).text == "one"
    assert render(tmp_path, including, more={"part.j2": "second"}).text == "second"


def test_an_unknown_template(tmp_path: Path) -> None:
    with pytest.raises(NoTemplate) as caught:
        render_template(tmp_path, "debian-servise", FULL)
    error = caught.value
    assert error.summary == "there is no template debian-servise"
    assert error.hint == "did you mean debian-service?"
    assert "debian-service, rancher-agent, scratch-binary" in error.details[1]
    assert error.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("name", ["../scratch-binary", "/etc/passwd", "a/b", "x\0", ""])
def test_a_name_that_is_a_path(name: str, tmp_path: Path) -> None:
    (tmp_path / "templates/a").mkdir(parents=True)
    (tmp_path / "templates/a/b.Dockerfile.j2").write_text("FROM scratch\n")
    with pytest.raises(NoTemplate):
        render_template(tmp_path, name, FULL)


@pytest.mark.parametrize(
    ("text", "line", "said", "hint"),
    [
        ("FROM scratch\n# {{ vresion }}\n", 2, "vresion is not defined", "did you mean version?"),
        ("\n\n{{ values.agent_imag }}", 3, "there is no agent_imag here", "did you mean agent_image?"),
        ("{{ files[0].plaec }}", 1, "there is no plaec here", "did you mean place?"),
        ("{{ files[9].place }}", 1, "there is no 9 here", None),
        ('{% import "macros.j2" as m %}\n{{ m.label(labels) }}', 2, "there is no label here", "did you mean labels?"),
        ('{% from "macros.j2" import nothing %}\n{{ nothing() }}', 2, "it has no nothing to import", None),
        ('FROM x\n{% include "macro.j2" %}', 2, "there is no templates/macro.j2", "did you mean macros.j2?"),
        ("a\n{% if x %}\nb", 3, "Unexpected end of template", None),
        ("a\n{{ base | jsn }}", 2, "No filter named 'jsn'", None),
        ("a\n{% nonsense %}", 2, "Encountered unknown tag 'nonsense'", None),
        ("a\n{{ files }}", 2, "a list is written with `| json`", None),
        ("a\n{{ healthcheck }}", 2, "this is a dict, not a text", None),
        ("a\n{{ cmd is none }}", 2, "this is true or false, not a text", None),
        ("a\n{{ none }}", 2, "this is nothing (none), not a text", None),
        ("a\n{{ fail('write values.x') }}", 2, "write values.x", None),
        ("a\n{{ component() }}", 2, "only macros, methods of texts", None),
        ("a\n{{ 1 / 0 }}", 2, "division by zero", None),
        ("a\n{{ files | json }}", 2, "json wants texts, not a dict", None),
    ],
)
def test_what_is_wrong_has_file_line_and_name(
    text: str, line: int, said: str, hint: str | None, tmp_path: Path
) -> None:
    error = wrong(tmp_path, text)
    assert error.summary.startswith(f"templates/own.Dockerfile.j2:{line}: ")
    assert said in error.summary
    if hint:
        assert error.hint == hint
    assert error.places[-1].source == text.split("\n")[line - 1]


def test_an_error_inside_a_macro_says_who_called_it(tmp_path: Path) -> None:
    error = wrong(
        tmp_path,
        '{% import "mine.j2" as m %}\n\n{{ m.line(component) }}',
        more={"mine.j2": "{% macro line(name) %}\n{{ name }} {{ nmae }}\n{% endmacro %}"},
    )
    assert error.summary == "templates/mine.j2:2: nmae is not defined"
    assert error.details == ("    {{ name }} {{ nmae }}", "called at templates/own.Dockerfile.j2:3")
    assert error.hint == "did you mean name?"


def test_names_are_never_silently_empty(tmp_path: Path) -> None:
    for text in (
        "{{ nothing ~ 'x' }}",
        "{{ nothing | json }}",
        "{% for x in nothing %}{% endfor %}",
        "{{ nothing | join }}",
    ):
        assert "nothing is not defined" in wrong(tmp_path, text).summary
    assert render(tmp_path, "{{ nothing | default('x') }}{{ 'y' if nothing is defined else 'z' }}").text == "xz"


def test_a_raw_line_break_cannot_be_printed(tmp_path: Path) -> None:
    values = {**FULL, "summary": "first\nRUN evil"}
    for use in ("", " | upper", ".upper()", " | replace('R', 'r')", " | trim", " ~ 'x'"):
        assert "line break" in wrong(tmp_path, f"# {{{{ summary{use} }}}}", values).summary, use
    assert render(tmp_path, "{{ summary | json }}", values).text == '"first\\nRUN evil"'
    assert render(tmp_path, "{{ summary.split('\\n')[0] }}", values).text == "first"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ component.__class__.__mro__ }}",
        "{{ files.__len__ }}",
        "{{ files.append }}",
        "{{ env.update({'a': 'b'}) }}",
        "{{ env.__init__ }}",
        "{{ component.format(1) }}",
        "{{ component.encode() }}",
        "{{ range.__self__ }}",
        "{{ self.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ fail.__globals__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ lipsum }}",
        "{{ cycler }}",
        "{{ joiner }}",
        "{{ component | attr('upper') }}",
        "{{ component | pprint }}",
        "{{ '%s' % component }}",
        "{{ loop }}",
        "{{ files | map(attribute='__class__') | list | json }}",
    ],
)
def test_there_is_no_way_out_of_the_sandbox(text: str, tmp_path: Path) -> None:
    wrong(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        '{% include "../secret" %}',
        '{% include "/etc/passwd" %}',
        '{% include "a/../../secret" %}',
        '{% import "./macros.j2" as m %}',
        '{% include "link.j2" %}',
        '{% include "folder" %}',
        '{% extends "../secret" %}',
        "{% include 'project:own.Dockerfile.j2' %}",
    ],
)
def test_includes_stay_in_the_folders(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "templates/folder").mkdir(parents=True)
    (tmp_path / "templates/link.j2").symlink_to(tmp_path / "secret")
    assert "secret\n" not in wrong(tmp_path, text).render().split(text)[-1]


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(1000000000) %}x{% endfor %}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 9 ** 999999999 }}",
        "{{ component.ljust(1000000000) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{% set ns = namespace(x='xx') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='xx') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x='x') %}{% for a in range(60) %}{% set ns.x = ns.x | replace('x', 'xx') %}{% endfor %}",
        "{% set ns = namespace(x='xx') %}{% for a in range(60) %}{% set ns.x = ns.x.replace('x', 'xx') %}{% endfor %}",
        "{% set ns = namespace(x='xx') %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% set ns = namespace(x=9) %}{% for a in range(60) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
        "{% set ns = namespace(x='xx') %}{% for a in range(60) %}"
        "{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = y %}{% endfor %}",
        "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        '{% include "own.Dockerfile.j2" %}',
        "{% set n = n | default(40) %}{% if n %}{% set n = n - 1 %}"
        '{% include "own.Dockerfile.j2" %}{% include "own.Dockerfile.j2" %}{% endif %}',
    ],
)
def test_a_template_cannot_use_up_the_machine(text: str, tmp_path: Path) -> None:
    wrong(tmp_path, text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"FROM scratch\n\xff\n", "line 2 is not UTF-8: byte 0xff"),
        (b"x" * (256 * 1024 + 1), "it is larger than 256 KiB"),
    ],
)
def test_files_that_are_no_templates(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/own.Dockerfile.j2").write_bytes(content)
    with pytest.raises(BadTemplate) as caught:
        render_template(tmp_path, "own", FULL)
    assert caught.value.summary == f"templates/own.Dockerfile.j2: {said}"


def test_mappings_have_keys_before_methods(tmp_path: Path) -> None:
    values = {**FULL, "values": {"items": "mine", "keys": "too"}}
    text = "{{ values.items }} {{ values.keys }} {% for name, value in values | items %}{{ name }}{% endfor %}"
    assert render(tmp_path, text, values).text == "mine too itemskeys"


def test_what_templates_can_do(tmp_path: Path) -> None:
    text = (
        "{% for name, value in env.items() if name != 'END' %}"
        "{{ loop.index }}{{ '' if loop.last else ',' }}{% endfor %}\n\n"
        "{{ component.upper() }} {{ 'x' + 'y' }} {{ 7 // 2 }} {{ 7 / 2 }} {{ ports | map('word') | join(' ') }}\n"
        "{% set ns = namespace(n=0) %}{% for f in files %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}\n"
        "{{ files | selectattr('mode') | list | length }} {{ ['a'] | json }} {{ version[1:] }}\n"
        "{% block end %}done{% endblock %} {{ self.end() }}"
    )
    assert render(tmp_path, text).text == '1,2,3,4\nAGENT xy 3 3.5 80 53/udp\n4\n3 ["a"] 1.2.3\ndone done'


def test_a_value_of_a_strange_kind_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot be given a PosixPath"):
        render(tmp_path, "FROM scratch\n", {**FULL, "values": {"x": tmp_path}})
