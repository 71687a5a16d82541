"""The served dashboard against pages of other origins."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser


def status_of(address: str, *headers: str, path: str = "/") -> int:
    """The status of one raw request."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as link:
        lines = [f"GET {path} HTTP/1.1", *headers, "Connection: close", "", ""]
        link.sendall("\r\n".join(lines).encode())
        return int(link.recv(64).split()[1])


def test_rebound_names_and_foreign_origins_are_refused(address) -> None:
    own = urlsplit(address).netloc
    assert status_of(address, f"Host: {own}") == 200
    assert status_of(address, "Host: evil.example") == 403
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    stream = "/_stcore/stream"
    foreign = ("Origin: http://evil.example", *upgrade)
    assert status_of(address, f"Host: {own}", *foreign, path=stream) == 403


def test_no_foreign_page_frames_it(browser, address) -> None:
    page = browser.new_page()
    page.set_content(f'<iframe src="{address}" width="600" height="400"></iframe>')
    page.wait_for_timeout(3000)
    assert page.frames[-1].url.startswith("chrome-error:")
    page.close()
