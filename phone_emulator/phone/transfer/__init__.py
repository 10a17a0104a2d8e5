"""REFER and Replaces, in both roles."""
