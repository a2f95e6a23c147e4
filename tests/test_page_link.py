"""The link that the installer prints lets in one browser, once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core.config import Config
from page_link import offer_link
from tests.web_rig import WebRig
from tests.web_world import free_port


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[WebRig]:
    with WebRig(tmp_path) as made:
        yield made


def status_of(link: str) -> int:
    parts = urlsplit(link)
    connection = HTTPConnection(parts.hostname or "", parts.port)
    connection.request("GET", f"{parts.path}?{parts.query}")
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_link_opens_the_page_once(rig: WebRig) -> None:
    text = "\n".join(offer_link(rig.config, seconds=5))
    (link,) = re.findall(r"http://127\.0\.0\.1:\S+", text)
    assert "within 10 minutes" in text
    assert [status_of(link), status_of(link)] == [303, 401]


def test_a_page_that_does_not_answer_gets_no_link(tmp_path: Path) -> None:
    config = Config(state_dir=tmp_path, web=True, web_port=free_port())
    (line,) = offer_link(config, seconds=0)
    assert "does not answer" in line and "key" not in line
