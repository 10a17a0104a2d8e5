"""The tones of each country that ``voice.tone.country`` names, as ``voice.tone.*`` would write them.

The countries are those of Yealink's guides. Which frequencies the phone's own firmware has for them is not
published; here they are the country's own. The source is the one that public lists of tones name for it:

- **E.180**: supplement 2 to ITU-T E.180, "Various tones used in national networks" (2003).
- **SIN 350**: BT's. **S002**: ACIF's. **TNA 102**: Telecom New Zealand's. **GOST**: 45.223-2001.
- **[R]**: none is named.

Where a tone is modulated (Japan's and India's ringback), the two frequencies beside the carrier stand for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

CUSTOM = "Custom"


class Tones(NamedTuple):
    """What is heard in a country."""

    source: str
    ringback: str
    """The far end rings."""
    busy: str
    congestion: str
    call_waiting: str
    """Somebody else calls."""


_E180 = "E.180"
_RINGBACK = "425/1000,0/4000"
_BUSY = "425/500,0/500"
_FAST = "425/200,0/200"

COUNTRIES: Mapping[str, Tones] = {
    # Near to what E.180 recommends to all; what the phone has of its own is not known.
    CUSTOM: Tones("[R]", _RINGBACK, _BUSY, "425/250,0/250", "425/200,0/200,425/200,0/4000"),
    "Australia": Tones(
        "S002", "413+438/400,0/200,413+438/400,0/2000", "425/375,0/375", "425/375,0/375",
        "425/200,0/200,425/200,0/4400",
    ),
    "Austria": Tones(_E180, "420/1000,0/5000", "420/400,0/400", "420/200,0/200", "420/40,0/1960"),
    "Belgium": Tones(_E180, "425/1000,0/3000", _BUSY, "425/167,0/167", "1400/175,0/175,1400/175,0/3500"),
    "Brazil": Tones("[R]", _RINGBACK, "425/250,0/250", "425/250,0/250,425/750,0/250", "425/50,0/1000"),
    "Chile": Tones("[R]", "400/1000,0/3000", "400/500,0/500", "400/200,0/200", "400/250,0/8750"),
    "China": Tones(_E180, "450/1000,0/4000", "450/350,0/350", "450/700,0/700", "450/400,0/4000"),
    "Czech": Tones(_E180, _RINGBACK, "425/330,0/330", "425/165,0/165", "425/330,0/9000"),
    "Czech ETSI": Tones("[R]", _RINGBACK, _BUSY, _FAST, "425/200,0/600,425/200,0/3000"),
    "Denmark": Tones(
        _E180, _RINGBACK, _BUSY, _FAST, "!425/200,!0/600,!425/200,!0/3000,!425/200,!0/200,!425/200"
    ),
    "Finland": Tones("[R]", _RINGBACK, "425/300,0/300", _FAST, "425/150,0/150,425/150,0/8000"),
    "France": Tones(_E180, "440/1500,0/3500", "440/500,0/500", "440/250,0/250", "440/300,0/10000"),
    "Germany": Tones(_E180, _RINGBACK, "425/480,0/480", "425/240,0/240", "425/200,0/200,425/200,0/5000"),
    "Great Britain": Tones(
        "SIN 350", "400+450/400,0/200,400+450/400,0/2000", "400/375,0/375", "400/400,0/350,400/225,0/525",
        "400/100,0/4000",
    ),
    "Greece": Tones("[R]", _RINGBACK, "425/300,0/300", _FAST, "425/150,0/150,425/150,0/8000"),
    "Hungary": Tones(_E180, "425/1250,0/3750", "425/300,0/300", "425/300,0/300", "425/40,0/1960"),
    "India": Tones(
        "[R]", "375+425/400,0/200,375+425/400,0/2000", "400/750,0/750", "400/250,0/250",
        "400/200,0/100,400/200,0/7500",
    ),
    "Italy": Tones(_E180, _RINGBACK, _BUSY, _FAST, "425/400,0/100,425/250,0/100,425/150,0/14000"),
    "Japan": Tones("[R]", "384+416/1000,0/2000", "400/500,0/500", "400/500,0/500", "384+416/500,0/8000"),
    "Lithuania": Tones("[R]", _RINGBACK, "425/350,0/350", _FAST, "425/150,0/150,425/150,0/4000"),
    "Mexico": Tones("[R]", _RINGBACK, "425/250,0/250", "425/250,0/250", "425/200,0/600,425/200,0/10000"),
    "Netherlands": Tones(_E180, _RINGBACK, _BUSY, "425/250,0/250", "425/500,0/9500"),
    "New Zealand": Tones(
        "TNA 102", "400+450/400,0/200,400+450/400,0/2000", "400/500,0/500", "400/250,0/250",
        "!400/200,!0/3000,!400/200,!0/3000,!400/200,!0/3000,!400/200",
    ),
    "Norway": Tones("[R]", _RINGBACK, _BUSY, _FAST, "425/200,0/600,425/200,0/10000"),
    "Portugal": Tones("[R]", "425/1000,0/5000", _BUSY, _FAST, "440/300,0/10000"),
    "Russia": Tones("GOST", _RINGBACK, "425/350,0/350", "425/175,0/175", "425/200,0/5000"),
    "Spain": Tones(
        "[R]", "425/1500,0/3000", _FAST, "425/200,0/200,425/200,0/200,425/200,0/600",
        "425/175,0/175,425/175,0/3500",
    ),
    "Sweden": Tones(
        "[R]", "425/1000,0/5000", "425/250,0/250", "425/250,0/750", "425/200,0/500,425/200,0/9100"
    ),
    "Switzerland": Tones(_E180, _RINGBACK, _BUSY, _FAST, "425/200,0/200,425/200,0/4000"),
    "United States": Tones(
        _E180, "440+480/2000,0/4000", "480+620/500,0/500", "480+620/250,0/250", "440/300,0/10000"
    ),
}  # fmt: skip
