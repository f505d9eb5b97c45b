"""The manifest for kubectl: workloads, services, claims."""

from __future__ import annotations

from typing import Any

import pytest

from rearch.placing.render import placing_faults
from rearch.placing.targets import Target
from tests.support.placing import application, placed, plain


def documents(services: str) -> dict[tuple[str, str], Any]:
    """By kind and name; every document has both, and no pair is there twice."""
    found = [plain(each) for each in placed(services, Target.KUBERNETES).files[0].documents]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def pod(keys: str) -> Any:
    return documents(f"web: {{{keys}}}")["Deployment", "web"]["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("keys", "selector"),
    [
        ("", None),
        ("on: {type: raspberry, disk: ssd}", {"type": "raspberry", "disk": "ssd"}),
        ("arch: arm64", {"kubernetes.io/arch": "arm64"}),
        ("arch: amd64, on: {a: b}", {"kubernetes.io/arch": "amd64", "a": "b"}),
        ("arch: arm/v7", {"kubernetes.io/arch": "arm"}),
        ("arch: [arm/v6, arm/v7]", {"kubernetes.io/arch": "arm"}),
    ],
)
def test_what_a_node_must_have(keys: str, selector: dict[str, str] | None) -> None:
    assert pod(keys).get("nodeSelector") == selector


def test_what_a_node_must_not_have_and_one_of_several() -> None:
    required = pod("arch: [arm64, amd64], not_on: {type: vm, a: b}")["affinity"]["nodeAffinity"]
    assert required == {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [
                {
                    "matchExpressions": [
                        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
                        {"key": "type", "operator": "NotIn", "values": ["vm"]},
                        {"key": "a", "operator": "NotIn", "values": ["b"]},
                    ]
                }
            ]
        }
    }


def test_what_it_should_have_has_weights() -> None:
    affinity = pod("prefer: {disk: ssd}, prefer_not: {type: vm}")["affinity"]["nodeAffinity"]
    assert affinity == {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": 100,
                "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]},
            },
            {
                "weight": 100,
                "preference": {"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["vm"]}]},
            },
        ]
    }


def test_workloads_select_their_own_pods() -> None:
    found = documents("a: {replicas: 2}\nb: {replicas: global}")
    assert found["Deployment", "a"]["spec"]["replicas"] == 2
    assert "replicas" not in found["DaemonSet", "b"]["spec"]
    for kind, name in (("Deployment", "a"), ("DaemonSet", "b")):
        workload = found[kind, name]
        labels = {"app.kubernetes.io/part-of": "app", "app.kubernetes.io/name": name}
        assert workload["apiVersion"] == "apps/v1"
        assert workload["spec"]["selector"] == {"matchLabels": labels}
        assert workload["spec"]["template"]["metadata"] == {"labels": labels}
        assert found["Service", name]["spec"]["selector"] == labels


def test_services_inside_outside_and_without_ports() -> None:
    found = documents("db: {}\nweb: {ports: ['8080:80', '8081:80', '53:53/udp', '9000']}")
    assert found["Service", "db"]["spec"]["clusterIP"] == "None"
    assert ("Service", "db-public") not in found
    assert found["Service", "web"]["spec"]["ports"] == [
        {"name": "tcp-80", "port": 80, "targetPort": 80, "protocol": "TCP"},
        {"name": "udp-53", "port": 53, "targetPort": 53, "protocol": "UDP"},
        {"name": "tcp-9000", "port": 9000, "targetPort": 9000, "protocol": "TCP"},
    ]
    public = found["Service", "web-public"]["spec"]
    assert public["type"] == "LoadBalancer"
    assert [(port["port"], port["targetPort"]) for port in public["ports"]] == [(8080, 80), (8081, 80), (53, 53)]


def test_volumes_are_claims_and_folders_of_the_node() -> None:
    found = documents("a: {volumes: ['db:/db', 'db:/again:ro', '/srv:/srv:ro'], memory: 1M}\nb: {volumes: ['db:/x']}")
    assert [name for kind, name in found if kind == "PersistentVolumeClaim"] == ["app-db"]
    spec = found["Deployment", "a"]["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["template"]["spec"]["volumes"] == [
        {"name": "db", "persistentVolumeClaim": {"claimName": "app-db"}},
        {"name": "volume-1", "hostPath": {"path": "/srv"}},
    ]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["volumeMounts"] == [
        {"name": "db", "mountPath": "/db"},
        {"name": "db", "mountPath": "/again", "readOnly": True},
        {"name": "volume-1", "mountPath": "/srv", "readOnly": True},
    ]
    assert container["resources"] == {"limits": {"memory": "1048576"}}


@pytest.mark.parametrize(
    ("value", "written"),
    [("a$b", "a$b"), ("$(A)", "$$(A)"), ("a$$b", "a$$$$b"), ("$A $(B)", "$$A $$(B)"), ("${A}", "${A}")],
)
def test_values_are_not_expanded(value: str, written: str) -> None:
    (container,) = pod(f"environment: {{X: '{value}'}}, command: ['{value}']")["containers"]
    assert container["env"] == [{"name": "X", "value": written}]
    assert container["args"] == [written]


def test_a_service_with_the_name_that_publishing_takes_is_refused() -> None:
    both = application("web: {ports: ['80:80']}\nweb-public: {}")
    (fault,) = placing_faults(both, Target.KUBERNETES)
    assert fault.path == ("services", "web-public")
    assert not [*placing_faults(application("web: {ports: ['80']}\nweb-public: {}"), Target.KUBERNETES)]


def test_what_has_to_be_looked_at_is_said() -> None:
    found = placed("a: {volumes: ['db:/db']}\nb: {arch: arm/v7, depends_on: [a]}", Target.KUBERNETES)
    assert [note.split()[0] for note in found.notes] == ["claims", "b:", "b:", "before"]
    assert "does not tell arm/v7 from others" in found.notes[2]
