"""Many clients that ask a real server everything at once, and know every right answer beforehand."""
