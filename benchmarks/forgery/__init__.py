"""Forged fingerprints: attacks on public probes, and what a secret key and `--deep` say to them."""
