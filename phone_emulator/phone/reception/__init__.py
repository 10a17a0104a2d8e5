"""The UAS core: what comes in, whom it is for, what it is answered (RFC 3261 section 8.2)."""
