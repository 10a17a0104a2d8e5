"""What holds of the messages: transactions, ACK, CANCEL, credentials, hang-ups, late answers."""

from __future__ import annotations

from collections.abc import Iterator

from phone_emulator.events import Outcome
from phone_emulator.sip.message import Request, Response
from tests.worlds.invariants.common import WITHOUT_ADDRESS, near
from tests.worlds.recording import Recording, Seen

GIVEN_UP = (Outcome.NO_RESPONSE, Outcome.ICMP, Outcome.SEND_FAILED)


def one_invite_at_a_time(recording: Recording) -> Iterator[str]:
    """Never two live INVITE transactions of one call; one whose connection is lost before a 1xx is none."""
    last: dict[str, Seen] = {}
    for invite in recording.first_invites:
        number = recording.caller(invite).remote
        before, last[number] = last.get(number), invite
        if before is None:
            continue
        answers = [
            response.status
            for seen, response in recording.responses.get(before.branch, ())
            if seen.place < invite.place
        ]
        if any(status >= 200 for status in answers):
            continue
        given_up = recording.end_of.get(id(recording.attempt(before)), len(recording.events))
        if answers or (given_up > invite.place and not recording.cut_off(before, invite.place)):
            yield (
                f"call to {number}: INVITE to {invite.remote} at {invite.at:g} s while the one to "
                f"{before.remote} of {before.at:g} s lives (heard: {answers or 'nothing'})"
            )


def finals_are_acknowledged(recording: Recording) -> Iterator[str]:
    """Every 3xx to 6xx to an INVITE is ACKed at once, to the target of the INVITE, with its branch."""
    full = 64 * recording.config.timers.t1
    for invite in recording.first_invites:
        attempt = recording.attempt(invite)
        for seen, response in recording.responses.get(invite.branch, ()):
            if response.status < 300 or recording.rebooted(invite.place, seen.place):
                continue
            assert attempt.ended is not None
            given_up = attempt.outcome in GIVEN_UP and attempt.status is None and seen.at >= attempt.ended
            if given_up or seen.at > attempt.ended + full:
                continue
            if invite.transport.reliable and response is not _first_final(recording, invite):
                continue  # timer D is zero there: what a server repeats over UDP is not acknowledged again
            acks = [each for each in _requests(recording, "ACK", invite.branch) if each.place > seen.place]
            if not acks or not near(acks[0].at, seen.at) or acks[0].remote != invite.remote:
                where = [f"{each.remote} at {each.at:g} s" for each in acks]
                yield f"{response.status} from {invite.remote} at {seen.at:g} s: ACK to {where or 'nobody'}"


def cancels(recording: Recording) -> Iterator[str]:
    """CANCEL goes to its INVITE's target, with its branch and URI, after a 1xx and before a final."""
    known = {each.branch: each for each in (*recording.first_invites, *recording.changes_asked_for)}
    cancelled: set[str] = set()
    for seen in recording.messages:
        if not seen.sent or seen.request is None or seen.request.method != "CANCEL":
            continue
        if seen.branch in cancelled:
            continue
        cancelled.add(seen.branch)
        invite = known.get(seen.branch)
        if invite is None or invite.request is None:
            yield f"CANCEL to {seen.remote} at {seen.at:g} s belongs to no INVITE"
            continue
        if (seen.remote, seen.transport) != (invite.remote, invite.transport):
            yield f"CANCEL to {seen.remote}, its INVITE to {invite.remote}"
        if seen.request.uri != invite.request.uri or seen.message.cseq.number != invite.message.cseq.number:
            yield f"CANCEL {seen.request.uri}, its INVITE {invite.request.uri}"
        answers = [
            response.status
            for heard, response in recording.responses.get(seen.branch, ())
            if heard.place < seen.place
        ]
        if not answers or answers[-1] >= 200:
            yield f"CANCEL to {seen.remote} at {seen.at:g} s after {answers or 'no answer'}"


