"""Fetching pictures from public addresses, within bounds, into a cache named by content."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from llava_plus.skills.images import MAX_BYTES

if TYPE_CHECKING:
    import httpx


class NotFetchedError(Exception):
    """A picture that was not fetched, with the reason."""


_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # wraps an IPv4 address in its last 32 bits
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also where it wraps another one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else ip.sixtofour
    if ip in _NAT64_LOCAL or (wrapped is not None and not is_public(str(wrapped))):
        return False
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Fetches files over HTTP from addresses that are allowed, each once.

    The name is looked up here, every address that it has is checked, and the connection goes to
    the address that was checked; so it is again after each redirect. Proxies of the environment
    are not used, since they would look names up by themselves.

    Not covered: what a public server does with the request, and one that sends the lines of its
    answer so slowly that the time runs out only after them.

    Args:
        folder: Of the cache; files in it are named by their SHA-256.
        most_bytes: Of one file.
        seconds: For one file, redirects included.
        redirects: Followed at most.
        allowed: Whether an IP address may be asked.
    """

    folder: Path
    most_bytes: int = MAX_BYTES
    seconds: float = 60.0
    redirects: int = 5
    allowed: Callable[[str], bool] = is_public

    def get(self, url: str) -> Path:
        """Return the file of an address, from the cache where it was fetched before."""
        note = self.folder / "urls" / f"{hashlib.sha256(url.encode()).hexdigest()}.json"
        known = self._known(note)
        if known is not None:
            return known
        data = self._fetched(url)
        path = self.folder / hashlib.sha256(data).hexdigest()
        note.parent.mkdir(parents=True, exist_ok=True)
        _written(path, data)
        _written(note, json.dumps({"url": url, "file": path.name}).encode())
        return path

    def _known(self, note: Path) -> Path | None:
        try:
            path = self.folder / Path(json.loads(note.read_bytes())["file"]).name
            whole = hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return path if whole else None

    def _fetched(self, url: str) -> bytes:
        import httpx

        end = time.monotonic() + self.seconds
        try:
            with httpx.Client(trust_env=False, follow_redirects=False) as client:
                for _ in range(self.redirects + 1):
                    answer = self._asked(client, url, end)
                    if isinstance(answer, bytes):
                        return answer
                    url = answer
        except httpx.TimeoutException as error:
            raise NotFetchedError(f"it takes longer than {self.seconds:g} seconds") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise NotFetchedError(f"{type(error).__name__}: {str(error)[:200]}") from error
        raise NotFetchedError(f"it redirects more than {self.redirects} times")

    def _asked(self, client: httpx.Client, url: str, end: float) -> bytes | str:
        """Ask one address; return the file, or the address that it redirects to."""
        import httpx

        place = httpx.URL(url)
        if place.scheme not in ("http", "https") or not place.host:
            raise NotFetchedError(f"only http and https addresses are fetched, got {url[:60]!r}")
        request = client.build_request(
            "GET",
            place.copy_with(host=self._checked(place.host)),
            headers={"Host": place.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            extensions={"sni_hostname": place.raw_host.decode("ascii")},
            timeout=self._left(end),
        )
        answer = client.send(request, stream=True)
        try:
            if answer.is_redirect:
                return urljoin(url, answer.headers["Location"])
            if answer.status_code != 200:
                raise NotFetchedError(f"the server answers {answer.status_code}")
            return self._read(answer.iter_raw(), end)
        finally:
            answer.close()

    def _checked(self, host: str) -> str:
        """Return an IP address of a host, all of whose addresses are allowed."""
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not self.allowed(address):
                raise NotFetchedError(f"{host} is at {address}, which is not a public address")
        return addresses[0]

    def _read(self, chunks: Iterable[bytes], end: float) -> bytes:
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > self.most_bytes:
                raise NotFetchedError(f"it is larger than {self.most_bytes} bytes")
            self._left(end)
        return bytes(data)

    def _left(self, end: float) -> float:
        left = end - time.monotonic()
        if left <= 0:
            raise NotFetchedError(f"it takes longer than {self.seconds:g} seconds")
        return left


def _written(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(name).replace(path)
