"""Calls in both directions, and what both ends say in them."""
