"""The link that the installer prints lets in one browser, once."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from core.config import Config
from page_link import offer_link
from tests.web_rig import WebRig
from tests.web_world import free_port

pytest_plugins = ["tests.standins.web_fixtures"]


def status_of(link: str) -> int:
    """What the page is answered that was opened by it."""
    parts = urlsplit(link)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    headers = {"Origin": f"http://{parts.netloc}", "Content-Type": "application/json"}
    body = json.dumps({"key": parts.query.removeprefix("key=")})
    connection.request("POST", f"{parts.path}enter", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_link_opens_the_page_once(rig: WebRig) -> None:
    text = "\n".join(offer_link(rig.config, seconds=5))
    (link,) = re.findall(r"http://127\.0\.0\.1:\S+", text)
    assert "within 10 minutes" in text
    assert [status_of(link), status_of(link)] == [200, 401]


def test_a_page_that_does_not_answer_gets_no_link(tmp_path: Path) -> None:
    config = Config(state_dir=tmp_path, web=True, web_port=free_port())
    (line,) = offer_link(config, seconds=0)
    assert "does not answer" in line and "key" not in line
