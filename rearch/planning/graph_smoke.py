"""The smoke checks of a recipe that are for one platform, with their texts final."""

from __future__ import annotations

from rearch.model.platform import Platform
from rearch.model.smoke import Smoke
from rearch.planning.expand import Expander


def checks_here(declared: tuple[Smoke, ...], platform: Platform, expand: Expander) -> tuple[Smoke, ...]:
    """Those for this platform; the same object on every platform where nothing differs."""

    def here() -> tuple[Smoke, ...]:
        wanted = (check for check in declared if check.platforms is None or str(platform) in check.platforms)
        return tuple(_expanded(check, expand) for check in wanted)

    limited = any(check.platforms is not None for check in declared)
    return here() if limited else expand.once(declared, here)


def _expanded(check: Smoke, expand: Expander) -> Smoke:
    texts: dict[str, object] = {"run": expand.texts(check.run), "env": expand.mapping(check.env)}
    if check.expect is not None:
        texts["expect"] = expand.text(check.expect)
    same = all(value is getattr(check, name) for name, value in texts.items())
    return check if same else check.model_copy(update=texts)
