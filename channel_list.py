"""The channels that the settings switch on; the libraries of the others are not loaded.

The page's server and Telegram's client would each cost some 12 MB of memory in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from core.config import Config
from core.errors import BridgeError
from core.model import Incoming
from core.ports import Channel, Channels
from inbox import Arrival

if TYPE_CHECKING:
    from channels.telegram import TelegramChannel
    from channels.web import WebChannel
    from devices import Devices


class Opened(NamedTuple):
    """The channels by name, none of them started, and why others could not be opened."""

    channels: dict[str, Channel]
    broken: dict[str, BridgeError]


def open_channels(config: Config, devices: Devices, redact: Callable[[str], str]) -> Opened:
    """The channels. Raises BridgeError when none could be opened."""
    found: list[Channel] = []
    broken: dict[str, BridgeError] = {}
    if config.telegram_bot_token:
        telegram: type[TelegramChannel] = import_module("channels.telegram").TelegramChannel
        found.append(telegram(config.telegram_bot_token, config.telegram_api_url))
    if config.web:
        web: type[WebChannel] = import_module("channels.web").WebChannel
        try:
            found.append(web(config, devices, redact=redact))
        except BridgeError as error:
            if not found:
                raise
            broken[web.name] = error
    return Opened({channel.name: channel for channel in found}, broken)


def read_arrival(channels: Channels, arrival: Arrival) -> Incoming | None:
    """What a person did there; None also for what came from a channel that is off."""
    channel = channels.get(arrival.channel)
    return None if channel is None else channel.parse(arrival.raw)
