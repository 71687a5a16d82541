"""The pages that show a visitor's runs, as the tests of every page take them."""

from __future__ import annotations

from pathlib import Path

import app

VIEWS = Path(app.__path__[0]) / "views"

LEARN = ("learn", "playground")
"""Pages that need no run."""

PAGES = sorted(path.stem for path in VIEWS.glob("[!_]*.py") if path.stem not in LEARN)
