"""A loopback stand-in for Anthropic's Messages API that refuses what the real one refuses.

Its answer is a function of the request (a `Reply`), so a test of `--resume` proves that the history
really reached the model: the default, `answer_by_prompt`, lets a prompt say what it wants.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from aiohttp import web

from tests.standins.loop_thread import LoopThread

API_KEY = "sk-ant-test-0000000000000000000000000000000000000000"
OAUTH_TOKEN = "sk-ant-oat01-test-000000000000000000000000000000000000"


@dataclass(frozen=True)
class Say:
    """Text, in pieces as they are streamed; `hold` names an event that each piece waits for.

    `tokens`: how many the model claims to have read for it; `thinking`: what it thinks before it.
    """

    pieces: tuple[str, ...]
    hold: str | None = None
    tokens: int = 100
    thinking: str = ""


@dataclass(frozen=True)
class UseTool:
    """Call one tool, with some text before it."""

    name: str
    arguments: dict[str, Any]
    text: str = ""


@dataclass(frozen=True)
class Fail:
    """Answer with an HTTP error."""

    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


Reply = Say | UseTool | Fail

_ERROR_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class ModelRequest:
    """One request as it reached the model."""

    body: dict[str, Any]
    at: float

    @cached_property
    def is_turn(self) -> bool:
        """Whether this is the conversation (side jobs such as titles carry no tools)."""
        return bool(self.body.get("tools"))

    @cached_property
    def user_texts(self) -> list[str]:
        """What the person wrote, oldest first, without what Claude Code puts around it."""
        texts = []
        for message in self.body["messages"]:
            if message["role"] == "user":
                texts += [text for text in _texts(message["content"]) if not _is_added(text)]
        return texts

    @cached_property
    def last_result(self) -> str | None:
        """The text of the tool result that the last user message carries, if it does."""
        for message in reversed(self.body["messages"]):
            if message["role"] == "user":
                content = message["content"]
                blocks = content if isinstance(content, list) else []
                found = [b for b in blocks if b.get("type") == "tool_result"]
                if any(not _is_added(text) for text in _texts(blocks)):
                    return None  # the person has gone on to something else
                return "\n".join(_texts(found[-1].get("content", ""))) if found else None
        return None

    @property
    def system_text(self) -> str:
        """The system prompt."""
        return "\n".join(_texts(self.body.get("system", "")))


_SPEAKER = re.compile(r"^[A-Z]\w*: (?=(?:recall|tool|hold|count|say|fail)\b)")


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [block["text"] for block in content if block.get("type") == "text"]


def _is_added(text: str) -> bool:
    added = ("<system-reminder>", "<local-command", "<command-name>", "[Request interrupted")
    return text.lstrip().startswith(added)


def answer_by_prompt(request: ModelRequest) -> Reply:
    """What the last thing that the person wrote asks for.

    `recall` repeats all earlier texts; `tool NAME JSON` calls a tool and reports its result;
    `hold NAME` waits for `release(NAME)`; `say TEXT` says it, `count NUMBER` says that many words;
    `fail STATUS` is an error; all else is echoed. The name of who speaks may stand before it.
    """
    result = request.last_result
    if result is not None:
        return Say((f"The tool said: {result}",))
    texts = request.user_texts
    last = texts[-1] if texts else ""
    word, _, rest = _SPEAKER.sub("", last.strip()).partition(" ")
    match word:
        case "recall":
            return Say(("You told me: " + " | ".join(texts[:-1]),))
        case "tool":
            name, _, arguments = rest.partition(" ")
            return UseTool(name, json.loads(arguments))
        case "hold":
            return Say((f"Held {rest}.\n", "And done."), hold=rest)
        case "count":
            return Say((" ".join(f"word{number}" for number in range(int(rest))),))
        case "say":
            return Say((rest,))
        case "fail":
            return Fail(int(rest), _ERROR_KINDS[int(rest)], "The stand-in was told to fail")
        case _:
            return Say((f"Echo: {last}",))


class MessagesApi:
    """The server; `answer` may be replaced at any time."""

    def __init__(self, answer: Callable[[ModelRequest], Reply] = answer_by_prompt) -> None:
        self.answer = answer
        self.requests: list[ModelRequest] = []
        self.refused: list[str] = []
        self._changed = threading.Condition()
        self._held: dict[str, asyncio.Event] = {}
        self._server = LoopThread(self._application, name="messages-api")

    @property
    def url(self) -> str:
        return self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._held):
            self.release(name)
        self._server.stop()

    @property
    def turns(self) -> list[ModelRequest]:
        """The requests of conversations, oldest first."""
        with self._changed:
            return [request for request in self.requests if request.is_turn]

    def release(self, name: str) -> None:
        """Let the replies held under `name` go on."""
        self._server.call(self._event(name).set)

    def wait_for(
        self, found: Callable[[ModelRequest], bool], *, after: int = 0, timeout: float = 20.0
    ) -> ModelRequest:
        """The first conversation request, from number `after` on, that is `found`.

        Raises:
            AssertionError: none came within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                turns = [request for request in self.requests if request.is_turn]
                for request in turns[after:]:
                    if found(request):
                        return request
                left = deadline - time.monotonic()
                if left <= 0:
                    seen = [request.user_texts[-1:] for request in turns]
                    raise AssertionError(f"the model was never asked; it saw {seen}")
                self._changed.wait(left)

    def wait_for_text(self, text: str, *, timeout: float = 20.0) -> ModelRequest:
        """The first request whose last text from the person is `text` to the byte."""
        return self.wait_for(lambda r: r.user_texts[-1:] == [text], timeout=timeout)

    def _event(self, name: str) -> asyncio.Event:
        return self._held.setdefault(name, asyncio.Event())

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_post("/v1/messages", self._messages)
        application.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        application.router.add_route("*", "/{path:.*}", self._not_found)
        return application

    async def _not_found(self, request: web.Request) -> web.Response:
        return _error(Fail(404, "not_found_error", f"Not found: {request.path}"))

    async def _count_tokens(self, request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response({"input_tokens": len(json.dumps(body)) // 4})

    async def _messages(self, http: web.Request) -> web.StreamResponse:
        body = await http.json()
        refusal = _refusal(http, body)
        if refusal is not None:
            self.refused.append(refusal.message)
            return _error(refusal)
        request = ModelRequest(body, time.monotonic())
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        reply = self.answer(request) if request.is_turn else Say(('{"title": "A test"}',))
        if isinstance(reply, Fail):
            return _error(reply)
        if not body.get("stream"):
            return web.json_response(_whole_message(body, reply))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(http)
        try:
            async for event in self._events(body, reply):
                data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
                await response.write(data.encode())
        except ConnectionResetError:  # the client interrupted the turn
            pass
        return response

    async def _events(self, body: dict[str, Any], reply: Say | UseTool) -> AsyncIterator[Any]:
        tokens = reply.tokens if isinstance(reply, Say) else 100
        yield {"type": "message_start", "message": _message(body, [], None, tokens)}
        for index, block in enumerate(_blocks(reply)):
            start = {"type": "content_block_start", "index": index}
            yield {**start, "content_block": block | _EMPTY[block["type"]]}
            for delta in _deltas(block, reply):
                if isinstance(reply, Say) and reply.hold and delta.get("text") in reply.pieces[1:]:
                    await self._event(reply.hold).wait()
                yield {"type": "content_block_delta", "index": index, "delta": delta}
            yield {"type": "content_block_stop", "index": index}
        stop = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
        yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 12}}
        yield {"type": "message_stop"}


_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}


