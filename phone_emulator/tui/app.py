"""The terminal phone: starts a phone, shows it, stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding, BindingType

from phone_emulator.events import Event, InternalFault
from phone_emulator.scarcity import MachineRefused

from .fault_file import FaultFile
from .journal import Journal
from .lab_control import LabControl
from .orders import Orders
from .presenter import Presenter
from .screens.fault import FaultScreen
from .screens.leave import ConfirmScreen, LeavingScreen
from .screens.phone import PhoneScreen
from .theme import QUIET

if TYPE_CHECKING:
    from phone_emulator.live.handset import Handset
    from phone_emulator.phone.phone import Phone

LEAVE_WITHIN = 10.0
"""Seconds that the end of calls and de-registering may take; then the phone stops without."""
WORLD_REFUSED = 3
"""Exit status: a port in use, no such local address."""


class PhoneApp(App[None]):
    """The terminal phone.

    Runs on the asyncio loop of the phone's world. After it ran, ``failure`` says why it could not start.

    Args:
        phone: not yet started; the app starts and stops it.
        lab: the servers behind it, for the servers pane.
        title: of the world, in the top bar: ``lab``, the cfg file's name.
        handset: the machine's microphone and loudspeaker.
    """

    CSS: ClassVar[str] = Path(__file__).with_name("phone.tcss").read_text(encoding="utf-8")
    TITLE = "phone-emulator"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, "quit", show=False, priority=True) for key in ("ctrl+q", "ctrl+c")
    ]

    def __init__(
        self,
        phone: Phone,
        *,
        lab: LabControl | None = None,
        title: str = "",
        handset: Handset | None = None,
    ) -> None:
        super().__init__()
        self.register_theme(QUIET)
        self.theme = QUIET.name
        self.phone = phone
        self.refused: MachineRefused | None = None
        """Why the phone could not start."""
        self._journal = Journal()
        self._presenter = Presenter(phone, self._journal, lab, handset)
        self._orders = Orders(self._presenter)
        self._face = PhoneScreen(self._presenter, self._orders, title)
        self._leaving = False
        self._fault_file = FaultFile()
        self._unsubscribe = [phone.bus.subscribe(self._journal), phone.bus.subscribe(self._hear)]

    @property
    def failure(self) -> str:
        """Why the phone could not start, in words; empty where it did."""
        return "" if self.refused is None else str(self.refused)

    def provision_with(self, again: Callable[[], None]) -> None:
        """Let Ctrl+P fetch the phone's files again, by calling *again*."""
        self._orders.provisioning = again

    async def on_mount(self) -> None:
        """Show the phone, then start it."""
        await self.push_screen(self._face)
        self._face.begin()
        self._journal.changed = self._face.update_soon
        self._run_phone()

    @work
    async def _run_phone(self) -> None:
        try:
            await self.phone.start()
            self._presenter.chosen_line = next(iter(self.phone.lines), None)
            self._face.update_panes()
            await self.phone.register()
        except MachineRefused as error:
            self.refused = error
            self.exit(return_code=WORLD_REFUSED)
        except Exception as error:
            self.phone.world.faults.tell(error, "starting", "the phone")

    def _hear(self, event: Event) -> None:
        """Save an internal fault, and show it unless another one is being shown."""
        if isinstance(event, InternalFault):
            saved = self._fault_file.save(event)
            if self.is_running:
                self.call_later(self._show_fault, event, saved)

    def _show_fault(self, fault: InternalFault, saved: str) -> None:
        if not isinstance(self.screen, FaultScreen):
            self.push_screen(FaultScreen(fault, saved))

    async def action_quit(self) -> None:
        """Quit, after asking while a call is up; asked for again while leaving, quit at once."""
        if self._leaving:
            await self._stop(0.0)
        else:
            self._leave()

    @work(exclusive=True)
    async def _leave(self) -> None:
        calls = len(self._presenter.live_calls)
        if calls and not await self.push_screen_wait(ConfirmScreen(calls)):
            return
        self._leaving = True
        await self.push_screen(LeavingScreen(calls))
        await self._stop(LEAVE_WITHIN)

    async def _stop(self, within: float) -> None:
        await self._orders.leave(within)
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self.exit()
