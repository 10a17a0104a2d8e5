"""The early dialogs of an outgoing call: one for each far end that a 1xx came from (RFC 3261 section 12)."""

from __future__ import annotations

from collections.abc import Iterator

from phone_emulator.sip.body import sdp_of
from phone_emulator.sip.dialog import Dialog, dialog_of_response
from phone_emulator.sip.message import MessageError, Request, Response

from . import reliable
from .voice import Agreement

MAX_FORKS = 20
"""Early dialogs of one INVITE that are followed."""
TERMINATED = 199
"""An early dialog is over (RFC 6228)."""


class Fork:
    """One far end that an INVITE has reached, before it answers."""

    def __init__(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.agreement: Agreement | None = None
        """What it has described, where it has: its sound can be heard."""
        self.agreed = False
        """Whether that was in a reliable response: it is the answer to the INVITE's offer for good."""
        self.order = reliable.InOrder()

    def describe(self, response: Response, offer: bytes, *, reliably: bool) -> bool:
        """Take over the answer to *offer* in a 1xx; whether it carries one.

        The first one that comes reliably counts, any other before it is a forecast (section 13.2.1).
        """
        answer = sdp_of(response)
        if not answer:
            return False
        if not self.agreed:
            self.agreement = Agreement(offer, answer, answered_here=False)
            self.agreed = reliably
        return True

    def confirm(self, invite: Request, response: Response) -> Dialog:
        """The dialog, as the 2xx *response* confirms it (section 13.2.2.4); raises MessageError.

        Its numbers count on: a PRACK may still be on its way.
        """
        final = dialog_of_response(invite, response)
        self.dialog.remote_target = final.remote_target
        self.dialog.route_set = final.route_set
        return self.dialog


class Forks:
    """The early dialogs of one INVITE, by the far end's tag."""

    def __init__(self) -> None:
        self._by_tag: dict[str, Fork] = {}
        self._over: set[str] = set()

    def heard(self, invite: Request, response: Response) -> Fork | None:
        """The fork that a 1xx comes from; None where it makes no dialog: 100, too many, or over.

        Those without a tag come from one peer of RFC 2543 (RFC 3261 section 12.1.2).
        """
        tag = response.to_tag or ""
        if response.status == 100 or tag in self._over:
            return None
        fork = self._by_tag.get(tag)
        if fork is None:
            if response.status == TERMINATED or len(self._by_tag) + len(self._over) >= MAX_FORKS:
                return None
            try:
                fork = Fork(dialog_of_response(invite, response))
            except MessageError:
                return None
            self._by_tag[tag] = fork
        return fork

    def end(self, fork: Fork) -> None:
        """The far end behind *fork* will not answer."""
        self._by_tag.pop(fork.dialog.remote_tag, None)
        self._over.add(fork.dialog.remote_tag)

    def by_tag(self, tag: str) -> Fork | None:
        """The fork with that tag, or None."""
        return self._by_tag.get(tag)

    def answering(self, tag: str) -> Fork | None:
        """The fork whose 1xx are those of who answers with *tag*: its own, else those that named none."""
        return self._by_tag.get(tag) or self._by_tag.get("")

    def confirm(self, invite: Request, response: Response) -> Dialog:
        """The dialog that a 2xx to *invite* makes, early until now or not; raises MessageError."""
        fork = self._by_tag.get(response.to_tag or "")
        if fork is not None:
            return fork.confirm(invite, response)
        dialog = dialog_of_response(invite, response)
        before = self.answering(dialog.remote_tag)
        if before is not None:  # its numbers count on there, too
            dialog.local_cseq = max(dialog.local_cseq, before.dialog.local_cseq)
        return dialog

    def __iter__(self) -> Iterator[Fork]:
        return iter(tuple(self._by_tag.values()))
