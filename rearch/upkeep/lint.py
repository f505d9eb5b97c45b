"""All rules of `rearch check`, and what they find in a project."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rearch.upkeep.lint_checks import check_checks
from rearch.upkeep.lint_ignore import apply_ignores
from rearch.upkeep.lint_layers import check_layers
from rearch.upkeep.lint_pins import check_pins
from rearch.upkeep.lint_unused import check_unused
from rearch.upkeep.lint_values import Finding, Severity, World

_E, _W = Severity.ERROR, Severity.WARNING


class Rule(Struct, frozen=True):
    """How bad, and why it matters."""

    severity: Severity
    why: str


RULES: Mapping[str, Rule] = {
    "unlocked": Rule(_W, "the first build takes whatever the name means then; `lock --check` refuses it in CI"),
    "branch": Rule(_E, "a branch moves: two builds of the same recipe are not of the same code"),
    "short-commit": Rule(_W, "part of a hash can come to name several commits, and cannot be fetched by it"),
    "floating-base": Rule(_W, "nobody can say later what `latest` was"),
    "plain-http": Rule(_W, "whoever stands between can read along and choose what arrives"),
    "unused-lock": Rule(_W, "an entry that nobody needs is updated, and reviewed, in vain"),
    "unused-toolchain": Rule(_W, "a compiler that nobody uses is updated in vain"),
    "unused-template": Rule(_W, "what nobody renders nobody tests"),
    "unused-patch": Rule(_E, "who wrote the patch thinks that it is applied"),
    "unused-var": Rule(_W, "who changes it thinks that something changes"),
    "unused-file": Rule(_W, "who changes it thinks that something changes"),
    "unlisted-recipe": Rule(_W, "it is never built, and nothing says so"),
    "unreachable-override": Rule(_W, "it is never read, unless the platform is asked for by name"),
    "shadowed-default": Rule(_W, "who changes it thinks that something changes"),
    "same-value": Rule(_W, "it hides later changes of what it repeats"),
    "empty-pattern": Rule(_E, "an edit that matches everywhere changes what nobody meant"),
    "dead-edit": Rule(_E, "its count cannot be right, so the patch step fails"),
    "no-smoke": Rule(_W, "a program that has the right CPU can still crash at its first instruction"),
    "no-image-smoke": Rule(_W, "a program can run on the build host and lack a library in its image"),
    "poor-summary": Rule(_W, "the line stands in the image's annotations and in reports"),
    "needless-allowance": Rule(_W, "what is let pass without need hides what goes wrong later"),
    "wide-allowance": Rule(_E, "an audit that lets everything pass is none"),
    "fuzz": Rule(_W, "a patch can land in the wrong place and still compile"),
    "empty-expect": Rule(_E, "a check that cannot fail is none"),
    "foreign-run": Rule(_W, "emulation is slow, and runs foreign code on the build host"),
    "run-embedded": Rule(_E, "the image step fails"),
    "bad-ignore": Rule(_E, "it looks as if something were silenced, and it is not"),
    "unused-ignore": Rule(_W, "it would silence something that comes later"),
}


class Checked(Struct, frozen=True, kw_only=True):
    """Findings by place. `silenced`: how many a comment took away."""

    findings: tuple[Finding, ...]
    silenced: int

    def count(self, severity: Severity) -> int:
        return sum(RULES[one.rule].severity is severity for one in self.findings)


def check_world(world: World, texts: Mapping[str, str]) -> Checked:
    """Apply every rule. `texts`: the files that may hold comments for us."""
    found = [*check_pins(world), *check_unused(world), *check_layers(world), *check_checks(world)]
    once = list(dict.fromkeys(found))
    kept, silenced = apply_ignores(once, texts, frozenset(RULES), whole=world.whole)
    ordered = sorted(kept, key=lambda one: (one.place.file, one.place.line, one.place.column, one.rule, one.text))
    return Checked(findings=tuple(ordered), silenced=silenced)
