"""Lists of a repository: its tags, and what refers to one of its manifests, page by page.

Distribution specification 1.1, "Listing Tags" and "Listing Referrers". A page names the next one in the header Link;
how many there are is bounded, and so is each page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from msgspec.structs import replace

from rearch.errors import StepError
from rearch.formats.printable import printable
from rearch.model.reference import Reference
from rearch.oci.types import OCI_INDEX, Descriptor, Index, read_document
from rearch.registry.caller import Answer, Call, Caller
from rearch.registry.client import RegistryClient
from rearch.registry.documents import MANIFEST_LIMIT
from rearch.registry.errors import NotInRegistry

PAGE = 1000
MOST_PAGES = 1000
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[^\s=;,]+\s*=\s*(?:"[^"]*"|[^\s";,]*))*)')
_NEXT = re.compile(r';\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?', re.IGNORECASE)


class BadListing(StepError):
    """A list that is none, or has no end."""

    def __init__(self, what: str, host: str, why: str) -> None:
        self.what = what
        self.host = host
        self.why = why
        super().__init__(f"{what}: {host} sends no usable list", (why,), hint="tell who runs the registry")


def tags(caller: Caller, place: Reference) -> Iterator[str]:
    """All tags, in the registry's order (lexical, says the specification). Errors: NotInRegistry, BadListing."""
    what = f"{place.place}: tags"
    call = _call(place, f"/v2/{place.repository}/tags/list?n={PAGE}", what, "application/json")
    for answer in _pages(caller, call):
        yield from _tags_of(answer, what, place.registry)


def referrers(client: RegistryClient, reference: Reference, artifact_type: str) -> tuple[Descriptor, ...]:
    """By the API; where there is none, by the tag that stands in for it ("Referrers Tag Schema")."""
    digest = reference.identifier
    what = f"{reference.place}@{digest[:19]}...: referrers"
    query = f"?artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
    call = _call(reference, f"/v2/{reference.repository}/referrers/{digest}{query}", what, OCI_INDEX)
    try:
        found = [entry for answer in _pages(client.caller, call) for entry in _entries(answer.data, what)]
    except NotInRegistry:
        found = _by_tag(client, reference, digest, what)
    # A registry that filtered says so (OCI-Filters-Applied); to do it again changes nothing.
    wanted = [entry for entry in found if not artifact_type or entry.artifact_type == artifact_type]
    return tuple({entry.digest: entry for entry in wanted}.values())


def _by_tag(client: RegistryClient, reference: Reference, digest: str, what: str) -> list[Descriptor]:
    tag = digest.replace(":", "-")[:128]
    call = _call(reference, f"/v2/{reference.repository}/manifests/{tag}", what, OCI_INDEX)
    answer = client.caller.ask(replace(call, good=(200, 404)), MANIFEST_LIMIT)
    return [] if answer.status == 404 else _entries(answer.data, what)


def _entries(data: bytes, what: str) -> list[Descriptor]:
    return list(read_document(Index, data, what).manifests)


def _call(place: Reference, path: str, what: str, accept: str) -> Call:
    return Call(
        method="GET",
        registry=place.registry,
        path=path,
        what=what,
        scopes=frozenset([f"repository:{place.repository}:pull"]),
        headers={"Accept": accept},
    )


def _pages(caller: Caller, call: Call) -> Iterator[Answer]:
    """Page after page. The next is asked of the same registry, whatever host the link names: proxies hide its own."""
    seen = set()
    while call.path not in seen:
        seen.add(call.path)
        if len(seen) > MOST_PAGES:
            raise BadListing(call.what, call.registry, f"it goes on after {MOST_PAGES} pages")
        answer = caller.ask(call, MANIFEST_LIMIT)
        yield answer
        following = _next(answer)
        if not following:
            return
        call = replace(call, path=following)
    raise BadListing(call.what, call.registry, "it leads back to a page that was there")


def _next(answer: Answer) -> str:
    """Path and query of the next page, empty after the last (RFC 8288)."""
    links = (found for found in _LINK.finditer(answer.headers.get("link", "")[:8192]) if _NEXT.search(found[2]))
    for found in links:
        try:
            parts = urlsplit(urljoin(answer.url, found[1]))
        except ValueError:
            return ""
        return f"{parts.path}?{parts.query}" if parts.query else str(parts.path)
    return ""


def _tags_of(answer: Answer, what: str, host: str) -> list[str]:
    try:
        found: Any = json.loads(answer.data)
        listed = found.get("tags") or []
    except (ValueError, AttributeError, RecursionError):
        raise BadListing(what, host, "it is not JSON, or no object") from None
    if not isinstance(listed, list):
        raise BadListing(what, host, "`tags` is no list")
    wrong = next((tag for tag in listed if not isinstance(tag, str) or not _TAG.fullmatch(tag)), None)
    if wrong is not None:
        raise BadListing(what, host, f"{printable(str(wrong)[:80])!r} is no tag")
    return listed
