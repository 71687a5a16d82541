"""``python -m engine``: everything the dashboard does, for scripts and clusters."""

from engine.cli.commands import main

__all__ = ["main"]
