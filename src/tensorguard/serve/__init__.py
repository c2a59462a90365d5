"""Registry and scan over a local web page and an HTTP API. fastapi is imported here only, uvicorn where connections are made only."""
