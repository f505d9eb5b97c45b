"""Applications and hosts as values, from the YAML that a user would write."""

from __future__ import annotations

from typing import Any

from rearch.config.yaml_tree import read_yaml
from rearch.model.application import Application, HostsFile
from rearch.model.document import Document
from rearch.placing.render import place
from rearch.placing.targets import Placed, Target


def application(services: str, name: str = "app") -> Application:
    """`services` is the mapping below `services:`, in flow or block style; an image is filled in where none is."""
    data, faults = read_yaml(services)
    assert not faults, faults
    assert isinstance(data, dict)
    filled = {
        key: {"image": "x/y:1", **value} if isinstance(value, dict) else {"image": "x/y:1"}
        for key, value in data.items()
    }
    return Application.model_validate({"name": name, "services": filled})


def hosts(text: str) -> HostsFile:
    """The mapping below `hosts:`."""
    data, faults = read_yaml(text)
    assert not faults, faults
    return HostsFile.model_validate({"hosts": data})


def placed(services: str, target: Target, known: str = "") -> Placed:
    return place(application(services), target, hosts(known) if known else None)


def document(found: Placed, number: int = 0) -> Any:
    """The first document of a file, with lists for tuples: what a reader of the file sees."""
    return plain(found.files[number].documents[0])


def plain(value: Document) -> Any:
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return {key: plain(each) for key, each in value.items()} if isinstance(value, dict) else value
