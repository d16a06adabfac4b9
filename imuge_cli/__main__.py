"""`python -m imuge_cli` is the same as `imuge`."""

from __future__ import annotations

from imuge_cli.cli.app import main

if __name__ == "__main__":
    main()
