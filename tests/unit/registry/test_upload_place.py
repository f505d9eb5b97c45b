"""Where an upload goes on, and how far it is."""

from __future__ import annotations

import pytest

from rearch.registry.caller import Answer
from rearch.registry.errors import NotARegistry, UnsafeRedirect
from rearch.registry.upload_place import Upload, bytes_there, next_location, shortest_chunk


def answer(**headers: str) -> Answer:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Answer(status=202, headers=named, data=b"", url="https://example.org:5000/v2/lib/x/blobs/uploads/?mount=y")


def locate(location: str, home: str = "https://example.org:5000") -> str:
    return next_location(answer(location=location), "x", "example.org:5000", home)


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("/v2/lib/x/blobs/uploads/u?a=b%20c&d", "https://example.org:5000/v2/lib/x/blobs/uploads/u?a=b%20c&d"),
        ("u?_state=1==", "https://example.org:5000/v2/lib/x/blobs/uploads/u?_state=1=="),
        ("//storage.example.org/u", "https://storage.example.org/u"),
        ("https://storage.example.org/u#part", "https://storage.example.org/u"),
        ("http://example.org:5000/u", "https://example.org:5000/u"),
    ],
)
def test_locations(location: str, wanted: str) -> None:
    assert locate(location) == wanted


@pytest.mark.parametrize("location", ["ftp://example.org/x", "http://storage.example.org/u?sig=secret", "http://["])
def test_locations_where_we_do_not_go(location: str) -> None:
    with pytest.raises(UnsafeRedirect) as caught:
        locate(location)
    assert "secret" not in caught.value.render()


def test_a_plain_registry_may_lead_anywhere_and_none_must_be_there() -> None:
    assert locate("http://other.example.org/u", "http://example.org:5000") == "http://other.example.org/u"
    assert next_location(answer(), "x", "y", "http://y", needed=False) == ""
    with pytest.raises(NotARegistry):
        next_location(answer(), "x", "y", "http://y")


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ("0-99", 100),
        ("bytes=0-99", 100),
        ("0-0", None),
        ("", None),
        ("5-9", None),
        ("0-x", None),
        ("0-" + "9" * 40, None),
    ],
)
def test_ranges(stated: str, wanted: int | None) -> None:
    assert bytes_there(answer(range=stated)) == wanted


@pytest.mark.parametrize(("stated", "wanted"), [("100", 100), ("", 0), ("-1", 0), ("9" * 40, 0), ("²", 0)])
def test_shortest_chunks(stated: str, wanted: int) -> None:
    assert shortest_chunk(answer(oci_chunk_min_length=stated)) == wanted


def test_what_lets_others_write_is_not_shown() -> None:
    assert "secret" not in repr(Upload(place="x/y", digest="d", location="https://example.org/?_state=secret"))
