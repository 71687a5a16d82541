"""Make the built-in sample dataset: ``python scripts/make_sample.py --out sample_data/shop``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from anywhere, uninstalled

from engine.foundation.errors import BasinError
from scripts.sample_shop.build import SEED, build


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("sample_data/shop"), help="folder to fill")
    parser.add_argument("--seed", type=int, default=SEED, help="decides everything that is made")
    arguments = parser.parse_args()

    def show(share: float, message: str) -> None:
        print(f"\r{share:4.0%}  {message:<40}", end="", flush=True)

    try:
        build(arguments.out, arguments.seed, show)
    except BasinError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"\nWrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
