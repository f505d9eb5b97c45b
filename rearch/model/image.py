"""The `image:` part of a recipe: what the image starts from, what goes into it, and what it must be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from rearch.model.base import (
    Count,
    Fault,
    FileName,
    Flag,
    FrozenMap,
    FullText,
    Model,
    Name,
    Path,
    RelativePath,
    Says,
    Span,
    Text,
    Variable,
    kind_of,
    refuse,
)
from rearch.model.debian_names import FIXED_GROUPS, FIXED_USERS, DebianName
from rearch.model.frozen import NOTHING
from rearch.model.image_name import OpenImageName
from rearch.model.smoke import Smoke


def _repository(value: str) -> str:
    """OCI distribution specification 1.1, "Pulling manifests": <name>."""
    part = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    if not re.fullmatch(rf"{part}(?:/{part})*", value) or len(value) > 200:
        raise ValueError("a repository has lower-case letters and digits, single . _ - between them, parts split by /")
    return value


def _absolute(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or ".." in parts or "\0" in value or "\n" in value:
        raise ValueError("an absolute path without '..' is wanted")
    return value


def _mode(value: str) -> str:
    if not re.fullmatch(r"0?[0-7]{3,4}", value):
        raise ValueError("a mode has three or four octal digits, as in 0755")
    return value.zfill(4)


def _owner(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]*(?::[a-z0-9_][a-z0-9_-]*)?", value):
        raise ValueError("an owner is written user:group, by name or number")
    return value


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > 2**32 - 2:
        raise ValueError("a number from 0 to 4294967294 is wanted")
    return value


def _account(value: str) -> str:
    """As Debian's adduser takes them (NAME_REGEX)."""
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
        raise ValueError("an account's name has lower-case letters, digits and _ -, and starts with no digit")
    return value


def _suite(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9.-]*", value):
        raise ValueError("a suite is a release's code name, as in bookworm")
    return value


Repository = Annotated[str, AfterValidator(_repository), Says("name of an image, without registry and tag")]
AbsolutePath = Annotated[str, AfterValidator(_absolute), Says("absolute path", "^/")]
Mode = Annotated[str, AfterValidator(_mode), Says("mode (`0755`)", "^0?[0-7]{3,4}$")]
Owner = Annotated[str, AfterValidator(_owner), Says("owner (`user:group`)")]
Identifier = Annotated[str, AfterValidator(_identifier), Says("number of a user or group", "^[0-9]{1,10}$")]
AccountName = Annotated[str, AfterValidator(_account), Says("account", "^[a-z_][a-z0-9_-]{0,31}$")]
Suite = Annotated[str, AfterValidator(_suite), Says("Debian suite (`bookworm`)", "^[a-z][a-z0-9.-]*$")]


class RegistryBase(Model):
    """An image of a registry; its tag is resolved once, into rearch.lock."""

    registry: OpenImageName = Field(
        description="Reference, as in docker.io/library/debian:bookworm-slim or name@sha256:..."
    )


class LayoutBase(Model):
    """An OCI layout on disk."""

    layout: RelativePath = Field(description="Its folder, relative to the project.")
    ref: Text = Field(default="", description="Name inside the layout; empty: the only one.")


class ArchiveBase(Model):
    """A docker archive (docker save), or an OCI layout in a tar file, on disk."""

    archive: RelativePath = Field(description="The file, relative to the project.")
    ref: Text = Field(default="", description="Name inside the archive; empty: the only one.")


class User(Model):
    """A line of /etc/passwd, and its group."""

    uid: Identifier = Field(description="Number of the user.")
    gid: Identifier | None = Field(default=None, description="Number of its group; left out: as uid.")
    group: AccountName | None = Field(default=None, description="Name of its group; left out: as the user.")
    home: AbsolutePath = Field(default="/nonexistent", description="Home folder.")
    shell: AbsolutePath = Field(default="/usr/sbin/nologin", description="Shell.")


class Accounts(Model):
    """What adduser would have written, beside root, nobody and Debian's fixed accounts."""

    users: FrozenMap[AccountName, User] = Field(default=NOTHING, description="Name: user.")
    groups: FrozenMap[AccountName, Identifier] = Field(default=NOTHING, description="Name: number of a further group.")
    members: FrozenMap[AccountName, tuple[AccountName, ...]] = Field(
        default=NOTHING,
        description="Group: users in it.",
    )

    @model_validator(mode="after")
    def _agrees(self) -> Accounts:
        shared = [*_shared_uids(self.users)] or [*_shared_gids(self.users, self.groups)]
        refuse([*shared, *_strangers(self)])
        return self

    @property
    def group_names(self) -> frozenset[str]:
        """All groups that are declared, those of the users too."""
        return frozenset([*self.groups, *(user.group or name for name, user in self.users.items())])


