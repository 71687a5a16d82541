"""The page is painted before anything heavy is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "umap", "numba", "distributed", "dask")

SHELL_MODULES = (
    "app.charts.catalogue",
    "app.charts.curves",
    "app.charts.learning",
    "app.charts.maps",
    "app.charts.metrics",
    "app.charts.slices",
    "app.charts.curvature.spectrum",
    "app.charts.style",
    "app.panels.embeddings.hover",
    "app.panels.overview.headline",
    "app.panels.train.trainings",
    "app.selection.run_labels",
    "app.selection.workspace",
    "app.selection.address",
    "app.selection.choice",
    "app.widgets.analysis_jobs",
    "app.widgets.items.cards",
    "app.widgets.config_form",
    "app.widgets.demonstration_button",
    "app.widgets.downloads",
    "app.widgets.empty_states",
    "app.widgets.error_boundary",
    "app.widgets.items.thumbnails",
)

SHELL = f"""
import importlib, sys
for name in {SHELL_MODULES!r}:
    importlib.import_module(name)
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""

PAINT = """
import sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ImportError("torch is not to be imported yet")
sys.meta_path.insert(0, Refusal())
from streamlit.testing.v1 import AppTest
test = AppTest.from_file("app/navigation.py", default_timeout=180).run()
assert test.title[0].value == "See why a recommender breaks", test.title
assert any(button.label == "Run the demonstration" for button in test.button)
"""


def run(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "BASIN_RUNS": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_no_module_of_the_app_imports_torch_umap_or_dask(tmp_path: Path) -> None:
    run(SHELL, tmp_path)


def test_title_and_button_are_there_before_torch_is_imported(tmp_path: Path) -> None:
    run(PAINT, tmp_path)
