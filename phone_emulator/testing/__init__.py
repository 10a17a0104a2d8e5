"""For tests written in Python: a phone in virtual time, and a lab on loopback, both without ``async``."""
