"""A B2BUA of sippy's user agents: ``b2bua.py ADDRESS``. The Python of ``build/peers`` runs it.

It takes every REGISTER. Of each call for somebody who is registered it makes two: a UAS towards the caller,
and a UAC towards the callee with a Call-ID, tags and CSeq of its own. What the one hears the other says.
"""

from __future__ import annotations

import sys
from typing import Any

from sippy.CCEvents import CCEventFail, CCEventTry
from sippy.Core.EventDispatcher import ED2
from sippy.SipCallId import SipCallId
from sippy.SipConf import SipConf
from sippy.SipHeader import SipHeader
from sippy.SipLogger import SipLogger
from sippy.SipTransactionManager import SipTransactionManager
from sippy.UA import UA


class Call:
    """The two halves of one call."""

    def __init__(self, config: dict[str, Any], contacts: dict[str, Any]) -> None:
        self._config = config
        self._contacts = contacts
        self.caller = UA(config, event_cb=self._told)
        self._callee: Any = None

    def _told(self, event: Any, half: Any) -> None:
        if half is not self.caller:
            self.caller.recvEvent(event)
        elif self._callee is not None:
            self._callee.recvEvent(event)
        elif isinstance(event, CCEventTry):
            call_id, caller, callee, body, _, name = event.getData()
            contact = self._contacts.get(callee)
            if contact is None:
                self.caller.recvEvent(CCEventFail((404, "Not Found")))
                return
            self._callee = UA(self._config, event_cb=self._told, nh_address=contact.getAddr())
            event.data = (SipCallId(f"{call_id}-b2b"), caller, contact.username, body, None, name)
            self._callee.recvEvent(event)


class Server:
    """The bindings, and what comes outside of calls."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._contacts: dict[str, Any] = {}

    def receive(self, request: Any, transaction: Any) -> Any:
        """The answer to *request*, which is of no call, in sippy's form."""
        if request.getHFBody("to").getTag() is not None:
            return request.genResponse(481, "Call Leg/Transaction Does Not Exist"), None, None
        method = request.getMethod()
        if method == "INVITE":
            return Call(self._config, self._contacts).caller.recvRequest(request, transaction)
        if method == "REGISTER":
            return self._register(request), None, None
        return request.genResponse(501, "Not Implemented"), None, None

    def _register(self, request: Any) -> Any:
        user = request.getHFBody("to").getUrl().username
        contact = request.getHFBody("contact")
        own = contact.address.params.get("expires")
        header = request.getHFBody("expires").getNum() if request.countHFs("expires") else 3600
        expires = int(own) if own is not None else header
        response = request.genResponse(200, "OK")
        if contact.asterisk or not expires:
            self._contacts.pop(user, None)
        else:
            self._contacts[user] = contact.getUrl().getCopy()
            response.appendHeader(SipHeader(s=f"Contact: <{contact.getUrl()}>;expires={expires}"))
        print(f"registered: {' '.join(sorted(self._contacts))}", flush=True)
        return response


def main(address: str) -> None:
    """Serve at *address*, UDP port 5060, until it is ended."""
    SipConf.my_uaname = "sippy"
    config: dict[str, Any] = {"_sip_address": address, "_sip_port": 5060, "_sip_logger": SipLogger("b2bua")}
    config["_sip_tm"] = SipTransactionManager(config, Server(config).receive)
    ED2.loop()


if __name__ == "__main__":
    main(sys.argv[1])
