"""`place`: an application file -> what each kind of environment is given; and `place check`: whether that can work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from rearch.app.request import Request
from rearch.errors import ExitCode, RearchError, VerificationError, worst
from rearch.placing.check import ImageFacts, ServiceCheck, check_placement
from rearch.placing.labels import host_label_faults, label_doubts
from rearch.placing.render import place, placing_faults
from rearch.placing.targets import Placed, PlacedFile, Target

if TYPE_CHECKING:
    from rearch.config.application import ReadFile
    from rearch.model.application import Application, HostsFile
    from rearch.registry.client import RegistryClient

LABELS = "labels.sh"
PARALLEL = 4


class PlaceOrder(Struct, frozen=True, kw_only=True):
    """What the flags of `place` say. `hosts`: who gets the labels; without it the script asks for names."""

    file: Path
    targets: tuple[Target, ...]
    hosts: Path | None = None


class WrongPlacement(VerificationError):
    """Services without a host, or images that hosts cannot run. `checks`: those services, with their problems."""

    def __init__(self, checks: Iterable[ServiceCheck]) -> None:
        self.checks = tuple(checks)
        names = ", ".join(check.service for check in self.checks)
        super().__init__(
            f"placement of {names} cannot work",
            [f"{check.service}: {problem}" for check in self.checks for problem in check.problems],
            hint="narrow the rules (`arch: amd64`, `not_on`), or publish the image for the hosts' platforms too"
            " (`rearch publish --merge`)",
        )


class Checked(Struct, frozen=True, kw_only=True):
    """What `place check` found. `errors`: images that could not be read, by name, and WrongPlacement. `notes`: labels
    that some kind of environment does not take."""

    checks: tuple[ServiceCheck, ...]
    errors: tuple[tuple[str, RearchError], ...]
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        return worst([error for _, error in self.errors])


def place_application(order: PlaceOrder) -> tuple[str, tuple[Placed, ...]]:
    """The application's name, and what each target is given. Errors: BadApplication, with all that is wrong."""
    application, hosts = _read(order.file, order.hosts)
    application.refuse(fault for target in order.targets for fault in placing_faults(application.value, target))
    if hosts is not None:
        hosts.refuse(fault for target in order.targets for fault in host_label_faults(hosts.value, target))
    known = hosts.value if hosts is not None else None
    return application.value.name, tuple(place(application.value, target, known) for target in order.targets)


def file_text(file: PlacedFile) -> str:
    """The file's text: YAML or JSON, as its name says."""
    if file.name.endswith(".json"):
        return json.dumps(file.documents[0], indent=2, ensure_ascii=False) + "\n"
    from rearch.config.yaml_write import write_yaml

    return write_yaml(*file.documents, comments=file.comments)


def write_placed(placed: Iterable[Placed], folder: Path, *, apart: bool) -> Iterator[Path]:
    """Write files and scripts below a folder, `apart` in one of its own for each target; the paths, as they are done.

    Errors: OSError.
    """
    from rearch.engine.durable import write_whole

    for each in placed:
        place = folder / each.target.value if apart else folder
        texts = {**{file.name: file_text(file) for file in each.files}, LABELS: each.labels}
        for name, text in texts.items():
            write_whole(place / name, text.encode())
            yield place / name


def place_folder(request: Request, name: str) -> Path:
    """Where the files of an application go when nobody says where: output/place/NAME."""
    from rearch.config.settings import settings_origins

    settings = settings_origins(request.project, environment=request.environment, flags=request.flags)[0]
    return request.project / settings.output / "place" / name


def check_application(request: Request, file: Path, hosts: Path, targets: tuple[Target, ...] = ()) -> Checked:
    """Ask the registry for each image, once. What `targets` do not take is an error; without any, what one of all kinds
    does not take is a note. Errors: BadApplication, HalfALogin; those of images are in the result.
    """
    application, known = _read(file, hosts)
    assert known is not None
    application.refuse(fault for target in targets for fault in placing_faults(application.value, target))
    known.refuse(fault for target in targets for fault in host_label_faults(known.value, target))
    images = _images(request, application.value)
    checks = check_placement(application.value, known.value, images)
    errors = [(name, facts.error) for name, facts in images.items() if facts.error is not None]
    wrong = [check for check in checks if check.problems]
    return Checked(
        checks=checks,
        errors=(*errors, *([(file.name, WrongPlacement(wrong))] if wrong else [])),
        notes=() if targets else tuple(label_doubts(application.value, known.value, Target)),
    )


def _read(file: Path, hosts: Path | None) -> tuple[ReadFile[Application], ReadFile[HostsFile] | None]:
    from rearch.config.application import read_application, read_hosts

    return read_application(file), read_hosts(hosts) if hosts is not None else None


def _images(request: Request, application: Application) -> Mapping[str, ImageFacts]:
    from rearch.app.registries import registry_client
    from rearch.config.settings import settings_origins
    from rearch.host.process import Processes

    settings = settings_origins(request.project, environment=request.environment, flags=request.flags)[0]
    names = tuple(dict.fromkeys(service.image for service in application.services.values()))
    with (
        registry_client(settings, request.environment, Processes()) as client,
        ThreadPoolExecutor(PARALLEL) as threads,
    ):
        found = threads.map(lambda name: _image(client, name), names)
        return dict(zip(names, found, strict=True))


def _image(client: RegistryClient, name: str) -> ImageFacts:
    """What the registry says of an image, or why it says nothing: the other images are looked at all the same."""
    from rearch.model.reference import parse_reference
    from rearch.registry.describe import describe
    from rearch.registry.describe_sources import RegistrySource

    try:
        found = describe(RegistrySource(client, parse_reference(name)))
    except RearchError as error:
        return ImageFacts(error=error)
    platforms = [image.platform for image in found.images if image.platform is not None]
    return ImageFacts(
        platforms=tuple(dict.fromkeys(str(platform.known or platform) for platform in platforms)),
        faults=found.all_faults,
    )
