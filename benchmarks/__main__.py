"""``python -m benchmarks NAME [options]``: one benchmark, or ``all`` one after the other.

Every row is a ratio to a floor measured in the same process, since machines are shared and noisy.
"""

from __future__ import annotations

import importlib
import sys

from engine.foundation.errors import BasinError

BENCHMARKS = {
    "training": "an epoch, over what any code that projects the whole catalogue each step pays",
    "models": "an epoch and a validation of every model, over its own products",
    "evaluation": "full ranking, over plain scores and topk",
    "geometry": "exact landscapes and Hessian products, over the general path",
    "robustness": "the default curves, over evaluating every point anew",
    "jobs": "two workers over one, and the list of 2,000 runs",
    "busy_neighbour": "a training beside other work on every core, over the same alone",
}


def main(argv: list[str] | None = None) -> int:
    """Run a benchmark's ``main`` with the remaining options; 1 if any missed with --check."""
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help") or given[0] not in (*BENCHMARKS, "all"):
        print(__doc__)
        for name, what in BENCHMARKS.items():
            print(f"  {name:14s} {what}")
        print("\nOptions of each: --json, --check; `python -m benchmarks NAME --help` tells more.")
        return 0 if given and given[0] in ("-h", "--help") else 2
    names = list(BENCHMARKS) if given[0] == "all" else [given[0]]
    worst = 0
    for name in names:
        if len(names) > 1 and "--json" not in given:
            print(f"\n== {name}: {BENCHMARKS[name]}")
        module = importlib.import_module(f"benchmarks.{name}")
        try:
            worst = max(worst, module.main(given[1:]))
        except BasinError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return worst


if __name__ == "__main__":
    sys.exit(main())
