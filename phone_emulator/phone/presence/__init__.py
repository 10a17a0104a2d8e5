"""What the phone subscribes to, and who watches it (RFC 6665)."""
