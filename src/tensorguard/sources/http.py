"""A file on a server, read by ranges (RFC 9110, 14): never more of it than is asked for, and always the same file."""

import re
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError
from tensorguard.sources.exchange import BROKEN, Credentials, Reply, SlowError, anonymous, get, refused
from tensorguard.sources.kept import KEPT
from tensorguard.sources.network import Origin, origin, shown
from tensorguard.sources.ranges import FIRST_BYTES, RangedFile
from tensorguard.sources.retries import Attempts
from tensorguard.sources.traffic import TRAFFIC

_PROGRESS = 1 << 20
"""Bytes after which a transfer that breaks off has got somewhere."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")
_EXPIRED = (401, 403, 404, 410)
_LATER = (408, 425, 429, 500, 502, 503, 504)


class HttpFile(RangedFile):
    """One file on a server; see `Source`.

    Its size and ETag are those of the first answer (or of the listing that named it), and every later answer has to agree. Where a
    redirect leads is remembered until the server there no longer knows it: signed addresses expire.
    """

    def __init__(
        self,
        url: str,
        given: Origin,
        *,
        name: str = "",
        size: int | None = None,
        modified: int = 0,
        linked: str = "",
        credentials: Credentials = anonymous,
    ) -> None:
        """Describe a file; nothing is read unless its size is not known.

        Args:
            url: Where it is.
            given: The origin that the user named.
            name: What to call it; by default the URL without its query.
            size: Its bytes, if a listing says so.
            modified: When it was last changed, in nanoseconds since 1970, if a listing says so.
            linked: What the hub calls its content (SHA-256 or the git object), if a listing says so.
            credentials: Gives a token's header to the origin that it is for.

        Raises:
            NotFoundError: It is not there, or not for this user.
            InputError: It cannot be read by ranges.
        """
        self._url, self._given, self._linked, self._credentials = url, given, linked, credentials
        self._tag = ""
        super().__init__(name or shown(url), -1 if size is None else size, modified)
        if size is None:
            KEPT.hold(self._number, 0, self._fetch(0, FIRST_BYTES))

    def _begin(self) -> None:
        super()._begin()
        self._location, self._lock = "", threading.Lock()

    def _fetch(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Read a range, picking up where a transfer broke off; of a file of unknown size perhaps less."""
        attempts, buffer, done, settled = Attempts(self.name), np.empty(stop - start, np.uint8), 0, 0
        while done < len(buffer):
            reason, headers = "the transfer broke off", None
            try:
                with self._get(start + done, stop) as reply:
                    if reply.status in _LATER:
                        reason, headers = f"the server answers with status {reply.status}", reply.headers
                    elif self._expired(reply):
                        self._location, reason = "", "the server's address for it is refused"
                    else:
                        expected = self._check(reply, start + done, stop) - start
                        buffer = buffer[:expected]
                        for piece in reply.body:
                            if done + len(piece) > len(buffer):
                                self._refuse("more bytes came than were announced")
                            buffer[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
                            done += len(piece)
                            TRAFFIC.received(len(piece))
            except SlowError:
                reason = "the transfer is too slow"
            except BROKEN as error:
                reason = f"the transfer failed ({str(error) or type(error).__name__})"
            if done - settled >= _PROGRESS:
                attempts.succeeded()
                settled = done
            if done < len(buffer):
                attempts.again(reason, headers)
        return buffer

    def _get(self, start: int, stop: int) -> AbstractContextManager[Reply]:
        wanted = {"range": f"bytes={start}-{stop - 1}"}
        return get(self._location or self._url, self._given, wanted, self._credentials, stop - start)

    def _expired(self, reply: Reply) -> bool:
        """Say whether the address that a redirect gave is not or no longer good."""
        return reply.status in _EXPIRED and origin(reply.url) != origin(self._url)

    def _check(self, reply: Reply, start: int, stop: int) -> int:
        """Require that an answer is what was asked for and of the same file as before; return where its bytes end."""
        if reply.status == 200 and self._is_whole(reply, start, stop):
            end, total = stop, self.size
        elif reply.status == 200:
            raise InputError(
                "the server sends whole files only (it ignores Range)",
                where=self.name,
                hint="download the file, and give its path",
            )
        elif reply.status != 206:
            raise refused(reply, self.name)
        else:
            end, total = self._told_range(reply.headers, start, stop)
        length = reply.headers.get("content-length", str(end - start))
        if length != str(end - start) or reply.headers.get("content-encoding", "identity") != "identity":
            self._refuse("the server announces another number of bytes than was asked for")
        self._require_same(reply.headers, total)
        if reply.url != self._url:
            self._location = reply.url
        return end

    def _is_whole(self, reply: Reply, start: int, stop: int) -> bool:
        """Say whether all of a file was asked for, so that an answer without ranges is one, too."""
        size = str(self.size)
        return (start, stop) == (0, self.size) and reply.headers.get("content-length", size) == size

    def _told_range(self, headers: Mapping[str, str], start: int, stop: int) -> tuple[int, int]:
        match = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if match is None:
            self._refuse("the server does not say which bytes it sends")
        begin, last, total = (int(each) for each in match.groups())
        if begin != start or last + 1 != min(stop, total):
            self._refuse(f"the server sends bytes {begin} to {last + 1}, and {start} to {stop} were asked for")
        return last + 1, total

    def _require_same(self, headers: Mapping[str, str], total: int) -> None:
        """Note what identifies the file at the first answer, and hold every later one against it."""
        linked, tag = _tag(headers.get("x-linked-etag", "")), _tag(headers.get("etag", headers.get("last-modified", "")))
        with self._lock:
            if self.size == -1:
                self.size, self.modified = total, _nanoseconds(headers.get("last-modified", ""))
            if not self._tag:
                self._tag = tag
                TRAFFIC.opened(self.name, self.size)
            same = total == self.size and tag == self._tag
        if not same or (linked and self._linked and linked != self._linked):
            self._refuse("it is another file than before: it was changed while it was read")

    def _refuse(self, message: str) -> NoReturn:
        raise InputError(
            message, where=self.name, hint="try again; if that does not help, download the file, and give its path"
        )


def _tag(value: str) -> str:
    """Return an ETag without its quotes and its mark of weakness."""
    return value.strip().removeprefix("W/").strip('"')


def _nanoseconds(date: str) -> int:
    try:
        return int(parsedate_to_datetime(date).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return 0
