"""What maintainer scripts would have done, declared: entries over the tree of the packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rearch.formats.accounts import BadAccounts
from rearch.formats.x509_name import BadCertificate
from rearch.model.image import Accounts, Directory
from rearch.model.step_images import DebianOrigin
from rearch.oci.entry import EntryKind, LayerEntry
from rearch.steps.base_certificates import NoCertificates
from rearch.steps.base_extras import DeclaredTwice, declared_entries
from rearch.steps.base_tree import LeavesTree
from tests.unit.formats.test_x509_name import CERTIFICATE

TIME = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "bin").symlink_to("usr/bin")
    return tree


def declared(
    root: Path,
    *,
    links: dict[str, str] | None = None,
    directories: dict[str, Directory] | None = None,
    ca_certificates: bool = False,
) -> dict[str, LayerEntry]:
    origin = DebianOrigin(
        packages=(),
        accounts=Accounts(),
        links=links or {},
        directories=directories or {},
        ca_certificates=ca_certificates,
        time=TIME,
    )
    entries = declared_entries(origin, root)
    assert [entry.path for entry in entries] == sorted(
        (entry.path for entry in entries), key=lambda path: path.split("/")
    )
    assert {entry.mtime for entry in entries} == {TIME}
    return {entry.path: entry for entry in entries}


def test_a_link_lands_where_the_folder_really_is(root: Path) -> None:
    found = declared(root, links={"/bin/sh": "dash", "/etc/alternatives/vi": "/usr/bin/vim.tiny"})
    assert "bin/sh" not in found
    assert (found["usr/bin/sh"].kind, found["usr/bin/sh"].target) == (EntryKind.SYMLINK, "dash")
    assert found["etc/alternatives"].kind is EntryKind.DIRECTORY
    assert "usr/bin" not in found


def test_the_same_link_is_left_alone(root: Path) -> None:
    (root / "usr/bin/sh").symlink_to("dash")
    assert "usr/bin/sh" not in declared(root, links={"/bin/sh": "dash"})


@pytest.mark.parametrize("target", ["bash", "/usr/bin/dash"])
def test_another_link_is_not_replaced(root: Path, target: str) -> None:
    (root / "usr/bin/sh").symlink_to("dash")
    with pytest.raises(DeclaredTwice) as caught:
        declared(root, links={"/usr/bin/sh": target})
    assert (caught.value.found, caught.value.wanted) == ("a link to dash", f"a link to {target}")


def test_what_is_declared_later_finds_what_was_declared_before(root: Path) -> None:
    found = declared(root, directories={"/data": Directory()}, links={"/srv": "data", "/srv/x": "y"})
    assert found["data/x"].target == "y"


def test_a_folder_that_is_there_gets_mode_and_owner(root: Path) -> None:
    (root / "run/app").mkdir(parents=True)
    found = declared(root, directories={"/run/app": Directory(mode="1777", owner="nobody:nogroup")})
    entry = found["run/app"]
    assert (entry.mode, entry.uid, entry.gid) == (0o1777, 65534, 65534)
    assert "run" not in found


@pytest.mark.parametrize("path", ["/usr/bin/tool", "/usr/bin/tool/below"])
def test_a_file_in_the_way_of_a_folder(root: Path, path: str) -> None:
    (root / "usr/bin/tool").write_text("")
    with pytest.raises(DeclaredTwice) as caught:
        declared(root, directories={path: Directory()})
    assert caught.value.path == "/usr/bin/tool"


def test_an_owner_who_is_not_there(root: Path) -> None:
    with pytest.raises(BadAccounts):
        declared(root, directories={"/x": Directory(owner="www-data:root")})


def test_the_masters_of_base_passwd(root: Path) -> None:
    folder = root / "usr/share/base-passwd"
    folder.mkdir(parents=True)
    (folder / "passwd.master").write_text("root:*:0:0:root:/root:/bin/bash\nman:*:6:12:man:/var:/bin/false\n")
    (folder / "group.master").write_text("root:*:0:\nman:*:12:\n")
    found = declared(root)
    content = found["etc/passwd"].content
    assert content is not None
    assert content.read_text() == "root:*:0:0:root:/root:/bin/bash\nman:*:6:12:man:/var:/bin/false\n"


def test_nothing_of_this_host_is_read_or_written(root: Path, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    for name in ("passwd", "group"):
        (host / f"{name}.master").write_text("leaked:*:1:1:::\n")
    (host / "leak.crt").write_bytes(CERTIFICATE)
    (root / "usr/share").mkdir()
    (root / "usr/share/base-passwd").symlink_to(host)
    (root / "usr/share/ca-certificates").symlink_to(host)
    (root / "etc").symlink_to(host)
    with pytest.raises(NoCertificates):
        declared(root, ca_certificates=True)
    assert sorted(path.name for path in host.iterdir()) == ["group.master", "leak.crt", "passwd.master"]
    inside = root / str(host).lstrip("/") / "passwd"
    assert inside.read_text().startswith("root:")
    assert "leaked" not in inside.read_text()


def test_a_path_that_leads_out(root: Path) -> None:
    (root / "up").symlink_to("../../..")
    with pytest.raises(LeavesTree):
        declared(root, links={"/up/x": "y"})


def test_the_root_is_no_folder_to_declare(root: Path) -> None:
    with pytest.raises(LeavesTree):
        declared(root, directories={"/": Directory()})


def certificates(root: Path, *names: str) -> None:
    folder = root / "usr/share/ca-certificates/mozilla"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(CERTIFICATE)


def test_certificates(root: Path) -> None:
    certificates(root, "b (1).crt", "a.crt")
    (root / "usr/share/ca-certificates/mozilla/a.crt").write_bytes(CERTIFICATE.rstrip())
    found = declared(root, ca_certificates=True)
    bundle = found["etc/ssl/certs/ca-certificates.crt"].content
    assert bundle is not None
    assert bundle.read_bytes() == CERTIFICATE * 2
    links = {path.rpartition("/")[2]: entry.target for path, entry in found.items() if entry.kind is EntryKind.SYMLINK}
    assert links == {
        "a.pem": "/usr/share/ca-certificates/mozilla/a.crt",
        "b_=1=.pem": "/usr/share/ca-certificates/mozilla/b (1).crt",
        "3a53e063.0": "a.pem",
        "3a53e063.1": "b_=1=.pem",
    }


def test_a_certificate_that_is_none(root: Path) -> None:
    certificates(root, "a.crt")
    (root / "usr/share/ca-certificates/mozilla/x.crt").write_text("nonsense")
    with pytest.raises(BadCertificate) as caught:
        declared(root, ca_certificates=True)
    assert caught.value.name == "usr/share/ca-certificates/mozilla/x.crt"
