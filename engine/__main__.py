"""``python -m engine``: see ``engine.cli``."""

import sys

if __name__ == "__main__":
    try:
        from engine.cli import main
    except KeyboardInterrupt:  # importing takes a second
        sys.exit(130)
    sys.exit(main())
