"""What a user wrote, to where that is: a local path, a model on the hub, in object storage, or a file on some server."""

from pathlib import Path

from tensorguard.errors import NotFoundError, quote
from tensorguard.sources.names import hub_name, page_name
from tensorguard.sources.object_names import object_address
from tensorguard.sources.remote import Location

_WEB = ("https://", "http://")


def locate(given: Location | str) -> Location:
    """Find what a user names. A local path goes before a name of the hub, and a `Path` is always local.

    A server is asked once in a process; what it said is kept, so that all of a command is about one commit.

    Args:
        given: A path; `org/name[@revision][/path]`, which `hf://` may precede; the address of a model's page on the hub, or of a file;
            `s3://bucket/prefix`, or another address in object storage.

    Raises:
        NotFoundError: A model or file is not on its server, or not for this user. Of a local path nothing is looked at.
        InputError: The server's answers make no sense, or it does not know ranges.
        ResourceError: What reads object storage is not installed.
    """
    if not isinstance(given, str):
        return given
    address = object_address(given)
    if address is not None:
        from tensorguard.sources.object_files import open_objects

        return open_objects(address)
    web = given.startswith(_WEB)
    name = page_name(given) if web else hub_name(given)
    if name is not None:
        from tensorguard.sources.hub import open_repository

        try:
            return open_repository(name)
        except NotFoundError as error:
            if not web:  # a mistyped path looks like a name of the hub, too
                error.hint = f"here is no file or folder {quote(given)} either" + (f"; {error.hint}" if error.hint else "")
            raise
    if web:
        from tensorguard.sources.single import open_url

        return open_url(given)
    return Path(given)
