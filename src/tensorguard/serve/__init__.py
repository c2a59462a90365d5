"""Registry and scan over a local web page and an HTTP API. fastapi is imported here only, uvicorn in `server.py` only."""
