"""What a verdict about models on a server costs: bytes and seconds, from 135 M parameters to 70 B, beside modelDNA on the same server."""
