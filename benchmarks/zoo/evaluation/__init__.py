"""What the lineage fingerprint finds in the zoo, on the bases held apart for it."""
