"""What registrars want requests to go through: Service-Route (RFC 3608).

The routes that a target gave with its 200 to REGISTER stand in every request outside dialogs that goes to the
same target; they do not change where it goes. A request that goes to another target, because that one failed,
goes without them: they would only lead back.
"""

from __future__ import annotations

from phone_emulator.events import Address
from phone_emulator.sip import values
from phone_emulator.sip.headers import split
from phone_emulator.sip.message import Request, Response

MAX_ROUTES = 10
"""Of one registration; more are not believed."""
LONGEST = 500
"""Characters of one route."""


class ServiceRoutes:
    """Those of one line."""

    def __init__(self) -> None:
        self._routes: dict[Address, tuple[str, ...]] = {}

    def learn(self, remote: Address, response: Response) -> None:
        """Take over what the 200 to a REGISTER at *remote* says, also that there are none any more."""
        lines = response.headers.get_all("Service-Route")
        routes = tuple(route for line in lines for route in split(line, ",") if route)
        if routes and len(routes) <= MAX_ROUTES and all(map(_usable, routes)):
            self._routes[remote] = routes
        else:
            self.forget(remote)

    def forget(self, remote: Address) -> None:
        """The line is not registered at *remote* any more."""
        self._routes.pop(remote, None)

    def attach(self, request: Request, remote: Address) -> None:
        """Put the routes of *remote* into *request*, which is about to go there."""
        routes = self._routes.get(remote)
        if routes and request.method != "REGISTER" and "Route" not in request.headers:
            for route in reversed(routes):
                request.headers.prepend("Route", route)


def _usable(route: str) -> bool:
    """Whether *route* is one that can be sent: a loose router's."""
    if len(route) > LONGEST:
        return False
    try:
        uri = values.address(route).uri
    except ValueError:
        return False
    return uri.scheme in ("sip", "sips") and any(name.lower() == "lr" for name in uri.parameters)
