"""What this machine can do for a fingerprint, and what slows it down."""
