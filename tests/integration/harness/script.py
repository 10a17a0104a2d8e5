"""What SIPp says and hears in one call, as a list of steps; written out as a scenario of SIPp's (XML).

A script is for one call, in either role. Nothing is repeated by itself: each message stands in the script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    302: "Moved Temporarily",
    401: "Unauthorized",
    407: "Proxy Authentication Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    486: "Busy Here",
    487: "Request Terminated",
    491: "Request Pending",
}
RTP_STREAM = "[rtpstream_audio_port]"
"""The port of `play` in a session description."""
_CALLER = "<sip:1002@[local_ip]>;tag=caller"
_KEPT = {"via": "Via:", "from": "From:", "to": "To:"}
_VARIABLES = (*_KEPT, "number", "local", "remote", "target")
"""Of the INVITE or REGISTER that came first; then this end and the far end of the dialog, and its target."""


@dataclass(frozen=True, slots=True)
class Step:
    """One element of SIPp's XML, and the variables that it sets."""

    xml: str
    sets: tuple[str, ...] = ()


def sdp(
    direction: Direction | None = "sendrecv",
    version: int = 1,
    port: str = "[media_port]",
    codec: str = "0 PCMU",
    formats: str = "",
    more: Sequence[str] = (),
) -> str:
    """A session description with one format; a *direction* of None is left out.

    *formats*: what the line of the audio lists instead; *more*: further lines.
    """
    payload, _, name = codec.partition(" ")
    lines = [
        "v=0",
        f"o=peer 1 {version} IN IP4 [local_ip]",
        "s=-",
        "c=IN IP4 [media_ip]",
        "t=0 0",
        f"m=audio {port} RTP/AVP {formats or payload}",
        f"a=rtpmap:{payload} {name}/8000",
    ]
    return "\n".join([*lines, *([f"a={direction}"] if direction else []), *more])


# -- hearing -------------------------------------------------------------------------------------------------


def hear(
    what: str | int,
    checks: Mapping[str, str] | None = None,
    *,
    dialog: bool = False,
    keep: str = "",
    **more: str,
) -> Step:
    """Wait for a request (its method) or a response (its status); anything else fails the script.

    Args:
        what: method or status.
        checks: header and the POSIX regular expression that it must match; the number in RSeq is kept.
        dialog: of a response: keep whom it came from, as the far end of the dialog.
        keep: of a request in the dialog: a name under which `reply` answers it later.
        more: the same as *checks*, with ``_`` for ``-``; ``body`` and ``line`` look at the whole message.
    """
    sets: list[str] = []
    actions: list[str] = []
    for where, pattern in {**(checks or {}), **more}.items():
        sets.append(name := f"check@STEP@x{len(sets)}")
        place = 'search_in="msg"' if where in ("body", "line") else _in(where.replace("_", "-") + ":")
        actions.append(f'<ereg regexp={_quoted(pattern)} {place} check_it="true" assign_to="{name}"/>')
    if dialog:
        actions += [_kept("To:", "remote"), _target()]
        sets += ["remote", "target"]
    if "RSeq" in more:
        actions.append(f'<ereg regexp="[0-9]+" {_in("RSeq:")} assign_to="rseq"/>')
        sets.append("rseq")
    if keep:
        actions += [_kept("Via:", f"{keep}via"), _kept("CSeq:", f"{keep}cseq")]
        sets += [f"{keep}via", f"{keep}cseq"]
    kind = "request" if isinstance(what, str) else "response"
    inside = f"<action>{''.join(actions)}</action>" if actions else ""
    return Step(f'<recv {kind}="{what}">{inside}</recv>', tuple(sets))


def hear_first(method: str = "INVITE", tag: str = "a", **checks: str) -> Step:
    """Wait for the request that begins the call, and keep of it what `answer` and `say` need."""
    step = hear(method, checks)
    actions = step.xml.partition("<action>")[2].partition("</action>")[0]
    actions += "".join(_kept(header, name) for name, header in _KEPT.items())
    actions += (
        f'<ereg regexp="[0-9]+" {_in("CSeq:")} assign_to="number"/>{_kept("From:", "remote")}{_target()}'
    )
    return Step(
        f'<recv request="{method}"><action>{actions}</action></recv>{is_fork(tag).xml}',
        (*step.sets, *_VARIABLES),
    )


def _quoted(text: str) -> str:
    """*text* as an attribute; SIPp knows no single quotes around it."""
    return '"' + escape(text, {'"': "&quot;"}) + '"'


def _in(header: str) -> str:
    return f'search_in="hdr" header="{header}"'


def _kept(header: str, name: str) -> str:
    return f'<ereg regexp=".*" {_in(header)} assign_to="{name}"/>'


def _target() -> str:
    return f'<ereg regexp="sip:[^>]*" {_in("Contact:")} assign_to="target"/>'


# -- saying --------------------------------------------------------------------------------------------------


def answer(
    status: int, body: str = "", *, tag: str = "a", method: str = "INVITE", headers: Sequence[str] = ()
) -> Step:
    """Answer the request of `hear_first`, also when others came since."""
    tagged = f";tag={tag}" if status > 100 else ""
    lines = ["Via:[$via]", "From:[$from]", f"To:[$to]{tagged}", "Call-ID: [call_id]"]
    return _response(status, [*lines, f"CSeq: [$number] {method}", *headers], body)


