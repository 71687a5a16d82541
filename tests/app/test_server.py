"""Who may reach the dashboard: hosts it knows, and pages that it served itself."""

from __future__ import annotations

import asyncio

import pytest
from streamlit import config

from app.main import OwnOriginOnly, is_own


@pytest.fixture(autouse=True)
def usual_hosts():
    before = config.get_option("server.allowedHosts")
    config.set_option("server.allowedHosts", ["localhost", "127.0.0.1", "::1"])
    yield
    config.set_option("server.allowedHosts", before)


@pytest.mark.parametrize(
    ("host", "origin", "may_enter"),
    [
        ("localhost:8501", None, True),
        ("127.0.0.1:8501", "http://127.0.0.1:8501", True),
        ("[::1]:8501", "http://[::1]:8501", True),
        ("LOCALHOST:8501", "http://localhost:8501", True),
        ("evil.example:8501", None, False),
        ("evil.example:8501", "http://evil.example:8501", False),
        ("localhost.evil.example", None, False),
        ("127.0.0.1:8501", "http://evil.example", False),
        ("127.0.0.1:8501", "http://127.0.0.1:9999", False),
        ("127.0.0.1:8501", "null", False),
        ("", None, False),
        ("[::1", None, False),
    ],
)
def test_only_own_hosts_and_origins_enter(host, origin, may_enter) -> None:
    headers = {b"host": host.encode()}
    if origin is not None:
        headers[b"origin"] = origin.encode()
    assert is_own(headers) is may_enter


def test_a_host_that_was_named_enters() -> None:
    config.set_option("server.allowedHosts", ["basin.lab"])
    assert is_own({b"host": b"basin.lab:8501", b"origin": b"https://basin.lab:8501"})
    assert not is_own({b"host": b"localhost:8501"})


def answers(scope: dict) -> list[dict]:
    """What a client is sent, from an app that always says yes."""
    sent: list[dict] = []

    async def yes(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message):
        sent.append(message)

    asyncio.run(OwnOriginOnly(yes)(scope, None, keep))
    return sent


def test_refused_requests_are_told_why_and_websockets_closed() -> None:
    evil = [(b"host", b"evil.example")]
    start, body = answers({"type": "http", "headers": evil})
    assert start["status"] == 403
    assert b"server.allowedHosts" in body["body"]
    assert answers({"type": "websocket", "headers": evil}) == [
        {"type": "websocket.close", "code": 1008}
    ]


def test_no_other_page_may_frame_it() -> None:
    (start,) = answers({"type": "http", "headers": [(b"host", b"localhost:8501")]})
    assert start["status"] == 200
    assert (b"content-security-policy", b"frame-ancestors 'self'") in start["headers"]
