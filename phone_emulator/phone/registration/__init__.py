"""Where a line is registered, and which of its servers a request goes to."""
