"""No page has a fault that axe finds and that is ours, light and dark, on a desktop and a phone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.browsing import opened

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

AXE = Path(sys.prefix) / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ("", "learn", "playground", "train", "compare", "landscape", "curvature", "embeddings")
PAGES = (*PAGES, "robustness")

STREAMLITS = (
    "aria-allowed-attr", "aria-allowed-role", "aria-required-children", "aria-valid-attr-value",
    "button-name", "label", "landmark-unique", "nested-interactive", "scrollable-region-focusable",
    "region", "list", "listitem", "color-contrast",
)  # fmt: skip
"""Rules that Streamlit's own widgets break (its navigation is a list without items of its own, its
captions are at 60 % opacity, chosen pills are written in the primary colour on a tint of it); of
these only what stands in our own elements counts."""

OURS = ".play, .basin-grid, .basin-row, .basin-hover"

RUN = """async (skipped) => {
    const all = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']});
    return all.violations.flatMap((rule) => rule.nodes
        .filter((node) => !skipped.includes(rule.id)
            || document.querySelector(node.target.at(-1))?.closest(OURS))
        .map((node) => `${rule.id}: ${node.html.slice(0, 200)}`));
}""".replace("OURS", repr(OURS))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_fault_of_ours(browser, address, width: int, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip(f"axe-core is not installed in {AXE.parent}; `make test` installs it with npm")
    faults = {}
    for name in PAGES:
        page = opened(browser, f"{address}{name}", width=width, scheme=scheme, height=800)
        page.add_script_tag(content=AXE.read_text())
        faults[name] = page.evaluate(RUN, list(STREAMLITS))
        page.close()
    assert not any(faults.values()), faults
