"""The phone's screen: panes that refresh as often as what they show changes, and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from phone_emulator.events import CallState
from phone_emulator.phone import CallError
from phone_emulator.phone.calls.states import UP
from phone_emulator.tui.keymap import DIAL_KEYS, DTMF_KEYS, VIEWS, Scene, scene_of, soft_keys
from phone_emulator.tui.layout import layout_of
from phone_emulator.tui.orders import Orders
from phone_emulator.tui.presenter import Presenter
from phone_emulator.tui.widgets.call import CallPane
from phone_emulator.tui.widgets.dial import DialField
from phone_emulator.tui.widgets.history import HistoryPane
from phone_emulator.tui.widgets.key_line import KeyLine
from phone_emulator.tui.widgets.lines import LinesPane
from phone_emulator.tui.widgets.log import LogPane
from phone_emulator.tui.widgets.messages import Ladder, MessagesPane
from phone_emulator.tui.widgets.route import RoutePane
from phone_emulator.tui.widgets.servers import ServersPane
from phone_emulator.tui.widgets.soft_keys import SoftKeys
from phone_emulator.tui.widgets.top_bar import TopBar
from phone_emulator.tui.words import call_word

from .behaviour import BehaviourScreen
from .help import HelpScreen
from .message import MessageScreen

FAST, SLOW, SOON = 0.1, 1.0, 0.03
"""Seconds between refreshes while a call is live, otherwise, and after something happened."""


class PhoneScreen(Screen[None]):
    """Everything that is always there.

    Args:
        presenter: says what the panes show.
        orders: do what the keys say.
        title: of the world, in the top bar.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"f{n}", f"soft_key('f{n}')", show=False) for n in range(1, 5)),
        *(Binding(view.key, f"view('{view.name}')", show=False) for view in VIEWS),
        Binding("enter", "enter", show=False),
        Binding("escape", "back", show=False),
        Binding("ctrl+l", "order('next_line')", show=False),
        Binding("ctrl+p", "order('provision')", show=False),
        Binding("question_mark", "help", show=False),
    ]

    def __init__(self, presenter: Presenter, orders: Orders, title: str) -> None:
        super().__init__()
        self._presenter = presenter
        self._orders = orders
        self._title = title
        self._view = "route"
        self._views = tuple(view for view in VIEWS if presenter.lab is not None or view.name != "servers")
        self._told = -1
        self._shown = ""
        self._due = False
        self._fast: Timer | None = None

    def compose(self) -> ComposeResult:
        """Top bar, panes, soft keys, key line."""
        yield TopBar(self._title)
        with Container(id="desk"):
            with Vertical(id="left"):
                yield LinesPane(id="lines")
                yield CallPane()
                if self._presenter.lab is not None:
                    yield ServersPane()
                yield HistoryPane()
            with Container(id="work"):
                with Vertical(id="middle"):
                    yield RoutePane(id="route")
                    yield LogPane(id="log")
                yield MessagesPane()
        yield SoftKeys()
        yield KeyLine()

    def begin(self) -> None:
        """Show the phone from now on; before its panes are mounted they would keep the size of no text."""
        self._fast = self.set_interval(FAST, self.update_panes, pause=True)
        self.set_interval(SLOW, self.update_panes)
        self.set_focus(self.query_one(DialField))
        self._place()
        self.update_panes()

    def on_resize(self, event: events.Resize) -> None:
        """Use the room there is."""
        for name in ("compact", "medium", "large"):
            self.set_class(name == layout_of(event.size.width, event.size.height), f"-{name}")
        self._told = -1
        self.call_after_refresh(self.update_panes)

    # -- refreshing ----------------------------------------------------------------------------------------

    def update_soon(self) -> None:
        """Something happened: refresh, together with what else happens in the next moment.

        It may be told from anywhere; a timer needs the app's own context.
        """
        if not self._due:
            self._due = True
            self.call_later(self.set_timer, SOON, self.update_panes)

    def update_panes(self) -> None:
        """Show how things stand."""
        self._due = False
        if self._fast is None:
            return
        presenter = self._presenter
        self._orders.forget()
        now, lines = presenter.now, presenter.lines()
        self.query_one(TopBar).show(lines, now)
        self.query_one(LinesPane).show(lines)
        self.query_one(RoutePane).show(presenter.route())
        self._update_call()
        self._update_journal()
        if presenter.lab is not None:
            self.query_one(ServersPane).show(presenter.lab.servers(), presenter.lab.callee_behaviour)
        (self._fast.resume if presenter.lively else self._fast.pause)()

    def _update_call(self) -> None:
        presenter, orders = self._presenter, self._orders
        pane, call = self.query_one(CallPane), presenter.live_call
        last = presenter.last_call
        lines = presenter.phone.lines
        scene = self._scene
        offered = self._dial_offered
        pane.show(
            presenter.call_cards(),
            idle=f"{last.remote}: {call_word(last)}" if last is not None else "Ready.",
            dialling=offered,
            transferring=orders.transferring,
            dtmf=orders.sent_digits(call.id) if call is not None else "",
            line=lines[presenter.chosen_line].account.shown_label
            if len(lines) > 1 and presenter.chosen_line is not None
            else "",
        )
        if offered and self.focused in (None, pane):
            self.set_focus(pane.dial)
        elif not offered and self.focused in (None, pane.dial):
            self.set_focus(pane)
        keys = soft_keys(
            scene,
            calls=len(presenter.live_calls),
            up=sum(each.state in UP for each in presenter.live_calls),
            lines=len(lines),
            lab=presenter.lab is not None,
            pickup=presenter.rings_elsewhere is not None,
        )
        self.query_one(SoftKeys).show(keys)

    @property
    def _scene(self) -> Scene:
        dialling = bool(self.query_one(DialField).value) or self._orders.aside
        return scene_of(self._presenter.live_call, dialling, self._orders.transferring)

    @property
    def _dial_offered(self) -> bool:
        """Whether a number can be dialled now."""
        idle = self._presenter.live_call is None
        return idle or (self._orders.aside and self._scene is not Scene.INCOMING)

    def _update_journal(self) -> None:
        """The panes that change only when something was told, or another call is shown."""
        presenter = self._presenter
        call = presenter.shown_call
        shown = call.id if call is not None and not presenter.all_messages else ""
        if (self._told, self._shown) == (presenter.journal.total, shown):
            return
        self._told, self._shown = presenter.journal.total, shown
        self.query_one(HistoryPane).show(presenter.history())
        self.query_one(MessagesPane).show(*presenter.ladder())
        self.query_one(LogPane).show(presenter.log())

    def _place(self) -> None:
        """Bring the current view up; small screens show one at a time."""
        for view in VIEWS:
            self.set_class(view.name == self._view, f"view-{view.name}")
        self.query_one(KeyLine).show(self._views, self._view)

    # -- keys ----------------------------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        """Digits go to the call that is up, else to the dial field, wherever the focus is."""
        character = event.character or ""
        call = self._presenter.live_call
        up = call is not None and call.state in (CallState.TALKING, CallState.HELD)
        if up and not self._orders.aside and character in DTMF_KEYS:
            event.stop()
            self.carry_out(self._orders.send_digit(character))
        elif character in DIAL_KEYS and self._dial_offered:
            event.stop()
            self.query_one(DialField).type_in(character)

    def action_soft_key(self, key: str) -> None:
        """A soft key was pressed."""
        known = self.query_one(SoftKeys).keys.get(key)
        if known is not None:
            self.action_order(known.action)

    def on_soft_keys_pressed(self, message: SoftKeys.Pressed) -> None:
        """The same, with the mouse."""
        self.action_order(message.key.action)

    def action_order(self, name: str) -> None:
        """Carry out a soft key's order."""
        dial = self.query_one(DialField)
        if name == "send":
            number, dial.value = dial.value, ""
            self._dial(number)
        elif name == "transfer_blind":
            number, dial.value = dial.value, ""
            self.carry_out(self._orders.transfer_blind(number))
        elif name == "delete":
            dial.value = dial.value[:-1]
        elif name == "cancel" and self._scene in (Scene.DIALLING, Scene.TRANSFER) and dial.value:
            dial.value = ""
        else:
            if name == "redial":
                self._show_view("route")
            self.carry_out(self._orders.by_name[name]())
        self.update_soon()

    def action_enter(self) -> None:
        """Answer what rings, else dial."""
        if self._scene is Scene.INCOMING:
            self.action_order("answer")
        elif self._scene is Scene.DIALLING:
            self.action_order("send")
        elif self._scene is Scene.TRANSFER:
            self.action_order("transfer_blind")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the dial field."""
        self.action_enter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """The soft keys follow the dial field."""
        self.update_soon()

    def action_back(self) -> None:
        """From a list back to the phone; at the phone: clear, reject, cancel, hang up."""
        home = (self.query_one(DialField), self.query_one(CallPane))
        if self.focused is not None and self.focused not in home:
            self._presenter.chosen_call = None
            self._presenter.all_messages = False
            self.set_focus(home[0] if self._dial_offered else home[1])
            self._show_view("route")
            self.update_soon()
        else:
            self.action_order("cancel")

    def action_view(self, name: str) -> None:
        """Go to a pane; from the messages of a call to all messages, and back."""
        ladder = self.query_one(Ladder)
        if name == "messages" and self.focused is ladder:
            self._presenter.all_messages = not self._presenter.all_messages
            self.update_soon()
        self._show_view(name)
        panes = {"messages": "#ladder"}
        for pane in self.query(panes.get(name, f"#{name}")):
            self.set_focus(pane)

    def action_help(self) -> None:
        """Every key."""
        self.app.push_screen(HelpScreen())

    # -- what the panes ask --------------------------------------------------------------------------------

    def on_history_pane_chosen(self, message: HistoryPane.Chosen) -> None:
        """Show the call's route and messages."""
        self._presenter.chosen_call = message.call
        if message.opened:
            self.action_view("route")
        self.update_panes()

    def on_messages_pane_opened(self, message: MessagesPane.Opened) -> None:
        """Read a message in full."""
        self.app.push_screen(MessageScreen(message.rung))

    def on_servers_pane_toggled(self, message: ServersPane.Toggled) -> None:
        """Break or mend a server."""
        self.carry_out(self._orders.break_or_mend(message.server))

    @work
    async def on_servers_pane_asked(self, message: ServersPane.Asked) -> None:
        """Choose what a server, or the called user, does."""
        lab, server = self._presenter.lab, message.server
        if lab is None:
            return
        if server is not None:
            answer = await self.app.push_screen_wait(BehaviourScreen.for_server(server))
        else:
            answer = await self.app.push_screen_wait(BehaviourScreen.for_callee(lab.callee_behaviour))
        if answer is not None:
            order = self._orders
            self.carry_out(
                order.behave(server.name, answer) if server is not None else order.behave_callee(answer)
            )

    def _dial(self, number: str) -> None:
        self._show_view("route")
        self.carry_out(self._orders.dial(number))

    def _show_view(self, name: str) -> None:
        self._view = name
        self._place()

    @work
    async def carry_out(self, order: Awaitable[None]) -> None:
        """Do it beside the screen; what cannot be done is said, not raised."""
        try:
            await order
        except (CallError, ValueError, OSError) as error:
            self.notify(str(error), severity="warning", markup=False)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._presenter.phone.world.faults.tell(error, "an order", "the terminal phone")
        self.update_soon()