def reply(status: int, body: str = "", *, tag: str = "", kept: str = "", headers: Sequence[str] = ()) -> Step:
    """Answer the request that was heard last, or the one *kept* under a name; *tag* where its To has none."""
    if kept:
        lines = [f"Via:[${kept}via]", "From:[$remote]", "To:[$local]", "Call-ID: [call_id]"]
        return _response(status, [*lines, f"CSeq:[${kept}cseq]", *headers], body)
    tagged = f";tag={tag}" if tag else ""
    lines = ["[last_Via:]", "[last_From:]", f"[last_To:]{tagged}", "[last_Call-ID:]", "[last_CSeq:]"]
    return _response(status, [*lines, *headers], body)


def is_fork(tag: str) -> Step:
    """From here on this end is the branch of the fork with *tag*."""
    return Step(
        f'<nop><action><assignstr assign_to="local" value="[$to];tag={tag}"/></action></nop>', ("local",)
    )


def invite(
    body: str = "",
    *,
    cseq: int = 1,
    branch: str = "invite",
    uri: str = "[$target]",
    headers: Sequence[str] = (),
) -> Step:
    """Call the phone where it has registered, from 1002."""
    assign = f'<assignstr assign_to="local" value={_quoted(" " + _CALLER)}/>'
    sent = _send([*_opening("INVITE", cseq, branch, uri), "Contact: <@CONTACT@>", *headers], body)
    return Step(f"<nop><action>{assign}</action></nop>\n{sent.xml}", ("local",))


def cancel(cseq: int = 1, branch: str = "invite") -> Step:
    """Send the CANCEL of `invite`."""
    return _send(_opening("CANCEL", cseq, branch), "")


def ack_refusal(cseq: int = 1, branch: str = "invite", uri: str = "[$target]") -> Step:
    """Acknowledge the 300-699 to `invite` that was heard last."""
    return _send(_opening("ACK", cseq, branch, uri, "[last_To:]"), "")


def probe() -> Step:
    """Ask the phone for its abilities: the sign that the script has come so far."""
    return _send(_opening("OPTIONS", 1, "options"), "")


def say(method: str, cseq: int, body: str = "", *, branch: str = "", headers: Sequence[str] = ()) -> Step:
    """Send a request in the dialog; *branch* tells it from others, by default its method and number."""
    lines = [
        f"{method} [$target] SIP/2.0",
        _via(branch or f"{method}{cseq}"),
        "From:[$local]",
        "To:[$remote]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Contact: <@CONTACT@>",
        "Max-Forwards: 70",
        *headers,
    ]
    return _send(lines, body)


def pause(milliseconds: int) -> Step:
    """Say nothing; what comes meanwhile must be what the next step waits for."""
    return Step(f'<pause milliseconds="{milliseconds}"/>')


def play(file: Path) -> Step:
    """Send *file*, raw PCMU, as RTP over and over."""
    return Step(f'<nop><action><exec rtp_stream="{file},-1,0"/></action></nop>')


def _opening(
    method: str, cseq: int, branch: str, uri: str = "[$target]", to: str = "To: <sip:1001@[local_ip]>"
) -> list[str]:
    """The head of what goes to the phone's registered contact outside of dialogs."""
    return [
        f"{method} {uri} SIP/2.0",
        _via(branch),
        f"From: {_CALLER}",
        to,
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        "Max-Forwards: 70",
    ]


def _via(branch: str) -> str:
    return f"Via: SIP/2.0/@TRANSPORT@ @VIA@;branch=z9hG4bK[pid]-[call_number]-{branch};rport"


def _response(status: int, lines: Sequence[str], body: str) -> Step:
    contact = ["Contact: <@CONTACT@>"] if 100 < status < 300 else []
    return _send([f"SIP/2.0 {status} {REASONS.get(status, 'Whatever')}", *lines, *contact], body)


def _send(lines: Sequence[str], body: str) -> Step:
    typed = ["Content-Type: application/sdp"] if body.startswith("v=0") else []
    text = "\n".join([*lines, *typed, "Content-Length: [len]", "", body])
    return Step(f"<send><![CDATA[\n\n{text}\n\n]]></send>")


# -- whole ---------------------------------------------------------------------------------------------------


def scenario(name: str, steps: Sequence[Step], values: Mapping[str, str]) -> str:
    """The XML of *steps*; each ``@KEY@`` in them is replaced by its value."""
    # SIPp refuses a variable that is set and never read, unless it stands in a Reference.
    sets = [name.replace("@STEP@", str(n)) for n, step in enumerate(steps) for name in step.sets]
    reference = f'<Reference variables="{",".join(dict.fromkeys(sets))}"/>' if sets else ""
    text = "\n".join(step.xml.replace("@STEP@", str(n)) for n, step in enumerate(steps))
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    head = '<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
    return f'{head}<scenario name="{name}">\n{text}\n{reference}\n</scenario>\n'
