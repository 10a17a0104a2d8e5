"""The phone's screen, and what opens over it."""
