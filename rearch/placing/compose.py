"""What the compose files of Cattle and Swarm have in common."""

from __future__ import annotations

from rearch.model.application import Application, Service
from rearch.model.document import Document


def compose_service(service: Service) -> dict[str, Document]:
    """The keys that version 2 and 3 write alike. Empty ones are left out."""
    keys: dict[str, Document] = {
        "image": _literal(service.image),
        "command": tuple(map(_literal, service.command)),
        "environment": {name: _literal(value) for name, value in service.environment.items()},
        "ports": service.ports,
        "volumes": tuple(_literal(str(volume)) for volume in service.parsed_volumes),
        "depends_on": service.depends_on,
    }
    return {key: value for key, value in keys.items() if value}


def compose_volumes(application: Application) -> dict[str, Document]:
    """The named volumes, which a file of version 2 or 3 has to declare, in the order of their first use."""
    services = application.services.values()
    names = [volume.source for service in services for volume in service.parsed_volumes if not volume.is_folder]
    return {name: {} for name in names}


def _literal(text: str) -> str:
    """`$` begins a variable in these files; `$$` is the character."""
    return text.replace("$", "$$")
