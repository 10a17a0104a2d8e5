"""How this phone writes and reads SIP: no line, no call."""
