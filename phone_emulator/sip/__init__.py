"""SIP without I/O: messages, digest, timers, transactions, dialogs."""
