"""``streamlit run app/main.py``: serves the pages of ``navigation.py`` to this machine only.

Web pages of other origins may neither frame the dashboard nor reach it by a name that they let
resolve to this machine (DNS rebinding). Who serves it to others names their hosts in
``server.allowedHosts``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.starlette import App

HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class OwnOriginOnly:
    """Refuses unknown hosts and pages of other origins before Streamlit sees them.

    Streamlit checks hosts of websockets alone, and asks an outside service for this machine's
    address when a page of another origin opens one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if not is_own(dict(scope["headers"])):
            await _refuse(scope, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def is_own(headers: dict[bytes, bytes]) -> bool:
    """Whether a request's Host is allowed and its Origin, if it names one, is that host."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    allowed = {name.lower() for name in config.get_option("server.allowedHosts")}
    try:
        name = urlsplit(f"//{host}").hostname
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1").lower())
    except ValueError:
        return False
    if "*" not in allowed and name not in allowed:
        return False
    return b"origin" not in headers or origin.netloc == host


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send(
        {
            "type": "http.response.start",
            "status": 403,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    body = b"Basin serves this machine only; add the host to server.allowedHosts to serve others.\n"
    await send({"type": "http.response.body", "body": body})


app = App("navigation.py", middleware=[Middleware(OwnOriginOnly)])