def _shared_uids(users: Mapping[str, User]) -> Iterator[Fault]:
    seen: dict[int, str] = {}
    for name, user in users.items():
        first = seen.setdefault(int(user.uid), name)
        if first != name:
            path = ("users", name, "uid")
            yield Fault(path, f"{user.uid} is the number of {first} already", needs=(path, ("users", first, "uid")))


def _shared_gids(users: Mapping[str, User], groups: Mapping[str, str]) -> Iterator[Fault]:
    """A group has one number, and a number is of one group; several users may be in it."""
    declared: list[tuple[Path, str, int]] = [(("groups", name), name, int(gid)) for name, gid in groups.items()]
    for name, user in users.items():
        field, number = ("uid", user.uid) if user.gid is None else ("gid", user.gid)
        declared.append((("users", name, field), user.group or name, int(number)))
    numbers: dict[str, int] = {}
    names: dict[int, str] = {}
    for path, name, gid in declared:
        if numbers.setdefault(name, gid) != gid:
            yield Fault(path, f"the group {name} has the number {numbers[name]} already, not {gid}")
        elif names.setdefault(gid, name) != name:
            yield Fault(path, f"{gid} is the number of the group {names[gid]} already: write `group: {names[gid]}`?")


def _strangers(accounts: Accounts) -> Iterator[Fault]:
    for group, members in accounts.members.items():
        if group not in accounts.group_names | FIXED_GROUPS:
            yield Fault(("members", group), "there is no such group; declare it under groups")
        for number, user in enumerate(members):
            if user not in accounts.users and user not in FIXED_USERS:
                yield Fault(("members", group, number), f"there is no user {user}; declare it under users")


class Directory(Model):
    """A folder that a maintainer script or a service manager would have made."""

    mode: Mode = Field(default="0755", description="Its mode.")
    owner: Owner = Field(default="root:root", description="Its owner, by name or number.")


class DebianBase(Model):
    """Debian packages, unpacked for the platform without running any of their code."""

    debian: Suite = Field(description="Release to take them from.")
    packages: tuple[DebianName, ...] = Field(min_length=1, description="Packages; apt adds what they depend on.")
    accounts: Accounts = Field(default_factory=Accounts, description="Users and groups.")
    links: FrozenMap[AbsolutePath, Text] = Field(
        default=NOTHING, description="Link: target, as update-alternatives would have set them."
    )
    directories: FrozenMap[AbsolutePath, Directory] = Field(
        default=NOTHING,
        description="Path: folder to make.",
    )
    ca_certificates: Flag = Field(
        default=False, description="Write /etc/ssl/certs/ca-certificates.crt (wants the package ca-certificates)."
    )

    @model_validator(mode="after")
    def _agrees(self) -> DebianBase:
        faults = []
        if self.ca_certificates and "ca-certificates" not in self.packages:
            needs = (("ca_certificates",), ("packages",))
            faults.append(Fault(("ca_certificates",), "the package ca-certificates is not in packages", needs=needs))
        for path in self.links:
            if path in self.directories:
                faults.append(Fault(("links", path), "it is declared as a directory, too"))
        refuse([*faults, *_strange_owners(self)])
        return self


def _strange_owners(base: DebianBase) -> Iterator[Fault]:
    users = base.accounts.users.keys() | FIXED_USERS
    groups = base.accounts.group_names | FIXED_GROUPS
    for path, directory in base.directories.items():
        user, _colon, group = directory.owner.partition(":")
        for name, known, what in ((user, users, "user"), (group, groups, "group")):
            if name and not name.isdigit() and name not in known:
                text = f"there is no {what} {name}; declare it under accounts"
                yield Fault(("directories", path, "owner"), text)


Base = Annotated[
    Annotated[RegistryBase, Tag("registry")]
    | Annotated[LayoutBase, Tag("layout")]
    | Annotated[ArchiveBase, Tag("archive")]
    | Annotated[DebianBase, Tag("debian")],
    Discriminator(
        kind_of("registry", "layout", "archive", "debian"),
        custom_error_type="base_kind",
        custom_error_message="a base has one of the keys registry, layout, archive, debian; left out, it is scratch",
    ),
]


