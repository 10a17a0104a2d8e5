"""What a kind of step is: all that there is to say of ``call``, ``wait`` and the others, in one place each.

A kind stands in a file of its own in :mod:`.steps`, and in the list there; reading, running, judging and the
page docs/scenarios.md go by what is said here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .schema import Model
from .worlds import EVERYWHERE, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKind:
    """A kind of step."""

    name: str
    """Its key in the file."""
    model: type[Model]
    """The keys below it."""
    act: Callable[..., Awaitable[None]]
    """What it does with the session, the step and the model. Raises CallError when the phone cannot now."""
    amiss: Callable[..., str] = lambda scenario, model: ""
    """What is wrong with its keys in that scenario, for people; empty for nothing."""
    says: str
    """For docs/scenarios.md: what it does, a paragraph in Markdown."""
    example: str
    """The step as somebody writes it, on a line."""
    shorthand: str = ""
    """The key that a plain value stands for: ``wait: 5s``, ``hangup: c1``."""
    short_mapping: bool = False
    """Whether a mapping without any of its keys stands for that key, too: ``callee: {hang_up_after: 5s}``."""
    where: Where = EVERYWHERE
    """In which worlds it means something; its keys count where it does, and so do those of its ``expect``."""

    makes_call: bool = False
    """It makes a call, on its ``line``; the ``id`` is given by the reader where the file gives none."""
    takes_call: bool = False
    """It is for a call that rings here, and not for one that the phone made."""

    of_sound: bool = False
    """It is about sound, which then flows in virtual time, too."""
    unanswered: bool = False
    """Its call is not answered when it is done."""
    every_line: bool = False
    """It is about every line where it names none."""
    registers: bool = False
    """What is expected without a call is about its ``line``, and about the REGISTERs of that line."""
    in_a_call: bool = False
    """Its call is up: what is known of a call as soon as it is up was settled before."""
    can_fail: bool = False
    """A refusal or the state of the call can prevent it. That a call finds nobody is its result."""
    takes_time: bool = True
    """Whether ``within`` has something to bound: not where a step lasts as long as it says, or not at all."""
    ends_badly_by: tuple[str, ...] = ()
    """The keys by which an expectation says how it ends, well or badly: what ends badly may be quick."""
