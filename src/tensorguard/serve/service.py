"""Everything that the routes use, opened together and closed together."""

from dataclasses import dataclass
from typing import Self

from tensorguard.api.fingerprints import Settings
from tensorguard.registry.opening import open_registry
from tensorguard.registry.registry import Registry
from tensorguard.serve.access import Access
from tensorguard.serve.jobs import Jobs
from tensorguard.serve.options import Options
from tensorguard.serve.roots import Roots
from tensorguard.serve.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Service:
    """What a running server has."""

    options: Options
    access: Access
    roots: Roots
    registry: Registry
    jobs: Jobs
    uploads: Uploads

    @classmethod
    def open(cls, options: Options) -> Self:
        """Open the registry and make the rest.

        Raises:
            NotFoundError: There is no registry, or a root is no folder.
            InputError: The registry is something else.
        """
        roots = Roots(options.roots)
        registry = open_registry(options.registry)
        return cls(
            options,
            Access(options.token, options.port, metrics_token=options.metrics_token),
            roots,
            registry,
            Jobs(),
            Uploads(),
        )

    def settings(self) -> Settings:
        """Return how models are opened; adapters' bases are looked for by `work.base_under`, never by the reader itself."""
        return Settings(device=self.options.device)

    def close(self) -> None:
        """Stop the jobs, remove what was sent to us, let go of the registry."""
        self.jobs.close()
        self.uploads.close()
        self.registry.close()
