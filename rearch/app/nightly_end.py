"""`nightly`, last part: what one night leaves to the next, its record, its page, and the message to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from rearch.engine.nightly import Begun, NightlyFolder, NightlyState, Refused
from rearch.engine.refused import is_refusal
from rearch.report import Reporter, Said
from rearch.reporting.night_record import Night
from rearch.upkeep.notify import message, told_after

if TYPE_CHECKING:
    from rearch.app.nightly_update import Updated
    from rearch.app.request import Request
    from rearch.model.nightly import NotifyPolicy
    from rearch.model.settings import Settings


class Memory:
    """What nights know of those before. `told`: that it was torn, which is said once."""

    def __init__(self, folder: NightlyFolder) -> None:
        self.folder = folder
        self.state, torn = folder.state()
        self.told = (torn,) if torn else ()
        self._torn = bool(torn)

    def keep(self, *, refused: Mapping[str, Refused] | None = None, begun: Mapping[str, Begun] | None = None) -> None:
        """Bring these up to date. Errors: OSError."""
        changed = self.state
        if refused is not None:
            changed = replace(changed, refused=dict(sorted(refused.items())))
        if begun is not None:
            changed = replace(changed, begun=dict(sorted(begun.items())))
        self.write(changed)

    def write(self, state: NightlyState) -> None:
        """Errors: OSError."""
        if state != self.state or self._torn:  # or it would be told again every night
            self.folder.keep(state)
            self.state, self._torn = state, False


class Ending(Struct, frozen=True, kw_only=True):
    """How a night ends. What fails here is a warning: the night is what it was."""

    request: Request
    settings: Settings
    notify: NotifyPolicy
    memory: Memory
    report: Reporter

    def end(self, night: Night, tried: Updated | None) -> None:
        """Record it, and tell people. `tried`: the updates that were built to their end."""
        self._try(lambda: self._record(night, tried), "nightly.json could not be written")
        self._try(self._renew_page, "report.html could not be written")
        self._try(lambda: self._tell(night), "the state of the nightly run could not be written")

    def _record(self, night: Night, tried: Updated | None) -> None:
        """Updates that were built are ended when they are recorded: a night that is killed before that tells nobody
        which files somebody has to commit, so the next one does."""
        self.memory.folder.record(night)
        if tried is not None:
            self.memory.folder.end_trial(tried.later, tried.later_before)

    def _renew_page(self) -> None:
        """The page that the build and the publish have left does not know how the night ended."""
        from rearch.app.report import renew_page

        renew_page(self.request.project / self.settings.output)

    def _try(self, act: Callable[[], None], what: str) -> None:
        try:
            act()
        except OSError as error:
            if not is_refusal(error):
                raise
            self.report(Said(text=f"{what}: {error}", level="warning"))

    def _tell(self, night: Night) -> None:
        """A message that did not get through is due again the next night."""
        policy, state = self.settings.nightly, self.memory.state
        due = message(night, state.told, project=self.request.project.name, policy=self.notify, link=policy.report_url)
        if due is not None:
            from rearch.host.notify import has_addresses, send

            variables, environment = policy.notify_urls, self.request.environment
            troubles = send(due.title, due.body, due.kind, variables, environment)
            for trouble in troubles:
                self.report(Said(text=trouble.words, level="warning"))
            if troubles and has_addresses(variables, environment):
                return
        self.memory.write(replace(state, told=told_after(night, state.told)))
