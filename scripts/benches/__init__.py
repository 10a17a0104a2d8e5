"""The families of benches that ``scripts/bench`` runs; each has ``BENCHES``: name -> what measures it."""
