"""Inputs of the steps that make and check images; what these steps leave is told in step.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from msgspec import Struct

from rearch.model.frozen import NOTHING
from rearch.model.key import outside_key
from rearch.model.platform import Platform
from rearch.model.source import DebianPackage

if TYPE_CHECKING:
    # Models of YAML: whoever only performs steps reads none, and making them takes a tenth of a second.
    from rearch.model.image import Accounts, Directory
    from rearch.model.smoke import Smoke


class RegistryOrigin(Struct, frozen=True, kw_only=True):
    """An image of a registry: `digest` is that of the manifest for the platform."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(reference="the digest names its content")

    reference: str
    digest: str


class DiskOrigin(Struct, frozen=True, kw_only=True):
    """An image on disk: `path` relative to the project, `ref` the name inside, `digest` of the file or the layout."""

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(path="the digest names its content")

    path: str
    kind: Literal["layout", "archive"]
    ref: str
    digest: str


class DebianOrigin(Struct, frozen=True, kw_only=True):
    """Debian packages and what their scripts would have done. `time` is what files that we make are dated.

    `suite` is the release, which says whether /bin and the like are links into /usr.
    """

    suite: str = ""
    packages: tuple[DebianPackage, ...]
    accounts: Accounts
    links: Mapping[str, str]
    directories: Mapping[str, Directory]
    ca_certificates: bool
    time: int


class BaseInputs(Struct, frozen=True, kw_only=True):
    """What an image starts from."""

    platform: Platform
    origin: RegistryOrigin | DiskOrigin | DebianOrigin


class ContextFile(Struct, frozen=True, kw_only=True):
    """Something in the build context, under `place`.

    `path` is relative to the `files/` folder of the step in role `role`, or, where that is None, to the project; then
    `digest` is its digest (formats/tree.py, path_digest).
    """

    place: str
    path: str
    role: str | None
    digest: str = ""


class ImageInputs(Struct, frozen=True, kw_only=True):
    """One image for one platform. All texts are final.

    `template` is where the text can be read: errors name its lines. `stages` maps names that FROM can use to roles in
    `needs`; what is not there is no image, but for scratch. `engine` is where the docker builder works, empty for the
    environment's. `made_from`: for a label of the image, where its types have no annotations (planning/inputs.py).
    """

    OUTSIDE_KEY: ClassVar[Mapping[str, str]] = outside_key(
        template="where the text is left for people; the text itself is in the key",
        engine="where it is built, not what",
    )

    platform: Platform
    builder: str
    dockerfile: str
    template: str
    engine: str
    args: Mapping[str, str]
    stages: Mapping[str, str]
    context: tuple[ContextFile, ...]
    annotations: Mapping[str, str]
    media_types: Literal["oci", "docker"]
    compression: Literal["gzip", "zstd"]
    source_date_epoch: int
    made_from: str = ""


class AuditInputs(Struct, frozen=True, kw_only=True):
    """`allowed`: pattern of paths -> the reason why that file may be of another architecture."""

    platform: Platform
    allowed: Mapping[str, str]


class ImageSmokeInputs(Struct, frozen=True, kw_only=True):
    """Commands in the image's own file tree. `emulator` as in SmokeInputs."""

    platform: Platform
    checks: tuple[Smoke, ...]
    emulator: str | None


class IndexInputs(Struct, frozen=True, kw_only=True):
    """The index over the images of the roles `image <platform>`; `tag` is its name in the layout. `made_from`: platform
    -> digest over the inputs of its image and checks (planning/inputs.py), where the index can say it."""

    repository: str
    tag: str
    platforms: tuple[Platform, ...]
    annotations: Mapping[str, str]
    media_types: Literal["oci", "docker"]
    made_from: Mapping[str, str] = NOTHING
