"""The shell script that labels the hosts. Nothing in it is secret: keys come from the environment when it is run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never
from urllib.parse import urlencode

from rearch.model.platform import Platform
from rearch.placing.kubernetes import ARCH as KUBERNETES_ARCH
from rearch.placing.rules import Labelled
from rearch.placing.targets import Target, arch_labels

Sets = tuple[tuple[Platform, ...], ...]

_HEAD = ("#!/bin/sh", "# Labels the hosts: {what}", "set -eu")

_CATTLE = (
    "# CATTLE_URL is an environment's address, as http://server:8080/v2-beta/projects/1a5; CATTLE_ACCESS_KEY and",
    "# CATTLE_SECRET_KEY are an API key of it. Needs curl and jq. Other labels of a host are kept.",
    "login() {",  # as curl's file of settings has a text; printf is of the shell: no process list shows the key
    """    printf %s "$CATTLE_ACCESS_KEY:$CATTLE_SECRET_KEY" | sed 's/[\\\\"]/\\\\&/g'""",
    "}",
    "call() {",
    """    printf 'user = "%s"\\n' "$(login)" | curl -fsS --config - "$@\"""",
    "}",
    "label() {",
    '    found=$(call --get --data-urlencode "hostname=$1" "$CATTLE_URL/hosts")',
    '    if [ "$(printf %s "$found" | jq \'.data | length\')" != 1 ]; then',
    '        echo "$1: not one host of that name in this environment" >&2',
    "        exit 1",
    "    fi",
    "    id=$(printf %s \"$found\" | jq -r '.data[0].id')",
    '    body=$(printf %s "$found" | jq -c --argjson new "$2" \'{labels: ((.data[0].labels // {}) + $new)}\')',
    '    call -X PUT -H "Content-Type: application/json" -d "$body" "$CATTLE_URL/hosts/$id" >/dev/null',
    '    echo "$1: $2"',
    "}",
)
_MESOS = (
    "# Run on each agent, with a name from below and the flags that it is started with: labels.sh NAME --master=...",
    "# An agent that ran without these attributes has to forget its old self first: rm -f WORK_DIR/meta/slaves/latest",
    "name=$1",
    "shift",
)


def label_script(target: Target, hosts: Sequence[Labelled], sets: Sets) -> str:
    """The script. `sets`: the sets of several platforms that services ask for (rules.several).

    A host without a name is a variable of the script, HOST_FOR_<SERVICE>.
    """
    match target:
        case Target.CATTLE:
            lines = [*_registrations(hosts, sets), *_CATTLE, *_cattle(hosts, sets)]
            what = "Rancher's API, for hosts that are registered"
        case Target.SWARM:
            lines = [*_swarm(hosts)]
            what = "run on a manager. Nodes tell their architecture themselves"
        case Target.KUBERNETES:
            lines = [*_kubernetes(hosts)]
            what = "run where kubectl has a cluster"
        case Target.MARATHON:
            lines = [*_MESOS, *_mesos(hosts, sets)]
            what = "attributes of Mesos agents, set when they start"
        case _:
            assert_never(target)
    head = [line.format(what=what) for line in _HEAD]
    names = [] if target is Target.MARATHON else [*_variables(hosts, lines)]
    return "\n".join([*head, *names, *lines]) + "\n"


def _variables(hosts: Iterable[Labelled], lines: Iterable[str]) -> Iterator[str]:
    """Of those that a line uses: who is not labelled need not be named."""
    used = {word for line in lines for word in line.split()}
    for host in hosts:
        if not host.name and _word(host) in used:
            yield f': "${{{_variable(host)}:?the name of a host for {host.service}}}"'


def _variable(host: Labelled) -> str:
    return f"HOST_FOR_{host.service.upper().replace('-', '_')}"


def _word(host: Labelled) -> str:
    return shlex.quote(host.name) if host.name else f'"${_variable(host)}"'


def _labels(host: Labelled, sets: Sets) -> Mapping[str, str]:
    """With the architecture, for those who cannot see it."""
    arch = arch_labels(host.platform, sets) if host.platform is not None else {}
    return {**arch, **host.labels}


def _registrations(hosts: Iterable[Labelled], sets: Sets) -> Iterator[str]:
    """New hosts get them at once: the first container may be placed before anybody labels them."""
    for host in hosts:
        if labels := _labels(host, sets):
            value = shlex.quote(f"CATTLE_HOST_LABELS={urlencode(labels)}")
            name = host.name or f"a host for {host.service}"
            yield f"# {name}, when it is registered: docker run -e {value} ... (the rest as the server shows it)"


def _cattle(hosts: Iterable[Labelled], sets: Sets) -> Iterator[str]:
    for host in hosts:
        if labels := _labels(host, sets):
            yield f"label {_word(host)} {shlex.quote(json.dumps(labels))}"


def _swarm(hosts: Iterable[Labelled]) -> Iterator[str]:
    for host in hosts:
        if host.labels:
            words = " ".join(f"--label-add {shlex.quote(f'{key}={value}')}" for key, value in host.labels.items())
            yield f"docker node update {words} {_word(host)}"


def _kubernetes(hosts: Iterable[Labelled]) -> Iterator[str]:
    """The architecture too: kubelets before 1.14 do not say it under this name, and later ones say the same."""
    for host in hosts:
        arch = {KUBERNETES_ARCH: host.platform.oci_architecture} if host.platform is not None else {}
        words = " ".join(shlex.quote(f"{key}={value}") for key, value in {**arch, **host.labels}.items())
        if words:
            yield f"kubectl label node {_word(host)} --overwrite {words}"


def _mesos(hosts: Iterable[Labelled], sets: Sets) -> Iterator[str]:
    yield 'case "$name" in'
    for host in hosts:
        if labels := _labels(host, sets):
            text = ";".join(f"{key}:{value}" for key, value in labels.items())
            pattern = shlex.quote(host.name or host.service)
            yield f'    {pattern}) exec mesos-slave --attributes={shlex.quote(text)} "$@" ;;'
    yield '    *) echo "$name: no attributes are known for it" >&2; exit 2 ;;'
    yield "esac"
