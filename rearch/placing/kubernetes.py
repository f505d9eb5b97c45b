"""Kubernetes: one file of workloads, services and claims, for `kubectl apply`.

Fields: the API reference of apps/v1 and core/v1; kubernetes.io/arch is a well-known label that the kubelet sets itself
since 1.14, and its words are Go's: ARMv6 and ARMv7 are both `arm`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rearch.model.application import Application, Port, Service, Volume
from rearch.model.base import Fault
from rearch.model.document import Document
from rearch.placing.targets import PlacedFile

ARCH = "kubernetes.io/arch"
PUBLIC = "-public"
CLAIM = "1Gi"
WEIGHT = 100
_APP, _SERVICE = "app.kubernetes.io/part-of", "app.kubernetes.io/name"

Mapped = dict[str, Document]


def kubernetes_files(application: Application) -> tuple[PlacedFile, ...]:
    """The one file: claims, then for each service its services and its workload."""
    documents = (*_claims(application), *_services(application), *_workloads(application))
    return (PlacedFile(name="kubernetes.yml", documents=documents, comments=tuple(kubernetes_notes(application))),)


def kubernetes_faults(application: Application) -> Iterator[Fault]:
    """Names that this way of writing needs for itself."""
    for name in application.services:
        base = name.removesuffix(PUBLIC)
        if base != name and base in application.services and _published(application.services[base]):
            yield Fault(("services", name), f"for kubernetes, {name} is the Service that publishes the ports of {base}")


def kubernetes_notes(application: Application) -> Iterator[str]:
    """What somebody has to look at."""
    services = application.services
    if volumes := _volume_names(application):
        yield f"claims of {CLAIM} are made for {', '.join(volumes)}: write what is needed, and a storageClassName"
    for name, service in services.items():
        if service.depends_on:
            yield f"{name}: Kubernetes starts everything at once; {name} is restarted until what it needs is there"
        variants = [platform for platform in service.platforms if platform.oci_variant]
        if variants:
            yield f"{name}: nodes call all 32-bit ARM `arm`: {ARCH} does not tell {variants[0].arch_name} from others"
    if any(service.platforms for service in services.values()):
        yield f"before Kubernetes 1.14 nodes have no label {ARCH}: labels.sh sets it"


def _claims(application: Application) -> Iterator[Document]:
    for name in _volume_names(application):
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": _claim(application, name), "labels": {_APP: application.name}},
            "spec": {"accessModes": ("ReadWriteOnce",), "resources": {"requests": {"storage": CLAIM}}},
        }


def _claim(application: Application, volume: str) -> str:
    return f"{application.name}-{volume}"


def _volume_names(application: Application) -> tuple[str, ...]:
    services = application.services.values()
    found = (volume.source for service in services for volume in service.parsed_volumes if not volume.is_folder)
    return tuple(dict.fromkeys(found))


def _services(application: Application) -> Iterator[Document]:
    """One for other services, under the name and the ports that containers have; one for the host's ports.

    Without ports there is still a name: a headless Service answers with the pods' own addresses, at every port.
    """
    for name, service in application.services.items():
        labels = _labels(application, name)
        ports = tuple(_service_port(port, port.container) for port in service.parsed_ports)
        kind: Mapped = {"ports": _unique(ports)} if ports else {"clusterIP": "None"}
        yield _service(name, labels, kind)
        published = tuple(_service_port(port, port.host) for port in _published(service) if port.host is not None)
        if published:
            yield _service(f"{name}{PUBLIC}", labels, {"type": "LoadBalancer", "ports": published})


def _service(name: str, labels: Mapped, kind: Mapped) -> Document:
    metadata: Mapped = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, **kind}}


def _service_port(port: Port, number: int) -> Document:
    protocol = port.protocol.upper()
    name = f"{port.protocol}-{number}"
    return {"name": name, "port": number, "targetPort": port.container, "protocol": protocol}


def _unique(ports: tuple[Document, ...]) -> tuple[Document, ...]:
    """A container's port may be published twice; a Service names it once."""
    return tuple(port for number, port in enumerate(ports) if port not in ports[:number])


def _published(service: Service) -> tuple[Port, ...]:
    return tuple(port for port in service.parsed_ports if port.host is not None)


def _labels(application: Application, name: str) -> Mapped:
    return {_APP: application.name, _SERVICE: name}


