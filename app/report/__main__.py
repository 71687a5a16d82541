"""``python -m app.report RUN [RUN ...] --output report.html``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from app.report.html_report import report_of
from engine.foundation.errors import BasinError
from engine.foundation.files import whole_file
from engine.runs import RunStore


def main(arguments: list[str] | None = None) -> int:
    """Write the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m app.report", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="ids of trained runs")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="HTML file")
    parser.add_argument(
        "--runs-folder", type=Path, default=Path(os.environ.get("BASIN_RUNS", "runs"))
    )
    options = parser.parse_args(arguments)
    if not options.output.resolve().parent.is_dir():
        print(f"error: the folder of {options.output} does not exist; make it.", file=sys.stderr)
        return 1
    try:
        text = report_of(RunStore(options.runs_folder), options.runs)
        with whole_file(options.output) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except BasinError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