class ImageFile(Model):
    """One thing to copy into the image. Exactly one of `binary`, `source`, `file` says what."""

    binary: FileName | None = Field(default=None, description="A binary or link of this recipe, or of `component`.")
    component: Name | None = Field(default=None, description="Another recipe of the stack, whose binary it is.")
    source: RelativePath | None = Field(default=None, description="A file or folder of the patched source.")
    file: RelativePath | None = Field(default=None, description="A file or folder below the stack's files/.")
    to: AbsolutePath = Field(description="Where to; with a final slash: the folder to put it into.")
    mode: Mode | None = Field(
        default=None, description="Mode; left out: 0755 for what can be run and for folders, else 0644."
    )
    owner: Owner = Field(default="0:0", description="Owner.")

    @model_validator(mode="after")
    def _one(self) -> ImageFile:
        given = [name for name in ("binary", "source", "file") if getattr(self, name) is not None]
        if len(given) != 1:
            refuse([Fault((), "one of binary, source, file is wanted" + (f", not {given}" if given else ""))])
        if self.component is not None and self.binary is None:
            refuse([Fault(("component",), "component goes with binary alone")])
        return self


class Healthcheck(Model):
    """HEALTHCHECK of the image (Docker's; OCI's config has no such field, but engines read it)."""

    test: tuple[Text, ...] = Field(min_length=1, description="Command, without a shell.")
    interval: Span = Field(default=30.0, gt=0, description="Between two checks.")
    timeout: Span = Field(default=30.0, gt=0, description="Longest check.")
    start_period: Span = Field(default=0.0, description="Failures do not count so long.")
    retries: Count = Field(default=3, ge=1, le=1000, description="Failures until it is unhealthy.")


class Allowed(Model):
    """Files that the audit lets pass, with the reason."""

    path: AbsolutePath = Field(description="Path in the image; `*` within a name and `**` over folders match several.")
    reason: FullText = Field(description="Why that is right.")


class Image(Model):
    """The image that a component becomes: one for each platform, joined in an index."""

    repository: Repository = Field(description="Its name; where it is published says what stands before.")
    tag: FullText | None = Field(
        default=None,
        description="Name of the index in output/images; left out: the version, with _ for what no tag has.",
    )
    builder: Literal["embedded", "docker", "buildah"] = Field(
        default="embedded", description="embedded needs no daemon, no root and no emulation, but cannot RUN."
    )
    template: FileName = Field(
        default="scratch-binary",
        description="`templates/<template>.Dockerfile.j2` of the project, else of rearch: see docs/images.md.",
    )
    values: FrozenMap[Variable, Text] = Field(default=NOTHING, description="Texts for the template: `values.NAME`.")
    args: FrozenMap[Variable, Text] = Field(default=NOTHING, description="Build arguments, for ARG.")
    base: Base | None = Field(default=None, description="What it starts from; left out: nothing (scratch).")
    stages: FrozenMap[Name, Base] = Field(
        default=NOTHING,
        description="Further images, for FROM and COPY --from of a template of your own, by name; each as `base`.",
    )
    files: tuple[ImageFile, ...] = Field(
        default=(), description="What is copied into it, each in a layer of its own, binaries last."
    )
    entrypoint: tuple[Text, ...] | None = Field(default=None, description="ENTRYPOINT, without a shell.")
    cmd: tuple[Text, ...] | None = Field(default=None, description="CMD, without a shell.")
    env: FrozenMap[Variable, Text] = Field(default=NOTHING, description="ENV.")
    user: Text = Field(default="", description="USER; empty: the base's.")
    workdir: AbsolutePath | None = Field(default=None, description="WORKDIR.")
    ports: tuple[Text, ...] = Field(default=(), description="EXPOSE, as in 80 or 53/udp.")
    volumes: tuple[AbsolutePath, ...] = Field(default=(), description="VOLUME.")
    stop_signal: Text = Field(default="", description="STOPSIGNAL.")
    healthcheck: Healthcheck | None = Field(default=None, description="HEALTHCHECK.")
    labels: FrozenMap[FullText, Text] = Field(
        default=NOTHING, description="Labels, beside org.opencontainers.image.*, which rearch writes."
    )
    annotations: FrozenMap[FullText, Text] = Field(
        default=NOTHING, description="Annotations of index and manifests, beside org.opencontainers.image.*."
    )
    media_types: Literal["oci", "docker"] = Field(
        default="oci", description="Docker's carry no annotations, but old engines read no others."
    )
    compression: Literal["gzip", "zstd"] = Field(
        default="gzip", description="How layers are compressed; Docker's types know gzip alone."
    )
    audit: tuple[Allowed, ...] = Field(default=(), description="What the audit lets pass though it looks wrong.")
    smoke: tuple[Smoke, ...] = Field(default=(), description="Commands started in the image's own file tree.")

    @model_validator(mode="after")
    def _agrees(self) -> Image:
        faults = []
        if self.media_types == "docker" and self.compression == "zstd":
            faults.append(Fault(("compression",), "Docker's media types know gzip alone", needs=(("media_types",),)))
        for name in self.stages:
            if name in ("base", "scratch"):
                faults.append(Fault(("stages", name), f"{name} is taken: it names image.base or nothing"))
        refuse(faults)
        return self
