"""The way into the page, as the installer shows it: a link that lets in one browser, and its code.

* The page is asked first whether it answers, so that nobody opens a link to nothing.
"""

from __future__ import annotations

import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from core.config import Config
from core.page_address import is_for_this_machine, make_link, reachable_host
from devices import Devices
from qr_code import render_qr

_LOOK_SECONDS = 0.2
_PATIENCE = 5.0
_FROM_A_PHONE = "It opens on this machine only. From a phone: docs/web.md, “From elsewhere”."


def offer_link(config: Config, *, seconds: float) -> list[str]:
    """What to print: how to open the page of the bridge that was started."""
    if not _answers(config, seconds):
        address = make_link(config.web_address, config.web_port, "")
        log = Path(config.bridge_dir) / "bridge.log"
        return [f"The page does not answer at {address} yet; {log} says why."]
    key = Devices(config.bridge_dir).issue_key()
    link = make_link(config.web_address, config.web_port, config.web_url, key)
    return [
        "\nOpen the page. The link lets in one browser, once, within 10 minutes:",
        render_qr(link),
        f"{link}\n",
        *([_FROM_A_PHONE] if is_for_this_machine(config.web_address, config.web_url) else []),
        "One more browser: ./install.sh --web, or /devices in the chat.",
    ]


def _answers(config: Config, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while True:
        with suppress(OSError, HTTPException):
            connection = HTTPConnection(
                reachable_host(config.web_address), config.web_port, timeout=_PATIENCE
            )
            try:
                connection.request("GET", "/")
                return connection.getresponse().getheader("Referrer-Policy") == "no-referrer"
            finally:
                connection.close()
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_SECONDS)
