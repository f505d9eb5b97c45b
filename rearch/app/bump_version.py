"""`bump`: which version it is that a component gets."""

from __future__ import annotations

from rearch.app.wiring import Adapters
from rearch.config.version_sites import VersionSites, moved
from rearch.errors import UsageError
from rearch.model.recipe import DebianSource, GitSource
from rearch.model.stack import Component
from rearch.model.watch import Watch
from rearch.upkeep.bump import Level, choose
from rearch.upkeep.outdated_tags import TAGS, rank_tags, rule_of


class NoList(UsageError):
    """Nobody says which versions there are."""

    def __init__(self, component: str) -> None:
        super().__init__(
            f"{component}: an archive's server has no list of versions",
            hint="`--to V`, or name a repository with its tags: `watch: {git: URL}` in the recipe",
        )


class OtherTag(UsageError):
    """The tag that was found is not spelled as the recipe spells tags."""

    def __init__(self, component: str, tag: str, before: str, after: str) -> None:
        self.tag = tag
        super().__init__(
            f"{component}: the tag {tag} is not spelled {before}VERSION{after}", hint="`--to V`, or correct `watch:`"
        )


class OfferedVersion(UsageError):
    """A version was given for a recipe that has none."""

    def __init__(self, component: str) -> None:
        self.component = component
        super().__init__(
            f"{component}: its recipe takes the version that apt offers",
            hint="leave --to out, or write `version:` into its source",
        )


def new_version(adapters: Adapters, component: Component, sites: VersionSites, *, to: str, level: Level) -> str:
    """The version that is to be written; empty for a Debian source that has none in the YAML.

    `to`: what the user gave, a version or a tag; empty for the newest of `level`.
    Errors: OfferedVersion, NoList, OtherTag, NothingNewer, VersionUnread; those of asking git and apt.
    """
    source = component.recipe.source
    if isinstance(source, DebianSource) and sites.version is None:
        if to:
            raise OfferedVersion(component.id)
        return ""
    if to:
        return _given(sites, to)
    if isinstance(source, DebianSource):
        return newest_offered(adapters, component.id, source, sites.current, level)
    return _of_tags(adapters, component, sites, level)


def _given(sites: VersionSites, given: str) -> str:
    """`--to` may be the tag too: v1.2 where the recipe says `v${{ version }}`."""
    whole = bool(sites.before or sites.after) and given.startswith(sites.before) and given.endswith(sites.after)
    return given[len(sites.before) : len(given) - len(sites.after)] if whole else given


def newest_offered(adapters: Adapters, component: str, source: DebianSource, current: str, level: Level) -> str:
    """Of the versions that apt offers, the newest of a level. Errors: NothingNewer, VersionUnread; those of apt.

    Debian's versions are ranked as tags are. What has a `~` counts: it is in the release that apt is set up for.
    """
    rule = rule_of("", current, Watch(tags="(?P<version>.+)", scheme="debian", pre=True))
    offered = {TAGS + version: "" for version in adapters.debian.versions(source.debian)}
    return choose(component, rank_tags(offered, rule), rule, level).version.text


def _of_tags(adapters: Adapters, component: Component, sites: VersionSites, level: Level) -> str:
    from rearch.host.sources.git_listing import GitListing

    source, watch = component.recipe.source, component.recipe.watch
    ref = source.ref if isinstance(source, GitSource) else ""
    url = watch.git if watch and watch.git else source.git if isinstance(source, GitSource) else ""
    if not url:
        raise NoList(component.id)
    prefix = TAGS if ref.startswith(TAGS) else ""  # a ref may be written in full
    rule = rule_of(ref.removeprefix(prefix), sites.current.removeprefix(prefix), watch)
    ranked = rank_tags(GitListing(adapters.git_settings).refs(url), rule)
    tag = choose(component.id, ranked, rule, level)
    if sites.beside or not ref:  # the version itself is written, the tag's spelling may differ from it
        return moved(sites.current, rule.current.text if rule.current else "", tag.version.text)
    name = prefix + tag.name
    if not (name.startswith(sites.before) and name.endswith(sites.after)):
        raise OtherTag(component.id, tag.name, sites.before, sites.after)
    return name[len(sites.before) : len(name) - len(sites.after)]
