"""What-if: a phone and its servers in virtual time, rehearsed to see what its user would notice."""
