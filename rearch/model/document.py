"""A document that is going to be written as YAML or JSON: plain data, in the order in which it is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Document: TypeAlias = "Mapping[str, Document] | tuple[Document, ...] | str | int | float | bool"
