"""The bot token: in no log, exception, repr, command line, environment or state file."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from channels.telegram import TelegramChannel
from core.config import Secret, load_config
from core.model import Chat, Piece, Post
from core.redaction import Redactor
from tests.chaos.experiment import Figure, judge, open_world
from tests.standins.telegram_api import TelegramApi
from tests.world import World, entries_below, wait_until

_REFUSALS = (
    (400, "Bad Request: chat not found"),
    (400, "Bad Request: can't parse entities"),
    (401, "Unauthorized"),
    (403, "Forbidden: bot was blocked by the user"),
    (404, "Not Found"),
    (409, "Conflict: terminated by other getUpdates request"),
    (413, "Request Entity Too Large"),
    (429, "Too Many Requests: retry after 1"),
    (500, "Internal Server Error"),
    (502, "Bad Gateway"),
)
_METHODS = ("sendMessage", "editMessageText", "answerCallbackQuery", "sendChatAction")


def look_for_the_token(size: int, seed: int, folder: Path) -> Figure:
    """In exceptions and reprs in this process; then all around a bridge with a bad network."""
    faults: dict[str, list[str]] = {"in exceptions": [], "in reprs": []}
    count = asyncio.run(_provoke_exceptions(faults))
    for name in ("files", "command lines", "environments", "what the bridge said"):
        faults[f"in {name}"] = []
    for is_in_file in (False, True):
        place = folder / f"token-in-{'file' if is_in_file else 'environment'}"
        place.mkdir()
        with open_world(place) as world:
            if is_in_file:
                _put_token_into_file(world)
            count += _go_through_trouble(world, size - is_in_file)
            _look_around(world, faults, is_in_file)
            _end_by_refusal(world, faults)
    return judge(
        "the token in logs, exceptions, reprs, process list, environments, state files",
        f"{count} failing calls of every kind",
        "0 hits",
        faults,
    )


# --- in this process ------------------------------------------------------------------------------


async def _provoke_exceptions(faults: dict[str, list[str]]) -> int:
    """Every call of the channel with every kind of failure."""
    count = 0
    with TelegramApi() as api:
        chat = api.private_chat(api.user())
        channel = TelegramChannel(Secret(api.token), api.url)
        await channel.start([])
        faults["in reprs"] += _find_in_reprs(api, channel)
        piece = Piece(Post("k", Chat("telegram", chat.id), "text"), "text")
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: channel.send(piece),
            lambda: channel.edit(piece, 1),
            lambda: channel.answer_press("1", "x"),
            lambda: channel.show_typing(piece.post.chat),
        ]
        for order in _troubles(api):
            for call in calls:
                order()
                faults["in exceptions"] += await _find_in_failure(call, api.token)
                api.end_faults()
                count += 1
        api.stop()
        for call in calls:
            faults["in exceptions"] += await _find_in_failure(call, api.token)
        await channel.stop()
        wrong = Secret("7" + api.token)
        faults["in exceptions"] += await _find_in_start(wrong, api.url)
    return count + len(calls) + 1


def _troubles(api: TelegramApi) -> list[Callable[[], object]]:
    html = "<html><body>502 Bad Gateway</body></html>"
    found: list[Callable[[], object]] = [
        lambda s=status, d=said: api.fail("*", s, d)  # type: ignore[misc]
        for status, said in _REFUSALS
    ]
    found += [
        lambda: api.fail("*", 502, "Bad Gateway", body=html),
        lambda: api.fail("*", 200, "", body="{"),
    ]
    return [*found, lambda: api.drop("*", "before"), lambda: api.drop("*", "after")]


async def _find_in_failure(call: Callable[[], Awaitable[object]], token: str) -> list[str]:
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - whatever comes out is looked at
        said = [str(error), repr(error), *traceback.format_exception(error)]
        chain = error.__cause__ or error.__context__
        return [f"{type(error).__name__} {part!r:.80}" for part in said if token in part] + (
            [f"the cause of {type(error).__name__}"]
            if error.__cause__ is not None and token in f"{chain} {chain!r}"
            else []
        )
    return []


async def _find_in_start(token: Secret, url: str) -> list[str]:
    with TelegramApi() as api:
        channel = TelegramChannel(token, api.url)
        return await _find_in_failure(lambda: channel.start([]), token.reveal())


def _find_in_reprs(api: TelegramApi, channel: TelegramChannel) -> list[str]:
    config = load_config({"TELEGRAM_BOT_TOKEN": api.token, "HOME": "/nonexistent"})
    values = [config, config.telegram_bot_token, channel, Redactor([api.token])]
    said = [f"{value!r} {value!s} {value}" for value in values]
    return [text[:60] for text in said if api.token in text]


# --- around the real bridge -----------------------------------------------------------------------


def _put_token_into_file(world: World) -> None:
    folder = world.home / ".config" / "claude-telegram"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'telegram_bot_token = "{world.telegram.token}"\n')
    world.settings["TELEGRAM_BOT_TOKEN"] = ""


def _go_through_trouble(world: World, size: int) -> int:
    """Every method fails in every way, while somebody chats; returns how many calls failed."""
    world.start_bridge()
    world.ask("begin", "Echo")
    for number in range(size):
        for status, said in _REFUSALS:
            for method in _METHODS:
                world.telegram.fail(
                    method, status, said, {"retry_after": 1} if status == 429 else {}
                )
            if status in (409, 500):  # each one doubles the pause until the next
                world.telegram.fail("getUpdates", status, said)
            world.say(f"{number} {status} {said}")
            world.say("/sessions")
        world.telegram.drop("sendMessage", "before")
        for method in ("sendMessage", "getUpdates"):
            world.telegram.drop(method, "after")
        last = f"last {number}"
        world.say(last)
        wait_until(lambda last=last: last in _asked(world), "the last text", 60)  # type: ignore[misc]
        world.telegram.end_faults()
    failed = sum(call.status not in (200, None) for call in world.telegram.calls)
    shown = world.ask('tool Bash {"command":"env","description":"look"}', "Run this command?")
    world.telegram.press(world.chat, world.user, shown.message_id, "Allow")
    world.reads("The tool said", after=shown.message_id)
    return failed


def _asked(world: World) -> list[str]:
    return [turn.user_texts[-1] for turn in world.model.turns if turn.user_texts]


def _look_around(world: World, faults: dict[str, list[str]], is_in_file: bool) -> None:
    token = world.telegram.token.encode()
    for path, content in entries_below(world.root).items():
        if path.name != "config.toml" and token in content:
            faults["in files"].append(str(path.relative_to(world.root)))
    assert world.bridge is not None
    mine = {world.bridge.pid} if not is_in_file else set()
    for process in psutil.process_iter():
        try:
            if token in "\0".join(process.cmdline()).encode():
                faults["in command lines"].append(process.name())
            is_ours = world.environment["HOME"] == process.environ().get("HOME")
            if is_ours and process.pid not in mine and token.decode() in str(process.environ()):
                faults["in environments"].append(process.name())
        except (psutil.Error, OSError):
            continue


def _end_by_refusal(world: World, faults: dict[str, list[str]]) -> None:
    """The token is refused in the end: what the bridge says then, and all it has logged."""
    bridge = world.bridge
    assert bridge is not None
    refusal = world.telegram.fail("getUpdates", 401, "Unauthorized", times=None)
    world.say("the long poll ends")
    bridge.wait(60)
    refusal.end()
    world.bridge = None
    said = world.log()
    if world.telegram.token in said:
        faults["in what the bridge said"].append(said[-200:])
