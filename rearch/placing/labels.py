"""What each kind of environment takes for a label: anything else is told with its place, before it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from rearch.model.application import Application, HostsFile, Service
from rearch.model.base import Fault, Path
from rearch.placing.targets import Target

RULES = ("on", "not_on", "prefer", "prefer_not")

# Kubernetes: "Labels and Selectors", Syntax and character set.
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
# Swarmkit (github.com/moby/swarmkit, manager/constraint/constraint.go): `node.labels.` and the key are one such word.
_SWARM_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_SWARM_VALUE = re.compile(r"[A-Za-z0-9:_.*()?+\[\]\\^$|/-]+")
# Mesos: docs/attributes-resources.md, `text` and `labelString`.
_MESOS_KEY = re.compile(r"[A-Za-z0-9_/.-]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|0[xX][0-9a-fA-F.]+|inf|nan|infinity", re.I)
# Cattle reads a rule as key=value, several with commas; `$` begins a variable in compose files, `&` the next label at
# a host's registration.
_CATTLE = re.compile(r"[A-Za-z0-9_.:/@+-]+")
_LONGEST = 255


def label_faults(application: Application, target: Target) -> Iterator[Fault]:
    """Every label of the application that the target does not take; paths as in the file."""
    for name, service in application.services.items():
        for rule in RULES:
            yield from _faults(_labels(service, rule), target, ("services", name, rule))


def label_doubts(application: Application, hosts: HostsFile, targets: Iterable[Target]) -> Iterator[str]:
    """The labels that these kinds of environment do not take: a line for each kind and label."""
    for target in targets:
        faults = (*label_faults(application, target), *host_label_faults(hosts, target))
        yield from dict.fromkeys(f"{fault.path[1]}: {fault.text}" for fault in faults)


def host_label_faults(hosts: HostsFile, target: Target) -> Iterator[Fault]:
    """The same for the file of hosts."""
    for name, host in hosts.hosts.items():
        yield from _faults(host.labels, target, ("hosts", name, "labels"))


def _labels(service: Service, rule: str) -> Mapping[str, str]:
    labels: Mapping[str, str] = getattr(service, rule)
    return labels


def _faults(labels: Mapping[str, str], target: Target, path: Path) -> Iterator[Fault]:
    for key, value in labels.items():
        for problem in (_key_problem(key, target), _value_problem(value, target)):
            if problem:
                yield Fault((*path, key), f"{key}={value}: for {target.value}, {problem}")


def _key_problem(key: str, target: Target) -> str | None:
    match target:
        case Target.CATTLE:
            fits = _CATTLE.fullmatch(key) and len(key) <= _LONGEST
            return None if fits else f"a key has letters, digits and _ . : / @ + -, at most {_LONGEST}"
        case Target.SWARM:
            return None if _SWARM_KEY.fullmatch(key) else "a key has letters, digits and _ . -"
        case Target.KUBERNETES:
            return _qualified_problem(key)
        case Target.MARATHON:
            return None if _MESOS_KEY.fullmatch(key) else "an attribute's name has letters, digits and _ / . -"
    assert_never(target)


def _qualified_problem(key: str) -> str | None:
    prefix, slash, name = key.rpartition("/")
    if not _QUALIFIED.fullmatch(name):
        return "a key has at most 63 letters, digits and _ . -, and starts and ends with a letter or digit"
    if slash and not (_SUBDOMAIN.fullmatch(prefix) and len(prefix) <= 253):
        return "what stands before the / of a key is a DNS name in lower case"
    return None


def _value_problem(value: str, target: Target) -> str | None:
    match target:
        case Target.CATTLE:
            fits = _CATTLE.fullmatch(value) and len(value) <= _LONGEST
            return None if fits else f"a value has letters, digits and _ . : / @ + -, at most {_LONGEST}"
        case Target.SWARM:
            return None if _SWARM_VALUE.fullmatch(value) else "a value has letters, digits and : _ - . / and few others"
        case Target.KUBERNETES:
            if _QUALIFIED.fullmatch(value):
                return None
            return "a value has at most 63 letters, digits and _ . -, and starts and ends with a letter or digit"
        case Target.MARATHON:
            if not _MESOS_KEY.fullmatch(value):
                return "a value has letters, digits and _ / . -"
            number = _NUMBER.fullmatch(value)
            return "Mesos reads this as a number, and writes it otherwise: put a letter before it" if number else None
    assert_never(target)
