"""Whatever goes wrong with one of many models: told of that one, and the end of the run only where nothing can succeed any more."""

from tensorguard.errors import ResourceError, TensorGuardError

MOST_ALIKE = 20
"""Models in a row that may fail for one and the same lack of resources; then the rest would, too."""


def as_error(error: Exception, model: object) -> TensorGuardError:
    """Return what to tell of a model: an error of ours as it is, one of the system or a fault of ours as one that names the model."""
    if isinstance(error, TensorGuardError):
        return error
    if isinstance(error, OSError):
        return ResourceError(f"the system refuses: {error.strerror or error}", where=error.filename or model)
    if isinstance(error, MemoryError):
        return ResourceError("there is not enough memory", where=model, hint="use fewer --workers")
    hint = "this is a fault of TensorGuard; with the model given alone, TENSORGUARD_DEBUG=1 shows where"
    return TensorGuardError(f"{type(error).__name__}: {error}", where=model, hint=hint)


class Alike:
    """Ends a run in which nothing can succeed any more: on a full disk, thousands would be read for nothing."""

    def __init__(self) -> None:
        self._last, self._count = "", 0

    def note(self, error: TensorGuardError | None) -> None:
        """Take note of how a model ended.

        Raises:
            ResourceError: Too many in a row failed for one reason.
        """
        if not isinstance(error, ResourceError):
            self._last, self._count = "", 0
            return
        self._count = self._count + 1 if error.message == self._last else 1
        self._last = error.message
        if self._count >= MOST_ALIKE:
            raise ResourceError(
                f"{self._count} models in a row failed alike: {error.message}", where=error.where, hint=error.hint
            )