def hang_ups(recording: Recording) -> Iterator[str]:
    """After a hang-up no further INVITE leaves, and a CANCEL does as soon as a 1xx allows it."""
    for call in recording.outgoing:
        ending = recording.hung_up(call)
        own = [each for each in recording.first_invites if recording.caller(each) is call]
        if ending is None or call.reason.startswith(WITHOUT_ADDRESS[1]):
            continue
        for each in own:
            if each.place > ending:
                yield f"call to {call.remote}: INVITE to {each.remote} at {each.at:g} s after the hang-up"
        if not own or own[-1].place > ending or call.dialog is not None:
            continue
        invite = own[-1]
        heard = recording.responses.get(invite.branch, ())
        provisional = next((seen for seen, response in heard if response.status < 200), None)
        if provisional is None or recording.rebooted(invite.place, provisional.place):
            continue
        due = max(ending, provisional.place)
        now = recording.events[due].at
        if any(
            response.status >= 200 and (seen.place <= due or near(seen.at, now)) for seen, response in heard
        ):
            continue
        if recording.rebooted(invite.place, due + 1) or recording.cut_off(invite, due):
            continue
        if call.reason.startswith(WITHOUT_ADDRESS) and near(recording.rested_at, now):
            continue  # it was over, so that the end of the world did not wait for it
        if not any(each.place > due for each in _requests(recording, "CANCEL", invite.branch)):
            yield f"call to {call.remote}: no CANCEL to {invite.remote} after the hang-up"


def same_request(recording: Recording) -> Iterator[str]:
    """One request for one server: same Call-ID, From, To; a counted CSeq only after a challenge or a 3xx.

    Or on a new connection, where the one before was lost behind a challenge.
    """
    last: dict[str, Seen] = {}
    for invite in recording.first_invites:
        request = invite.request
        assert request is not None
        before = last.get(request.call_id)
        last[request.call_id] = invite
        if before is None or before.request is None:
            continue
        name = f"INVITE to {invite.remote} at {invite.at:g} s"
        if request.headers.get("From") != before.request.headers.get("From"):
            yield f"{name}: another From"
        heard = recording.responses.get(before.branch, ())
        given_up = recording.end_of.get(id(recording.attempt(before)), invite.place)
        in_time = min(given_up, invite.place)
        finals = [r.status for seen, r in heard if r.status >= 200 and seen.place < in_time]
        again = bool(finals) and (finals[-1] in (401, 407) or 300 <= finals[-1] < 400)
        counted = request.cseq.number - before.request.cseq.number
        if again:
            if invite.remote != before.remote or counted != 1:
                yield f"{name}: after a {finals[-1]} of {before.remote}, CSeq counted by {counted}"
        elif counted == 1 and invite.remote == before.remote and recording.cut_off(before, invite.place):
            continue
        elif counted != 0 or request.uri != before.request.uri:
            yield f"{name}: CSeq counted by {counted}, {before.request.uri} became {request.uri}"


def answers_are_acknowledged(recording: Recording) -> Iterator[str]:
    """Each 2xx draws an ACK; one that nobody waits for any more draws ACK and BYE.

    One behind another final response, of a server that has come to behave otherwise meanwhile, draws nothing:
    the transaction is Completed, and knows no 2xx (RFC 3261 figure 5).
    """
    full = 64 * recording.config.timers.t1
    for invite in recording.first_invites:
        call, attempt = recording.caller(invite), recording.attempt(invite)
        for seen, response in recording.responses.get(invite.branch, ()):
            if not 200 <= response.status < 300:
                continue
            if (_first_final(recording, invite) or response).status >= 300:
                continue
            if recording.rebooted(invite.place, len(recording.events)):
                continue
            assert attempt.ended is not None
            if seen.at >= attempt.ended + full:
                continue
            tag = response.to_tag
            drawn = [
                each.request.method
                for each in recording.messages
                if each.sent
                and each.request is not None
                and (each.place > seen.place or each.request.method == "BYE")
                and (each.request.call_id, each.request.to_tag) == (response.call_id, tag)
            ]
            wanted = call.dialog is not None and call.dialog.remote_tag == tag
            missing = {"ACK"} - set(drawn) if wanted else {"ACK", "BYE"} - set(drawn)
            if missing:
                yield (
                    f"call to {call.remote} ({call.result}): {response.status} of {seen.remote} "
                    f"at {seen.at:g} s draws no {' and no '.join(sorted(missing))}"
                )


def no_password(recording: Recording) -> Iterator[str]:
    """The password is on no wire."""
    secret = recording.account.password.reveal()
    for seen in recording.messages:
        if seen.sent and secret in seen.message.to_bytes().decode(errors="replace"):
            yield f"{seen.message.cseq} to {seen.remote} carries the password"


def _first_final(recording: Recording, invite: Seen) -> Response | None:
    heard = recording.responses.get(invite.branch, ())
    return next((response for _, response in heard if response.status >= 200), None)


def _requests(recording: Recording, method: str, branch: str) -> list[Seen]:
    return [
        seen
        for seen in recording.messages
        if seen.sent
        and isinstance(seen.message, Request)
        and seen.message.method == method
        and seen.branch == branch
    ]
