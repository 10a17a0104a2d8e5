"""Scenario files: read, run, judged."""
