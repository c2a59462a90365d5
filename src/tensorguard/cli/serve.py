"""`tensorguard serve`."""

import sys
from importlib.util import find_spec
from pathlib import Path

import typer

from tensorguard.cli.options import DEVICE, REGISTRY, registry_folder
from tensorguard.cli.watching import WATCH
from tensorguard.errors import ResourceError, UsageError
from tensorguard.monitoring.events import tell


def serve(
    registry: Path | None = REGISTRY,
    roots: list[Path] = typer.Option(
        [], "--root", metavar="DIR", help="A folder under which models may be read; repeatable.", show_default="none"
    ),
    host: str = typer.Option("127.0.0.1", help="Address to listen on."),
    port: int = typer.Option(8765, min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    expose: bool = typer.Option(False, "--expose", help="Allow an address that other machines can reach."),
    names: list[str] = typer.Option(
        [], "--allow-host", metavar="NAME[:PORT]", help="Answer to this name too, such as a reverse proxy's; repeatable."
    ),
    token_file: Path | None = typer.Option(
        None, "--token-file", metavar="FILE", help="Read the access token from here.", show_default="a new one per start"
    ),
    metrics_token_file: Path | None = typer.Option(
        None, "--metrics-token-file", metavar="FILE", help="A token that opens /metrics and nothing else.", show_default="none"
    ),
    device: str = DEVICE,
) -> None:
    """Serve the registry and scans to this machine's browser, and to programs over HTTP.

    \b
    tensorguard serve
    tensorguard serve --root ./models --registry ./known
    """
    for library in ("fastapi", "uvicorn", "prometheus_client"):
        if find_spec(library) is None:
            raise ResourceError(f"{library} is not installed", hint="pip install 'tensorguard-llm[serve]'")

    from tensorguard.serve.access import new_token, read_token
    from tensorguard.serve.options import Options, is_loopback
    from tensorguard.serve.server import serve as run

    if WATCH.owns_stderr and token_file is None:
        hint = "give one with --token-file, or log elsewhere with --log-file"
        raise UsageError("a log does not show the access token, so a new one would be known to nobody", hint=hint)
    if not is_loopback(host):
        if not expose:
            hint = "add --expose if that is meant; whoever has the token can then read what the server reads, unencrypted"
            raise UsageError("other machines could reach this address", where=host, hint=hint)
        print("tensorguard: warning: other machines can reach this server, and all is sent unencrypted", file=sys.stderr)
    options = Options(
        registry=registry_folder(registry),
        token=read_token(token_file) if token_file else new_token(),
        port=port,
        host=host,
        names=tuple(names),
        roots=tuple(roots),
        device=device,
        metrics_token=read_token(metrics_token_file) if metrics_token_file else "",
    )
    for secret in (options.token, options.metrics_token):
        WATCH.hide(secret)
    run(options, _announce)


def _announce(address: str) -> None:
    tell("serving", address=address.partition("#")[0])
    if WATCH.owns_stderr:
        return
    print(f"TensorGuard is at {address}\nCtrl-C ends it.", file=sys.stderr, flush=True)
