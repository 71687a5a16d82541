"""Errors meant for the reader become one message on the page; others pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.charts.text import escape
from engine.foundation.errors import BasinError


@contextmanager
def show_errors() -> Iterator[None]:
    """Show an error meant for the reader, or a file that went away, as one message.

    What a page reads may be deleted by others while it is read: runs, datasets, whole folders.
    """
    try:
        yield
    except BasinError as error:
        show_error(error)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        show_error(
            f"The file{where} could not be read ({error.strerror or error}). It may have been "
            "deleted or moved meanwhile: reload the page, or choose other runs on the left."
        )


def show_error(error: object) -> None:
    """One message of an error; names and paths in it are shown as they are."""
    st.error(escape(error), icon=":material/error:")
