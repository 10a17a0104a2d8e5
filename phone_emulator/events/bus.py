"""The bus: everything that happens is told once, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

from .kinds import Event
from .tap import Tap

Listener = Callable[[Event], None]


class Bus:
    """Hands each event to every listener, in the order in which they subscribed."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self.on_fault: Callable[[Exception, str, str], None] | None = None
        """Is told what a listener raises, so that nobody else suffers from it; None lets it be raised."""
        self.listening = False
        """Whether anybody listens; where events are many, none are made for nobody."""
        self.tap: Tap | None = None
        """Is shown the RTP of each call that begins from now on; None: nobody looks."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add *listener*; the returned function takes it away again."""
        self._listeners.append(listener)
        self.listening = True

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                self.listening = bool(self._listeners)

        return unsubscribe

    def tell(self, event: Event) -> None:
        """Tell every listener that *event* happened."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                if self.on_fault is None:
                    raise
                name = getattr(listener, "__qualname__", type(listener).__qualname__)
                self.on_fault(error, f"hearing of {type(event).__name__}", name)