def _workloads(application: Application) -> Iterator[Document]:
    for name, service in application.services.items():
        labels = _labels(application, name)
        pod: Mapped = {"metadata": {"labels": labels}, "spec": _pod(application, name, service)}
        yield {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet" if service.is_global else "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {**_scale(service), "selector": {"matchLabels": labels}, "template": pod},
        }


def _scale(service: Service) -> Mapped:
    """A claim is held by one node at a time: the new pod would wait for ever for the old one to let it go."""
    if service.is_global:
        return {}
    claims = any(not volume.is_folder for volume in service.parsed_volumes)
    strategy: Mapped = {"strategy": {"type": "Recreate"}} if claims else {}
    return {"replicas": service.count, **strategy}


def _pod(application: Application, name: str, service: Service) -> Mapped:
    selector: Mapped = {**_one_arch(service), **service.on}
    affinity = _affinity(service)
    volumes = _sources(service)
    keys: Mapped = {
        "nodeSelector": selector,
        "affinity": {"nodeAffinity": affinity} if affinity else {},
        "containers": (_container(name, service),),
        "volumes": tuple(_volume(application, *each) for each in volumes.values()),
    }
    return {key: value for key, value in keys.items() if value}


def _container(name: str, service: Service) -> Mapped:
    volumes = _sources(service)
    ports: tuple[Document, ...] = tuple(map(_container_port, service.parsed_ports))
    keys: Mapped = {
        "name": name,
        "image": service.image,
        "args": tuple(map(_literal, service.command)),
        "env": tuple({"name": key, "value": _literal(value)} for key, value in service.environment.items()),
        "ports": _unique(ports),
        "resources": {"limits": {"memory": str(service.memory)}} if service.memory else {},
        "volumeMounts": tuple(_mount(volumes, volume) for volume in service.parsed_volumes),
    }
    return {key: value for key, value in keys.items() if value}


def _container_port(port: Port) -> Document:
    return {"containerPort": port.container, "protocol": port.protocol.upper()}


def _literal(text: str) -> str:
    """`$(NAME)` is replaced in arguments and variables; `$$` is the character."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _sources(service: Service) -> Mapping[str, tuple[str, Volume]]:
    """Each source once: name of the volume in the pod, and the volume."""
    found: dict[str, tuple[str, Volume]] = {}
    for volume in service.parsed_volumes:
        found.setdefault(volume.source, (f"volume-{len(found)}" if volume.is_folder else volume.source, volume))
    return found


def _volume(application: Application, name: str, volume: Volume) -> Document:
    if volume.is_folder:
        return {"name": name, "hostPath": {"path": volume.source}}
    return {"name": name, "persistentVolumeClaim": {"claimName": _claim(application, volume.source)}}


def _mount(volumes: Mapping[str, tuple[str, Volume]], volume: Volume) -> Document:
    read_only: Mapped = {"readOnly": True} if volume.read_only else {}
    return {"name": volumes[volume.source][0], "mountPath": volume.target, **read_only}


def _one_arch(service: Service) -> Mapped:
    names = _arch_names(service)
    return {ARCH: names[0]} if len(names) == 1 else {}


def _arch_names(service: Service) -> tuple[str, ...]:
    return tuple(sorted({platform.oci_architecture for platform in service.platforms}))


def _affinity(service: Service) -> Mapped:
    names = _arch_names(service)
    hard = [_expression(ARCH, "In", names)] if len(names) > 1 else []
    hard += [_expression(key, "NotIn", (value,)) for key, value in service.not_on.items()]
    soft = [_expression(key, "In", (value,)) for key, value in service.prefer.items()]
    soft += [_expression(key, "NotIn", (value,)) for key, value in service.prefer_not.items()]
    keys: Mapped = {
        "requiredDuringSchedulingIgnoredDuringExecution": _terms(hard) if hard else {},
        "preferredDuringSchedulingIgnoredDuringExecution": tuple(
            {"weight": WEIGHT, "preference": {"matchExpressions": (each,)}} for each in soft
        ),
    }
    return {key: value for key, value in keys.items() if value}


def _terms(expressions: list[Document]) -> Document:
    return {"nodeSelectorTerms": ({"matchExpressions": tuple(expressions)},)}


def _expression(key: str, operator: str, values: tuple[str, ...]) -> Document:
    return {"key": key, "operator": operator, "values": values}
