"""One application -> what one kind of environment is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from rearch.model.application import Application, HostsFile
from rearch.model.base import Fault
from rearch.placing.cattle import cattle_files, cattle_notes
from rearch.placing.commands import label_script
from rearch.placing.kubernetes import kubernetes_faults, kubernetes_files, kubernetes_notes
from rearch.placing.labels import label_faults
from rearch.placing.marathon import marathon_files, marathon_notes
from rearch.placing.rules import labelled_hosts, several
from rearch.placing.swarm import swarm_files, swarm_notes
from rearch.placing.targets import Placed, PlacedFile, Target


def placing_faults(application: Application, target: Target) -> Iterator[Fault]:
    """What the target cannot be given at all; paths as in the application file."""
    yield from label_faults(application, target)
    if target is Target.KUBERNETES:
        yield from kubernetes_faults(application)


def place(application: Application, target: Target, hosts: HostsFile | None = None) -> Placed:
    """Files, notes and the script that labels. Before: `placing_faults`, and `host_label_faults` of the hosts."""
    sets = several(application) if target is Target.CATTLE else ()
    return Placed(
        target=target,
        files=_files(application, target, hosts),
        notes=_notes(application, target, hosts),
        labels=label_script(target, labelled_hosts(application, hosts), sets),
    )


def _files(application: Application, target: Target, hosts: HostsFile | None) -> tuple[PlacedFile, ...]:
    match target:
        case Target.CATTLE:
            return cattle_files(application)
        case Target.SWARM:
            return swarm_files(application)
        case Target.KUBERNETES:
            return kubernetes_files(application)
        case Target.MARATHON:
            return marathon_files(application, hosts)
    assert_never(target)


def _notes(application: Application, target: Target, hosts: HostsFile | None) -> tuple[str, ...]:
    match target:
        case Target.CATTLE:
            return tuple(cattle_notes(application))
        case Target.SWARM:
            return tuple(swarm_notes(application))
        case Target.KUBERNETES:
            return tuple(kubernetes_notes(application))
        case Target.MARATHON:
            return tuple(marathon_notes(application, hosts))
    assert_never(target)
