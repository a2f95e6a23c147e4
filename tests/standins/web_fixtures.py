"""A page that listens, and browsers: one that was let in, and one that was not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.web_site import Site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(tmp_path)
    await made.channel.start([])
    made.receive()
    yield made
    await made.stop()


@pytest.fixture
async def stranger() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that nobody let in."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that was let in; what it posts says where it comes from."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers={"Origin": site.origin}) as session:
        async with session.get(site.url(f"?key={site.devices.issue_key()}")) as answer:
            assert answer.status == 200
        yield session
