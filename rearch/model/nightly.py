"""rearch.yaml, `nightly:`: what one command for cron does every night."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rearch.model.base import Count, Flag, FullText, Model, Says, Span, Text, Variable
from rearch.model.tag import TAG_RULE, is_tag

UpdatePolicy = Literal["none", "branches", "patch", "minor", "all"]
NotifyPolicy = Literal["change", "always", "never"]
_DATED = len("-2024-05-17-99_arm_v6")


def _channel(value: str) -> str:
    if not is_tag(value + "x" * _DATED):
        raise ValueError(f"{TAG_RULE}, and a date has to fit behind a channel")
    return value


Channel = Annotated[str, AfterValidator(_channel), Says("tag", "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,105}$")]


class NightlySettings(Model):
    """What `nightly` does where no flag says otherwise."""

    update: UpdatePolicy = Field(
        default="branches",
        description="What is brought up to date: nothing; `branches`: entries of rearch.lock that are named by "
        "something that moves (branches, tags of base images, Debian packages); `patch` and `minor`: newer versions of "
        "that line as well, as `bump` takes them; `all`: tags that have moved as well, but no newer versions. "
        "A recipe's `watch.update` says otherwise.",
    )
    to: tuple[FullText, ...] = Field(
        default=(), description="Where nightly images go; left out: where `publish` sends those of each stack."
    )
    channel: Channel = Field(
        default="nightly", description="Tag of the newest night; the dated ones are `CHANNEL-2024-05-17`."
    )
    prune_keep: Count = Field(default=14, ge=1, description="Newest dated tags of a repository that are kept.")
    prune_age: Span = Field(default=30 * 86400.0, description="Younger dated tags are kept, too.")
    prune_apply: Flag = Field(default=False, description="Really remove; else it is told what would be removed.")
    notify: NotifyPolicy = Field(
        default="change", description="When messages are sent: when it begins or ends to fail, every night, never."
    )
    notify_urls: tuple[Variable, ...] = Field(
        default=("REARCH_NOTIFY_URLS",),
        description="Environment variables that hold Apprise URLs, one or more with blanks between them.",
    )
    report_url: Text = Field(default="", description="Where people find report.html; a link in every message.")
