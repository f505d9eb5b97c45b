"""What is adopted: flags, stacks, and what goes wrong in words."""

from __future__ import annotations

import pytest

from rearch.model.platform import parse_platform
from rearch.model.reference import BadReference, parse_reference
from rearch.model.settings import PublishSettings
from rearch.planning.publish_actions import origins
from rearch.planning.publish_adopt import Adoption, BadAdoption, NobodyAdopts, adoptions_of, parse_adoption
from rearch.planning.publish_values import Blob, PublishChild, SendBlob, requests

AMD64, ARM64 = parse_platform("amd64"), parse_platform("arm64")
HUB = "docker.io/rancher/agent:v1.2.11"
COMPONENTS = ("rancher/agent", "rancher/healthcheck")


def stack(**adopt: dict[str, str]) -> dict[str, PublishSettings]:
    return {"rancher": PublishSettings.model_validate({"adopt": adopt})}


def test_a_flag_is_read() -> None:
    digest = "sha256:" + "0" * 64
    for text in (f"agent=x86_64@{HUB}", f"rancher/agent=linux/amd64@{HUB}@{digest}"):
        found = parse_adoption(text)
        assert found.platform == AMD64
        assert str(found.reference) == text.partition("@")[2]


@pytest.mark.parametrize("text", ["", "agent", "agent=amd64", f"agent=@{HUB}", f"=amd64@{HUB}", f"amd64@{HUB}"])
def test_a_flag_with_a_part_missing(text: str) -> None:
    with pytest.raises(BadAdoption, match="missing"):
        parse_adoption(text)


@pytest.mark.parametrize(
    "text",
    ["agent=bob:hunter2@example.org/x", *(f"agent={one}@bob:hunter2@example.org/x" for one in ("amd64", "z80"))],
)
def test_no_login_is_shown(text: str) -> None:
    with pytest.raises((BadAdoption, BadReference)) as caught:
        parse_adoption(text)
    assert "hunter2" not in caught.value.render()


def test_an_unknown_platform_is_named() -> None:
    with pytest.raises(BadAdoption) as caught:
        parse_adoption(f"agent=z80@{HUB}")
    assert caught.value.summary == f"--adopt agent=z80@{HUB}: unknown platform 'z80'"


def test_a_flag_wins_over_the_stack_for_its_platform() -> None:
    said = stack(agent={"amd64": HUB, "arm64": "example.org/arm"}, other={"amd64": HUB})
    flag = parse_adoption("agent=amd64@example.org/mine:1")
    found = adoptions_of(COMPONENTS, [flag], said)
    assert [*found] == ["rancher/agent"]
    assert [(str(each.platform), str(each.reference)) for each in found["rancher/agent"]] == [
        ("linux/amd64", "example.org/mine:1"),
        ("linux/arm64", "example.org/arm:latest"),
    ]
    assert adoptions_of(COMPONENTS, [], {}) == {}


def test_a_flag_for_nobody() -> None:
    flag = Adoption(component="agnet", platform=AMD64, reference=parse_reference(HUB))
    with pytest.raises(NobodyAdopts, match="agnet is not published") as caught:
        adoptions_of(COMPONENTS, [flag], {})
    assert caught.value.hint == "did you mean agent?"


def test_what_our_layout_has_is_not_fetched_from_others() -> None:
    def blob(number: int) -> Blob:
        return Blob(media_type="layer", digest=f"sha256:{number:064x}", size=1)

    origin = parse_reference(HUB)
    theirs = PublishChild(platform=AMD64, manifest=blob(1), config=blob(2), layers=(blob(3), blob(4)), origin=origin)
    ours = PublishChild(platform=ARM64, manifest=blob(5), config=blob(6), layers=(blob(3),))
    for children in ((theirs, ours), (ours, theirs)):
        assert origins(children) == {blob(2): origin, blob(3): None, blob(4): origin, blob(6): None}


def test_a_blob_of_others_costs_a_request_more() -> None:
    blob = Blob(media_type="layer", digest="sha256:" + "0" * 64, size=1)
    assert requests(SendBlob(blob=blob, ask=True)) == 3
    assert requests(SendBlob(blob=blob, ask=True, origin=parse_reference(HUB))) == 4
