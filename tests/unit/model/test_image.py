"""What the `image:` part of a recipe refuses by itself; tests/unit/config/test_images.py has the places of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from rearch.model.image import (
    ArchiveBase,
    Base,
    DebianBase,
    Directory,
    Healthcheck,
    Image,
    ImageFile,
    LayoutBase,
    RegistryBase,
    User,
)

BASES: TypeAdapter[Any] = TypeAdapter(Base)


def image(**keys: Any) -> Image:
    return Image.model_validate({"repository": "a", **keys})


def file(**keys: Any) -> ImageFile:
    return ImageFile.model_validate({"binary": "a", "to": "/usr/bin/", **keys})


def test_the_least() -> None:
    least = image()
    assert (least.base, least.files, least.builder, least.media_types) == (None, (), "embedded", "oci")
    assert (least.entrypoint, least.cmd, least.healthcheck) == (None, None, None)


def test_values_are_frozen() -> None:
    with pytest.raises(TypeError):
        image(env={"A": "1"}).env["B"] = "2"  # type: ignore[index]
    with pytest.raises(ValidationError):
        image().user = "root"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["a", "cni-plugins", "a/b_c/d.e", "a__b", "a---b", "0"])
def test_repositories(name: str) -> None:
    assert image(repository=name).repository == name


@pytest.mark.parametrize("name", ["", "A", "a:1", "a//b", "/a", "a/", "a..b", "a._b", "-a", "a b", "é", "a" * 201])
def test_repositories_that_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="lower-case letters and digits"):
        image(repository=name)


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"registry": "docker.io/library/debian:bookworm-slim"}, RegistryBase),
        ({"layout": "bases/x", "ref": "1.0"}, LayoutBase),
        ({"archive": "bases/x.tar"}, ArchiveBase),
        ({"debian": "bookworm", "packages": ["haproxy"]}, DebianBase),
    ],
)
def test_a_base_is_known_by_its_key(keys: dict[str, Any], kind: type) -> None:
    assert type(BASES.validate_python(keys)) is kind


@pytest.mark.parametrize("value", [{}, {"distro": "x"}, "debian", [], 7])
def test_what_is_no_base(value: Any) -> None:
    with pytest.raises(ValidationError, match="one of the keys registry, layout, archive, debian"):
        BASES.validate_python(value)


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_bases_on_disk_are_inside_the_project(path: str) -> None:
    for key in ("layout", "archive"):
        with pytest.raises(ValidationError, match="relative path without"):
            BASES.validate_python({key: path})


@pytest.mark.parametrize(
    "keys", [{}, {"binary": "a", "source": "b"}, {"source": "a", "file": "b"}, {"binary": "a", "file": "b"}]
)
def test_a_file_is_one_thing(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="one of binary, source, file is wanted"):
        ImageFile.model_validate({"to": "/x", **keys})


def test_a_component_has_binaries_alone() -> None:
    assert file(component="other").component == "other"
    with pytest.raises(ValidationError, match="component goes with binary alone"):
        ImageFile.model_validate({"file": "a", "component": "other", "to": "/x"})


@pytest.mark.parametrize("to", ["usr/bin", "", "/a/../b", "/a\nb", "/a\0b"])
def test_where_to_is_absolute(to: str) -> None:
    with pytest.raises(ValidationError, match="absolute path without"):
        file(to=to)


@pytest.mark.parametrize(("mode", "read"), [("755", "0755"), ("0755", "0755"), ("4755", "4755"), ("1777", "1777")])
def test_modes(mode: str, read: str) -> None:
    assert file(mode=mode).mode == read
    assert Directory(mode=mode).mode == read


@pytest.mark.parametrize("mode", ["", "75", "0o755", "888", "u+x", "007755", "0x755"])
def test_modes_that_are_refused(mode: str) -> None:
    with pytest.raises(ValidationError, match="three or four octal digits"):
        file(mode=mode)


@pytest.mark.parametrize("owner", ["0:0", "haproxy:haproxy", "_apt", "33:www-data"])
def test_owners(owner: str) -> None:
    assert file(owner=owner).owner == owner


@pytest.mark.parametrize("owner", ["", ":", "a:", "a:b:c", "A:b", "a b", "-x:0"])
def test_owners_that_are_refused(owner: str) -> None:
    with pytest.raises(ValidationError, match="user:group"):
        file(owner=owner)


@pytest.mark.parametrize("uid", ["-1", "4294967295", "x", "", "1.0", "0x10"])
def test_numbers_of_accounts(uid: str) -> None:
    assert User(uid="4294967294").gid is None
    with pytest.raises(ValidationError, match="number from 0 to 4294967294"):
        User(uid=uid)


@pytest.mark.parametrize("name", ["Haproxy", "0x", "a" * 33, "a b", "a:b"])
def test_names_of_accounts(name: str) -> None:
    with pytest.raises(ValidationError, match="an account's name"):
        BASES.validate_python({"debian": "bookworm", "packages": ["x1"], "accounts": {"users": {name: {"uid": "1"}}}})


@pytest.mark.parametrize("name", ["base", "scratch"])
def test_names_of_stages_that_are_taken(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} is taken"):
        image(stages={name: {"registry": "x"}})


def test_dockers_types_know_no_zstd() -> None:
    assert image(media_types="docker").compression == "gzip"
    with pytest.raises(ValidationError, match="Docker's media types know gzip alone"):
        image(media_types="docker", compression="zstd")


def test_a_healthcheck() -> None:
    check = Healthcheck.model_validate({"test": ["true"], "interval": "1m", "timeout": "500ms", "retries": "5"})
    assert (check.interval, check.timeout, check.start_period, check.retries) == (60.0, 0.5, 0.0, 5)


@pytest.mark.parametrize(
    "keys", [{"test": []}, {"interval": "0s"}, {"timeout": "0s"}, {"retries": "0"}, {"retries": "1001"}]
)
def test_healthchecks_that_are_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Healthcheck.model_validate({"test": ["true"], **keys})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"links": {"usr/bin/awk": "mawk"}}, "absolute path without"),
        ({"packages": []}, "at least 1 item"),
        ({"packages": ["-o"]}, "Debian package's name"),
        ({"debian": "Bookworm"}, "code name"),
        ({"ca_certificates": "true"}, "ca-certificates is not in packages"),
        ({"directories": {"/run/x": {"owner": "nobody1:root"}}}, "there is no user nobody1"),
    ],
)
def test_debian_bases_that_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        DebianBase.model_validate({"debian": "bookworm", "packages": ["haproxy"], **keys})
