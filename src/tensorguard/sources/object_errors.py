"""What obstore's errors mean to a user."""

import re

from tensorguard.errors import InputError, NotFoundError, ResourceError, TensorGuardError, quote, utf8

GONE = "no such object"
"""Message of a `NotFoundError` about an object alone: its bucket is there and may be read."""

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_LATER = (408, 425, 429, 500, 502, 503, 504)
_OWN_RIGHTS = ("169.254.169.254", "169.254.170.2", "metadata.google.internal", "/latest/api/token")


def meaning(error: Exception, where: str, rights: str, *, write: bool) -> TensorGuardError | None:
    """Return what an error is to a user, or None if it may go well the next time."""
    from obstore import exceptions as known

    text = str(error)
    status, code = (match[1] if (match := each.search(text)) else "" for each in (_STATUS, _CODE))
    if code == "NoSuchBucket" or (isinstance(error, FileNotFoundError) and write):
        return NotFoundError("there is no such bucket", where=where, hint="check the name, or make it first")
    if isinstance(error, FileNotFoundError) or status == "404":
        return NotFoundError(GONE, where=where, hint="check the name")
    if isinstance(error, known.PreconditionError):
        return InputError("it was changed while it was read", where=where, hint="try again when nobody writes it")
    if any(each in text for each in _OWN_RIGHTS):
        return NotFoundError("no credentials were found", where=where, hint=rights)
    if isinstance(error, known.PermissionDeniedError | known.UnauthenticatedError) or status in ("400", "401", "403"):
        said = f" ({code})" if code else ""
        if write:
            return ResourceError(f"may not be written with these credentials{said}", where=where, hint=rights)
        return NotFoundError(f"not there, or not for these credentials to read{said}", where=where, hint=rights)
    if isinstance(error, known.InvalidPathError | ValueError):
        hint = "rename that object, or name a folder without it"
        return InputError(f"a key is no path ({quote(reason(error))})", where=where, hint=hint)
    if "configured region" in text:
        return NotFoundError("the bucket is in another region", where=where, hint="set AWS_REGION to it")
    if status == "416":
        return InputError("ends before where it should: it was changed", where=where, hint="try again")
    if status and int(status) not in _LATER:
        return InputError(f"the storage answers with status {status}{f' ({code})' if code else ''}", where=where)
    return None


def reason(error: Exception) -> str:
    """Return the first line of an error's text, without addresses and times."""
    line = utf8(error).partition("\n")[0]
    return re.sub(r"^.*? in [\d.]+[mµn]?s(, after \d+ retries[^-]*)? +- ", "", line)[:200]
