"""What the phone does with each torture message, beside what the RFC says of it: the page docs/torture.md.

``python -m tests.sip.torture.table`` writes the page; test_torture.py checks each row, and the page.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.sip.torture.messages import TortureMessage, read

PAGE = Path(__file__).parents[3] / "docs" / "torture.md"
FILES = {
    "valid.txt": "RFC 4475",
    "invalid.txt": "RFC 4475",
    "application.txt": "RFC 4475",
    "ipv6.txt": "RFC 5118",
}
DROPPED = 0
"""Nothing is sent."""


@dataclass(frozen=True, slots=True)
class Row:
    """The outcome of one message."""

    status: int
    """What the phone answers; DROPPED for nothing."""
    asked: str
    """What the RFC asks of who receives it."""
    done: str
    """What the phone does."""
    error: str = ""
    """Part of what ``parse`` says is wrong; empty where it takes the message."""

    @property
    def outcome(self) -> str:
        """The row in a word or two."""
        if self.status == DROPPED:
            return "dropped"
        return f"accepted, {self.status}" if self.status in (180, 200) else f"refused, {self.status}"


NO_REGISTRAR = "read whole; a phone is no registrar"
URI = "Request-URI: expected one URI"

ROWS = {
    "wsinv": Row(481, "valid", "read whole; its To names a dialog that the phone does not have"),
    "intmeth": Row(501, "valid; a method nobody knows", "read whole; the method is unknown"),
    "esc01": Row(180, "valid", "rings"),
    "escnull": Row(405, "valid; the nulls stay escaped", NO_REGISTRAR),
    "esc02": Row(501, "valid; the method is not REGISTER", "read whole; the method is unknown"),
    "lwsdisp": Row(200, "valid", "answers"),
    "longreq": Row(180, "valid", "rings"),
    "dblreq": Row(
        405, "REGISTER valid; what follows is ignored", f"{NO_REGISTRAR}; the INVITE behind it is ignored"
    ),
    "semiuri": Row(200, "valid; the semicolon belongs to the user", "answers"),
    "transports": Row(200, "valid", "answers"),
    "mpart01": Row(
        415, "valid; binary octets in a part", "reads it whole; refuses: the second part is not optional"
    ),
    "unreason": Row(DROPPED, "valid", "read whole; answers no request of the phone"),
    "noreason": Row(DROPPED, "valid", "read whole; answers no request of the phone"),
    "badinv01": Row(400, "400", "refuses: its Via cannot be read"),
    "clerr": Row(400, "400 (over UDP)", "refuses", "Content-Length is 9999"),
    "ncl": Row(400, "an error", "refuses", "Content-Length: expected a number"),
    "scalar02": Row(400, "400", "refuses: CSeq", "CSeq: expected a number below 2**32"),
    "scalarlg": Row(DROPPED, "discard", "drops it: CSeq", "CSeq: expected a number below 2**32"),
    "quotbal": Row(400, "400, or guess the quote", "refuses"),
    "ltgtruri": Row(400, "400, or ignore the brackets", "refuses", URI),
    "lwsruri": Row(400, "400", "refuses", URI),
    "lwsstart": Row(400, "400, or take it", "refuses", URI),
    "trws": Row(400, "400, or take it", "refuses", "SIP version: expected SIP/2.0"),
    "escruri": Row(180, "400, or ignore the header in the URI", "rings; ignores that part of the URI"),
    "baddate": Row(180, "400, or ignore the Date", "rings; a phone does not read Date"),
    "regbadct": Row(405, "400 by a registrar", NO_REGISTRAR),
    "badaspec": Row(200, "400, or take it", "answers; blanks around a URI do not matter"),
    "baddn": Row(200, "400, or take it", "answers; the name is taken as it is"),
    "badvers": Row(505, "505", "refuses", "SIP version: expected SIP/2.0"),
    "mismatch01": Row(400, "400", "refuses", "CSeq names INVITE"),
    "mismatch02": Row(400, "501, or 400", "refuses", "CSeq names INVITE"),
    "bigcode": Row(DROPPED, "discard", "drops it", "status: expected 100 to 699"),
    "badbranch": Row(200, "treat it as having no branch", "answers; matched as RFC 2543 did"),
    "insuf": Row(
        400, "400 if possible", "refuses, with the headers that there are", "From, To, Call-ID: missing"
    ),
    "unkscm": Row(416, "416", "refuses"),
    "novelsc": Row(416, "416", "refuses"),
    "unksm2": Row(405, "not 416; a registrar may refuse it otherwise", NO_REGISTRAR),
    "bext01": Row(420, "420 naming the extensions required", "refuses; Proxy-Require is for proxies"),
    "invut": Row(415, "415 with Accept", "refuses"),
    "regaut01": Row(405, "ignore the scheme, or 401, by a registrar", NO_REGISTRAR),
    "multi01": Row(400, "400", "refuses", "there may be one only"),
    "mcl01": Row(400, "400", "refuses", "Content-Length: there may be one only"),
    "bcast": Row(DROPPED, "discard", "answers no request of the phone"),
    "zeromf": Row(200, "200: it has arrived", "answers"),
    "cparam01": Row(405, "valid, for a registrar", NO_REGISTRAR),
    "cparam02": Row(405, "valid, for a registrar", NO_REGISTRAR),
    "regescrt": Row(405, "valid, for a registrar", NO_REGISTRAR),
    "sdp01": Row(406, "406", "refuses"),
    "inv2543": Row(180, "valid in RFC 2543", "rings; asks for no tag, no branch and no Contact"),
    "ipv6-good": Row(405, "valid", NO_REGISTRAR),
    "ipv6-bad": Row(400, "400", "refuses: the address lacks its brackets"),
    "port-ambiguous": Row(405, "valid; 5070 is part of the address", NO_REGISTRAR),
    "port-unambiguous": Row(405, "valid", NO_REGISTRAR),
    "via-received-param-with-delim": Row(481, "valid", "read whole; no such dialog"),
    "via-received-param-no-delim": Row(200, "valid", "answers"),
    "ipv6-in-sdp": Row(
        400,
        "valid, but its Content-Length is 17 too large",
        "refuses; with the right length, too, where it has no IPv6 (488)",
        "Content-Length",
    ),
    "mult-ip-in-header": Row(481, "valid", "read whole; no such dialog"),
    "mult-ip-in-sdp": Row(
        180, "valid, but its Content-Length is 8 too small", "rings; also with the right length"
    ),
    "ipv4-mapped-ipv6": Row(
        180, "valid, but its Content-Length is 9 too small", "rings; also with the right length"
    ),
    "ipv6-bug-abnf-3-colons": Row(200, "take it", "answers"),
    "ipv6-correct-abnf-2-colons": Row(200, "take it", "answers"),
}
"""By the name of the message."""


def messages() -> dict[str, TortureMessage]:
    """Every message, by name, in the order of the RFCs."""
    return {name: message for file in FILES for name, message in read(file).items()}


def render() -> str:
    """The page."""
    lines = [
        "# Torture messages",
        "",
        "Each message of RFC 4475 and RFC 5118, sent over UDP to a phone that takes calls for any user,",
        "and what comes out. A message that cannot be read is also an event with its reason: the message",
        "view and the capture show it. The messages are in `tests/sip/torture/`, a test for each row is in",
        "`tests/sip/test_torture.py`.",
        "",
        "`python -m tests.sip.torture.table` writes this page.",
    ]
    for rfc in dict.fromkeys(FILES.values()):
        names = [name for file, of in FILES.items() if of == rfc for name in read(file)]
        kinds = Counter(ROWS[name].outcome.partition(",")[0] for name in names)
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        lines += ["", f"## {rfc}", "", f"{len(names)} messages: {counted}.", ""]
        lines += [
            "| Section | Message | | The RFC asks for | Outcome | The phone |",
            "|---|---|---|---|---|---|",
        ]
        for name in names:
            message, row = messages()[name], ROWS[name]
            lines.append(
                f"| {message.section} | `{name}` | {message.title.replace('<', '&lt;')} | {row.asked} "
                f"| {row.outcome} | {row.done} |"
            )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
