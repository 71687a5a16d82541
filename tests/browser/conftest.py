"""The served app and the browser, for every file here."""

from tests.support.browsing import address, browser

__all__ = ["address", "browser"]
