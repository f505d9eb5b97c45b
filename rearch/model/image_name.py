"""References to images, as YAML files have them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from rearch.model.base import FullText, Says
from rearch.model.reference import NO_LOGIN, BadReference, has_login, parse_reference


def _image(value: str) -> str:
    try:
        parse_reference(value)
    except BadReference as error:
        raise ValueError(f"not a reference to an image: at character {error.at + 1}, {error.why}") from None
    return value


def _without_login(value: str) -> str:
    if has_login(value):
        raise ValueError(NO_LOGIN)
    return value


ImageName = Annotated[
    str, AfterValidator(_image), Says("reference to an image (`registry/name:tag`)", types=("string",))
]
# In a recipe, where a part of it may be filled in later: what it names is looked at then, and a login told at once.
OpenImageName = Annotated[FullText, AfterValidator(_without_login)]
