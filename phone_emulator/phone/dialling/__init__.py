"""The client side of a dialog, and what can be dialled."""
