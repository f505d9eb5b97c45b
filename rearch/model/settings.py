"""The project's settings, and what a stack says of publishing: without recipes, whose models cost a task's start."""

from __future__ import annotations

from pydantic import Field

from rearch.model.base import Count, Flag, FrozenMap, FullText, Model, Name, PlatformName, Size, Span, Text
from rearch.model.frozen import NOTHING
from rearch.model.image_name import ImageName
from rearch.model.limits import Limits
from rearch.model.nightly import NightlySettings


class PublishSettings(Model):
    """Where `publish` sends a stack's images when no --to is given, and what joins them; flags win."""

    to: tuple[FullText, ...] = Field(
        default=(), description="Places: `registry/prefix`, or `oci:FOLDER` relative to the project."
    )
    tags: tuple[FullText, ...] = Field(
        default=(), description="Tags, with `${{ version }}`, `${{ date }}`, ... in them; left out: each image's own."
    )
    per_arch: Flag = Field(default=False, description="Also a tag for each platform: NAME_arm64, NAME_arm.")
    merge: Flag = Field(default=False, description="Keep platforms of a live index that the build does not have.")
    channel: Text = Field(default="", description="What `${{ channel }}` stands for.")
    adopt: FrozenMap[Name, FrozenMap[PlatformName, ImageName]] = Field(
        default=NOTHING,
        description="Images of others that join ours in the index, to the byte: component, then platform, then where "
        "it is (`docker.io/rancher/agent:v1.2.11`). It takes the place of ours for that platform; with `--to` as well.",
    )


_USUAL = Limits()


class LimitSettings(Model):
    """How much hostile input may cost."""

    archive_bytes: Size = Field(default=_USUAL.archive_bytes, description="Unpacked size of one archive.")
    archive_entries: Count = Field(default=_USUAL.archive_entries, description="Entries of one archive.")
    archive_ratio: Count = Field(default=_USUAL.archive_ratio, description="Unpacked size over packed size.")
    download_bytes: Size = Field(default=_USUAL.download_bytes, description="Size of one download.")
    log_bytes: Size = Field(default=_USUAL.log_bytes, description="Size of one step's log.")

    @property
    def values(self) -> Limits:
        """For those who read no YAML."""
        return Limits(**{name: getattr(self, name) for name in type(self).model_fields})


class GoSettings(Model):
    """Where Go modules come from."""

    proxy: Text = Field(default="", description="GOPROXY; empty: the environment's, else Go's own.")
    sumdb: Text = Field(default="", description="GOSUMDB; empty: the environment's, else Go's own.")


class RegistrySettings(Model):
    """How to reach one registry. Who logs in is in Docker's own config.json."""

    plain_http: Flag | None = Field(default=None, description="HTTP instead of HTTPS; left out: for localhost alone.")
    insecure: Flag = Field(default=False, description="Take any certificate.")


class Settings(Model):
    """rearch.yaml: settings of the project. Every one can be set as REARCH_<NAME> too."""

    stacks: tuple[Name, ...] | None = Field(default=None, description="Stacks built when none is named; left out: all.")
    output: FullText = Field(default="output", description="Folder for results, relative to the project.")
    cache: Text = Field(default="", description="Cache folder; empty: rearch/ in the user's cache folder.")
    jobs: Count = Field(default=0, le=1024, description="Steps at once; 0: the number of usable CPUs.")
    mirrors: FrozenMap[Text, Text] = Field(
        default=NOTHING,
        description="Beginning of a URL or of an image's reference (`docker.io/`): what to put in its place, the "
        "longest first.",
    )
    offline: Flag = Field(default=False, description="Touch no network; what is not cached is an error.")
    timeout: Span = Field(default=30.0, gt=0, description="Longest wait for a server to answer or to go on.")
    step_timeout: Span = Field(default=7200.0, gt=0, description="Longest run of one command of a step.")
    debian_archives: tuple[Text, ...] = Field(
        default=(), description="More roots of Debian archives to look for locked files in, after the host's own."
    )
    builders: FrozenMap[PlatformName, Text] = Field(
        default=NOTHING, description="Platform: Docker engine that builds for it (`ssh://pi4`); else the environment's."
    )
    registries: FrozenMap[Text, RegistrySettings] = Field(
        default=NOTHING,
        description="Host, with its port: how to talk to it. localhost is plain HTTP unless it says otherwise here.",
    )
    go: GoSettings = Field(default_factory=GoSettings, description="Go modules.")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="Against archive and log bombs.")
    nightly: NightlySettings = Field(default_factory=NightlySettings, description="What `nightly` does.")
