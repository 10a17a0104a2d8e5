"""What will happen to a line's calls and registrations when servers fail, found by rehearsing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from phone_emulator.config.catalogue import is_ip
from phone_emulator.config.model import AccountConfig
from phone_emulator.lab.behaviour import Behaviour, BehaviourKind
from phone_emulator.lab.nameserver import Behaviour as DnsBehaviour
from phone_emulator.redundancy import hops
from phone_emulator.report.result import CallReport

from . import sentences
from .stage import Site
from .story import Story, fail, well, without_dns
from .words import listed, role

SILENT = Behaviour(BehaviourKind.SILENT)
UNAVAILABLE = Behaviour(BehaviourKind.STATUS, 503)
REFUSED = Behaviour(BehaviourKind.REFUSE)


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that may happen, and what follows from it."""

    name: str
    """For programs: ``primary-silent``."""
    title: str
    sentences: list[str]
    calls: list[CallReport]

    def as_json(self) -> dict[str, Any]:
        """The case as ``explain --format json`` prints it."""
        return {
            "case": self.name,
            "title": self.title,
            "sentences": self.sentences,
            "calls": [call.as_json() for call in self.calls],
        }


def explain(site: Site, account: AccountConfig, destination: str = "1002") -> Iterator[Case]:
    """The cases that mean something to the line *account* of *site*, in order."""
    line = account.index
    story = well(site, line, destination)
    yield Case("well", "All is well", sentences.of_well(story, line), story.calls)
    roles = site.roles(line)
    if roles:
        yield from _servers(site, line, roles, destination)
    if any(not is_ip(hop.host) for hop in hops(account)):
        story = without_dns(site, line, destination)
        yield Case("dns-gone", "DNS is gone", sentences.of_no_dns(story), story.calls)
        story = well(site, line, destination, dns=DnsBehaviour.SILENT)
        title = "The phone restarts while DNS is gone"
        yield Case("restart-without-dns", title, sentences.of_well(story, line), story.calls)


def _servers(site: Site, line: int, roles: list[str], destination: str) -> Iterator[Case]:
    """What servers can do: the first one in each way, then several of them."""
    first = roles[0]
    who = role(first)
    silent = fail(site, line, [first], SILENT, destination, back=True)
    yield _failure(f"{first}-silent", f"{who} is silent", silent)
    title = f"{who} returns after it was silent"
    yield Case(f"{first}-returns", _titled(title), sentences.of_return(silent), silent.returning)
    for name, title, behaviour in (
        ("503", "answers 503", UNAVAILABLE),
        ("refused", "refuses: its port is closed", REFUSED),
    ):
        story = fail(site, line, [first], behaviour, destination)
        yield _failure(f"{first}-{name}", f"{who} {title}", story)
    same = [each for each in roles if each.startswith("fallback") == first.startswith("fallback")]
    if 1 < len(same) < len(roles):
        story = fail(site, line, same, SILENT, destination, back=True)
        both = listed([role(each) for each in same])
        yield _failure("server-1-silent", f"{both} are silent", story)
        title = _titled(f"{both} return after they were silent")
        yield Case("server-1-returns", title, sentences.of_return(story), story.returning)
    if len(roles) > 1:
        story = fail(site, line, roles, SILENT, destination, back=True)
        case = _failure("all-silent", "every server is silent", story)
        case.sentences.extend(sentences.of_recovery(story))
        yield case


def _failure(name: str, title: str, story: Story) -> Case:
    calls = [call for call in (story.first, story.second) if call is not None]
    return Case(name, _titled(title), sentences.of_failure(story), calls)


def _titled(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
