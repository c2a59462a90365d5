"""How object storage is reached.

Who asks, and where, is told by the variables that the vendors' own tools know: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, AWS_SKIP_SIGNATURE=true for what is public, AWS_PROFILE if boto3 is there;
GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_ACCOUNT_NAME ...; or by the machine's role.
"""

import functools
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorguard.errors import InputError, NotFoundError, ResourceError, quote
from tensorguard.sources.object_errors import reason
from tensorguard.sources.object_names import Address
from tensorguard.sources.objects import Objects

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_RIGHTS = {
    "s3": "check the name, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; if all may read it: AWS_SKIP_SIGNATURE=true",
    "gs": "check the name and GOOGLE_APPLICATION_CREDENTIALS; if all may read it: GOOGLE_SKIP_SIGNATURE=true",
    "az": "check the name, AZURE_STORAGE_ACCOUNT_NAME and its key; if all may read it: AZURE_SKIP_SIGNATURE=true",
}
_OPTIONS: "ClientConfig" = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "300s"}


def objects_at(address: Address) -> Objects:
    """Return the objects at an address; nothing is asked yet.

    Raises:
        ResourceError: obstore is not installed.
        InputError: The environment says too little, or what makes no sense.
    """
    return _objects(address, os.getpid())


@functools.lru_cache(maxsize=64)
def _objects(address: Address, _process: int) -> Objects:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError as error:
        hint = "pip install 'tensorguard-llm[object]'"
        raise ResourceError("obstore is not installed, which reads object storage", where=address, hint=hint) from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options: ClientConfig = {**_OPTIONS, "allow_http": address.scheme == "s3" and endpoint.startswith("http://")}
    once: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(seconds=30)}  # `Attempts` counts for all of them
    try:
        store = from_url(
            f"{address.scheme}://{address.bucket}",
            client_options=options,
            retry_config=once,
            credential_provider=_profile(address),
        )
    except (BaseError, ValueError) as error:
        raise InputError(f"cannot be asked ({reason(error)})", where=address, hint=_RIGHTS[address.scheme]) from error
    return Objects(store, str(address), address.key, _RIGHTS[address.scheme])


def _profile(address: Address) -> Any:
    """Return what gives the credentials of a profile of the AWS tools, if one is meant and their library is there; else None."""
    if address.scheme != "s3" or os.environ.get("AWS_ACCESS_KEY_ID") or os.environ.get("AWS_SKIP_SIGNATURE"):
        return None
    if not os.environ.get("AWS_PROFILE") and not Path("~/.aws/credentials").expanduser().is_file():
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider

        return Boto3CredentialProvider()
    except ImportError:
        return None
    except Exception as error:  # of botocore's, which is no library of ours
        hint = "check AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise NotFoundError(
            f"the AWS tools' profile gives no credentials ({quote(error)})", where=address, hint=hint
        ) from error
