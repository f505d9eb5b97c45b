"""The application file and the file of hosts: read, checked, with the place of everything that is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

from msgspec.structs import replace

from rearch.config.files import KeyPath, ProjectFiles
from rearch.config.manifest_spec import line_without_login, without_value
from rearch.config.problems import ConfigProblems, Problem
from rearch.config.translate import Target, validate
from rearch.config.yaml_tree import YamlFault
from rearch.model.application import Application, HostsFile
from rearch.model.base import Fault, Model

M = TypeVar("M", bound=Model)


class BadApplication(ConfigProblems):
    """Everything that is wrong in an application file or in a file of hosts. `schema` describes its keys."""

    def __init__(self, problems: Iterable[Problem], schema: str) -> None:
        super().__init__(problems)
        self.schema = schema
        self.hint = self.hint and f"schema/{schema} describes every key"


class ReadFile(Generic[M]):
    """What a file says, as `value`; and the file, so that what turns out to be wrong later is told with its place."""

    def __init__(self, value: M, path: Path, files: ProjectFiles, schema: str) -> None:
        self.value = value
        self._path = path
        self._files = files
        self._schema = schema

    def refuse(self, faults: Iterable[Fault]) -> None:
        """Raise these, each at the value that its path leads to, if there are any. Errors: BadApplication."""
        name = os.path.basename(os.path.realpath(self._path))  # noqa: PTH119
        for fault in faults:
            self._files.value(name, fault.path, fault.text)
        if self._files.problems:
            raise BadApplication(_shown(self._files, name, self._path), self._schema)


def read_application(path: Path) -> ReadFile[Application]:
    """Read an application file, wherever it lies. Errors: BadApplication, with everything that is wrong."""
    return _read(Application, path, "application.json")


def read_hosts(path: Path) -> ReadFile[HostsFile]:
    """Read a file of hosts, wherever it lies. Errors: BadApplication, with everything that is wrong."""
    return _read(HostsFile, path, "hosts.json")


def _read(model: type[M], path: Path, schema: str) -> ReadFile[M]:
    try:
        place = Path(os.path.realpath(path))
    except ValueError:
        raise BadApplication(
            [Problem(file=str(path), line=0, column=0, text="no file can have that name")], schema
        ) from None
    files = ProjectFiles(place.parent)
    value = _checked(model, files, place.name)
    if value is None or files.problems:
        raise BadApplication(_shown(files, place.name, path), schema)
    return ReadFile(value, path, files, schema)


def _checked(model: type[M], files: ProjectFiles, name: str) -> M | None:
    data = files.yaml(name)
    if data is None:
        return None
    value, wrongs = validate(model, data)
    for wrong in wrongs:
        at: KeyPath = wrong.path[:-1] if wrong.target is Target.MISSING else wrong.path
        say = files.key if wrong.target is Target.KEY else files.value
        say(name, at, without_value(wrong).sentence(), wrong.hint)
    return value


def _shown(files: ProjectFiles, name: str, path: Path) -> list[Problem]:
    """The problems under the name that the user gave the file, and without lines in which secrets may stand."""
    secret = _lines_of_values(files, name)
    return [
        replace(
            problem,
            file=str(path),
            source="" if problem.line in secret else line_without_login(problem.source),
        )
        for problem in files.problems
    ]


def _lines_of_values(files: ProjectFiles, name: str) -> frozenset[int]:
    """Where values of `environment` begin: passwords, as often as not. None in a file that is no YAML."""
    try:
        services, depth = files.spot(name, ("services",))
    except (KeyError, YamlFault):
        return frozenset()
    if not depth:
        return frozenset()
    blocks = (service.children.get("environment") for service in services.children.values())
    return frozenset(value.value.line for block in blocks if block for value in block.children.values())