def _blocks(reply: Say | UseTool) -> list[dict[str, Any]]:
    if isinstance(reply, Say):
        thought = {"type": "thinking", "thinking": reply.thinking, "signature": "c2lnbmVk"}
        text = {"type": "text", "text": "".join(reply.pieces)}
        return [thought, text] if reply.thinking else [text]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    identifier = f"toolu_{uuid.uuid4().hex[:24]}"
    call = {"type": "tool_use", "id": identifier, "name": reply.name, "input": reply.arguments}
    return [*blocks, call]


def _deltas(block: dict[str, Any], reply: Say | UseTool) -> list[dict[str, Any]]:
    if block["type"] == "tool_use":
        return [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    if block["type"] == "thinking":
        return [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    pieces = reply.pieces if isinstance(reply, Say) else (block["text"],)
    return [{"type": "text_delta", "text": piece} for piece in pieces]


def _stop_reason(reply: Say | UseTool) -> str:
    return "end_turn" if isinstance(reply, Say) else "tool_use"


def _message(
    body: dict[str, Any], content: list[Any], stop: str | None, tokens: int = 100
) -> dict[str, Any]:
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": tokens, "output_tokens": 1},
    }


def _whole_message(body: dict[str, Any], reply: Say | UseTool) -> dict[str, Any]:
    return _message(body, _blocks(reply), _stop_reason(reply))


def _error(reply: Fail) -> web.Response:
    error = {"type": "error", "error": {"type": reply.kind, "message": reply.message}}
    return web.json_response(error, status=reply.status, headers=reply.headers)


def _refusal(http: web.Request, body: Any) -> Fail | None:
    is_subscriber = http.headers.get("authorization") == f"Bearer {OAUTH_TOKEN}"
    if http.headers.get("x-api-key") != API_KEY and not is_subscriber:
        return Fail(401, "authentication_error", "invalid x-api-key")
    if not http.headers.get("anthropic-version"):
        return Fail(400, "invalid_request_error", "anthropic-version: header is required")
    problem = _body_problem(body)
    return Fail(400, "invalid_request_error", problem) if problem else None


def _body_problem(body: Any) -> str | None:
    for name, kind in (("model", str), ("max_tokens", int), ("messages", list)):
        if not isinstance(body.get(name), kind):
            return f"{name}: Field required"
    if not body["messages"]:
        return "messages: at least one message is required"
    open_calls: set[str] = set()
    for number, message in enumerate(body["messages"]):
        problem = _message_problem(f"messages.{number}", message, open_calls)
        if problem:
            return problem
    return None


def _message_problem(where: str, message: Any, open_calls: set[str]) -> str | None:
    if message.get("role") not in ("user", "assistant", "system"):
        return f"{where}: role: Input should be 'user' or 'assistant'"
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            return f"{where}: text content blocks must contain non-whitespace text"
        if block["type"] == "tool_result":
            if block["tool_use_id"] not in open_calls:
                return f"{where}: unexpected `tool_use_id` found in `tool_result` blocks"
            open_calls.discard(block["tool_use_id"])
    if message["role"] == "user" and open_calls:
        return f"{where}: `tool_use` ids were found without `tool_result` blocks after"
    if message["role"] == "assistant":
        open_calls.update(block["id"] for block in blocks if block["type"] == "tool_use")
    return None
