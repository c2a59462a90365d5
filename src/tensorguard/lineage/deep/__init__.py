"""Deep comparison: both models streamed tensor by tensor, exact where fingerprints estimate."""
