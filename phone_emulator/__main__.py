"""``python -m phone_emulator``."""

from __future__ import annotations

from phone_emulator.cli import main

if __name__ == "__main__":
    main()
