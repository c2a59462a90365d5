"""What a model holds, from headers alone: how it was recognised, where its bytes are, what a fingerprint would read."""
