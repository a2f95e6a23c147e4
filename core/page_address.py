"""Whether a request comes from the page itself: the names it goes by, and the origin of who asks.

* A foreign page can make a name of its own point at this machine, but not a number: a host that is
  an IP address, or localhost, or was set, is ours; any other is refused.
* What changes something must say that it comes from the same place as it goes to.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:/?#@\[\]\s]+)(?::[0-9]{1,5})?", re.IGNORECASE)
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)", re.IGNORECASE)


def host_name(host: str) -> str:
    """The name in a `Host` header, without the port; empty for what is none."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").rstrip(".").lower() if found else ""


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether the `Host` header names this machine, which also goes by `names`."""
    name = host_name(host)
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


def is_same_origin(origin: str | None, host: str, page_url: str) -> bool:
    """Whether that `Origin` header is the page's own, at this host or at the address it was given.

    No `Origin` is none of ours: browsers send it with all that changes something.
    """
    found = _ORIGIN.fullmatch(origin or "")
    if found is None:
        return False
    if found[2].lower() == host.lower():
        return True
    known = _ORIGIN.match(page_url)
    return known is not None and known[0].lower() == found[0].lower()


def is_from_elsewhere(fetch_site: str | None) -> bool:
    """Whether the browser says (`Sec-Fetch-Site`) that another page is behind the request."""
    return fetch_site not in (None, "same-origin", "none")


def name_of(page_url: str) -> str:
    """The name in the address that the page was given; empty for none."""
    found = _ORIGIN.match(page_url)
    return host_name(found[2]) if found else ""


def reachable_host(address: str) -> str:
    """Where who listens at that address can be reached from the same machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)


def is_for_this_machine(address: str, page_url: str) -> bool:
    """Whether the link works on the machine itself only."""
    return not page_url and (address == "localhost" or address.startswith(("127.", "::1")))


def make_link(address: str, port: int, page_url: str, key: str = "") -> str:
    """The link that opens the page; with a key, the one that lets a browser in."""
    host = reachable_host(address)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    base = page_url or f"http://{host}:{port}/"
    base = base if base.endswith("/") else f"{base}/"
    return f"{base}?key={key}" if key else base
