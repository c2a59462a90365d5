"""The registry and the scan over a local page and an HTTP API."""
