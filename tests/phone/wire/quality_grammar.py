"""The grammar of reports on the quality of a call (RFC 6035 section 4.6.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

WORD = r"[-A-Za-z0-9.!%*_+`'~()<>:\\\"/\[\]?]+"
WORD_PLUS = r"[-A-Za-z0-9.!%*_+`'~()<>:\\/\[\]?{}= ]+"
CALL_ID = rf"{WORD}(?:@{WORD})?"
PERCENT = r"\d{1,3}(?:\.\d{1,2})?"
MS = r"\d{1,5}"
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
END = r"IP=(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]+) PORT=\d+ SSRC=0x[0-9a-fA-F]{1,8}"
MAC = r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
NAMED = r"[^<>]*<sips?:[^>]+>|sips?:.+"
INFO = {
    "VQSessionReport": "CallTerm",
    "CallID": CALL_ID,
    "LocalID": NAMED,
    "RemoteID": NAMED,
    "OrigID": NAMED,
    "LocalAddr": END,
    "RemoteAddr": END,
    "LocalGroup": WORD_PLUS,
    "RemoteGroup": WORD_PLUS,
    "LocalMAC": MAC,
    "RemoteMAC": MAC,
}
"""``SessionInfo`` and what stands before it: the lines in their order, and what follows the colon."""
METRICS = {
    "Timestamps": {"START": DATE, "STOP": DATE},
    "SessionDesc": {
        "PT": r"\d{1,3}", "PD": WORD, "SR": r"\d{1,6}", "PPS": r"\d{1,5}", "FD": r"\d{1,4}",
        "FO": r"\d{1,5}", "FPP": r"\d{1,2}", "FMTP": f'"{WORD_PLUS}"', "PLC": "[0-3]", "SSUP": "on|off",
    },
    "JitterBuffer": {"JBA": "[0-3]", "JBR": r"\d{1,2}", "JBN": MS, "JBM": MS, "JBX": MS},
    "PacketLoss": {"NLR": PERCENT, "JDR": PERCENT},
    "BurstGapLoss": {"BLD": PERCENT, "BD": r"\d+", "GLD": PERCENT, "GD": r"\d+", "GMIN": r"\d{1,3}"},
    "Delay": {"RTD": MS, "ESD": MS, "OWD": MS, "SOWD": MS, "IAJ": MS, "MAJ": MS},
    "Signal": {"SL": r"-?\d{1,2}", "NL": r"-?\d{1,2}", "RERL": r"\d{1,3}"},
    "QualityEst": {
        "RLQ": r"\d{1,3}", "RCQ": r"\d{1,3}", "EXTRI": r"\d{1,3}", "EXTRO": r"\d{1,3}",
        "MOSLQ": r"\d(?:\.\d{1,3})?", "MOSCQ": r"\d(?:\.\d{1,3})?", "QoEEstAlg": WORD,
    },
}  # fmt: skip
"""``Metrics``: its lines in their order, the parameters of each in theirs."""
OPTIONAL = {"LocalMAC", "RemoteMAC", *METRICS} - {"Timestamps"}
DIALOG = rf"{CALL_ID}(?:;(?:to|from)-tag={WORD})*"


def follows(text: str) -> bool:
    """Whether *text*, in lines that end in LF, follows section 4.6.1."""
    *found, last = text.split("\n")
    rest = [(name, value.removeprefix(" ")) for name, _, value in (line.partition(":") for line in found)]
    return not last and _of_a_report(rest)


def _of_a_report(rest: list[tuple[str, str]]) -> bool:
    if rest[:1] == [("VQIntervalReport", "")]:
        rest[0] = ("VQSessionReport", "CallTerm")
    good = _took(rest, {name: partial(_matches, INFO[name]) for name in INFO})
    for block in ("LocalMetrics", "RemoteMetrics"):
        if block == "LocalMetrics" or (rest and rest[0] == (block, "")):
            good = good and rest.pop(0) == (block, "")
            good = good and _took(rest, {name: partial(_told, METRICS[name]) for name in METRICS})
    if rest and rest[0][0] == "DialogID":
        good = good and _matches(DIALOG, rest.pop(0)[1])
    return good and not rest


def _took(rest: list[tuple[str, str]], kinds: Mapping[str, Callable[[str], bool]]) -> bool:
    """Take the lines of these *kinds* off *rest*; False where one is wrong, or missing."""
    for name, good in kinds.items():
        if rest and rest[0][0] == name:
            if not good(rest.pop(0)[1]):
                return False
        elif name not in OPTIONAL:
            return False
    return True


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None


def _told(parameters: Mapping[str, str], value: str) -> bool:
    """Whether *value* has some of the *parameters*, in their order."""
    pairs = [pair.partition("=")[::2] for pair in value.split(" ")]
    order = [list(parameters).index(key) if key in parameters else -1 for key, _ in pairs]
    good = all(_matches(parameters.get(key, "$^"), told) for key, told in pairs)
    return good and order == sorted(set(order))


def plain(body: bytes) -> str:
    """*body* in lines that end in LF: each ends in CRLF, and none is empty or folded."""
    text = body.decode()
    assert text.endswith("\r\n")
    found = text[:-2].split("\r\n")
    assert not [line for line in found if not line or line[0].isspace() or "\r" in line or "\n" in line]
    return "".join(f"{line}\n" for line in found)
