"""Which labels each kind of environment takes."""

from __future__ import annotations

import pytest

from rearch.placing.labels import host_label_faults, label_faults
from rearch.placing.targets import Target, UnknownTarget, target_of
from tests.support.placing import application, hosts

C, S, K, M = Target.CATTLE, Target.SWARM, Target.KUBERNETES, Target.MARATHON
LABELS: list[tuple[str, str, set[Target]]] = [
    ("type", "raspberry", set()),
    ("io.rancher.host.docker_version", "1.12", {M}),
    ("example.org/type", "pi", {S}),
    ("Example.org/type", "pi", {S, K}),
    ("/type", "pi", {S, K}),
    ("type/", "pi", {S, K}),
    ("-type", "pi", {K}),
    ("t" * 63, "pi", set()),
    ("t" * 64, "pi", {K}),
    ("t", "v" * 63, set()),
    ("t", "v" * 64, {K}),
    ("t", "v" * 256, {C, K}),
    ("t", "-v", {K}),
    ("t", "a/b", {K}),
    ("t", "a:b", {K, M}),
    ("t", "$HOME", {C, K, M}),
    ("t", "a&b", {C, S, K, M}),
    ("t", "ü", {C, S, K, M}),
    ("t", "7", {M}),
    ("t", "1.10", {M}),
    ("t", "1e3", {M}),
    ("t", "0x1F", {M}),
    ("t", "v7", set()),
    ("t;u", "v", {C, S, K, M}),
]


@pytest.mark.parametrize("rule", ["on", "not_on", "prefer", "prefer_not"])
@pytest.mark.parametrize(("key", "value", "refused"), LABELS, ids=[f"{number}" for number in range(len(LABELS))])
def test_who_takes_which_label(key: str, value: str, refused: set[Target], rule: str) -> None:
    found = application(f"web: {{{rule}: {{'{key}': '{value}'}}}}")
    faults = {target: [*label_faults(found, target)] for target in Target}
    assert {target for target, each in faults.items() if each} == refused
    for target, each in faults.items():
        assert all(fault.path == ("services", "web", rule, key) for fault in each)
        assert all(fault.text.startswith(f"{key}={value}: for {target.value}, ") for fault in each)


def test_labels_of_hosts_too() -> None:
    found = hosts("pi: {arch: arm64, labels: {t: '1.10'}}")
    assert not [*host_label_faults(found, Target.KUBERNETES)]
    (fault,) = host_label_faults(found, Target.MARATHON)
    assert fault.path == ("hosts", "pi", "labels", "t")
    assert "Mesos reads this as a number" in fault.text


def test_kinds_of_environment() -> None:
    assert [target_of(f" {target.value.upper()} ") for target in Target] == [*Target]
    with pytest.raises(UnknownTarget) as caught:
        target_of("nomad")
    assert caught.value.hint == "use cattle, swarm, kubernetes, marathon, or leave --for out for all"
