"""A small Messages API on a loopback port: the model that the self-test's Claude Code talks to.

* Standard library only, and nothing but this machine: no account, no cost, no internet.
* Its answer is a function of what the person wrote last, so that what really reached the model can
  be told from what was only shown.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

API_KEY = "sk-ant-self-test-00000000000000000000000000000000"
WAIT = "Please wait"
AGENT_TASK = "Please look around"
FAILED = "The self-test wanted this error"

_OK = 200
_HOLD_SECONDS = 30.0
_ADDED = (
    *("<system-reminder>", "<local-command", "<command-name>", "<task-notification>"),
    "[Request interrupted by user",
)
# What Claude Code asks the model on its own, as if a person had: a first breath, and what a person
# may want to say next (an answer would stand in the input box, and Enter could send it).
_OWN_BUSINESS = ("Warmup", "[SUGGESTION")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says; when `is_held`, without its end until the self-test's.

    With another `status` than 200 it is an error of the service's.
    """

    content: list[dict[str, Any]]
    is_held: bool = False
    status: int = _OK


@dataclass(frozen=True, slots=True)
class Turn:
    """A request that a person's words made; `texts`: all of these so far, oldest first."""

    texts: list[str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """What the person wrote last."""
        return self.texts[-1]

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.body.get("model"))

    @property
    def effort(self) -> str:
        """How hard it is to think; "" when nothing is said of it."""
        output = self.body.get("output_config")
        return str(output.get("effort") or "") if isinstance(output, dict) else ""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that the model may call."""
        return [str(tool.get("name")) for tool in self.body["tools"]]

    def has(self, words: str) -> bool:
        """Whether the words reach the model anywhere, also in its system prompt."""
        return words in json.dumps(self.body, ensure_ascii=False)


class ModelServer:
    """Listens between `with` and its end; `turns` may be read from any thread."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._planned: dict[str, Answer] = {WAIT: Answer([_text_block("I wait.")], is_held=True)}
        self._released = threading.Event()
        server = self

        class Handler(_Handler):
            model = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="self-test model", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def plan(self, prompt: str, answer: Answer) -> None:
        """Let this be the answer to a prompt that begins so."""
        self._planned[prompt] = answer

    def hold(self) -> None:
        """Wait, in the middle of an answer, until the self-test ends."""
        self._released.wait(_HOLD_SECONDS)

    def answer(self, body: dict[str, Any]) -> Answer:
        """The answer to a request; a turn of the conversation is noted in `turns`."""
        texts = _texts_of_person(body["messages"])
        last = texts[-1] if texts else ""
        if last.startswith(_OWN_BUSINESS):
            return Answer([])
        if not body.get("tools"):
            return Answer([_text_block('{"title": "Self-test"}')])
        newest = _since_last_answer(body["messages"])
        if not _texts_of_person(newest):
            words = "The tool has run." if _has_result(newest) else "That is noted."
            return Answer([_text_block(words)])
        if last.startswith(AGENT_TASK):
            return Answer([_text_block("I have looked around.")])
        self.turns.append(Turn(texts, body))
        planned = (answer for prompt, answer in self._planned.items() if last.startswith(prompt))
        return next(planned, None) or Answer([_text_block(render_answer(last))])


class _Handler(BaseHTTPRequestHandler):
    """One request; `model` is set by the server."""

    model: ModelServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer /v1/messages as a stream or whole, and the token count."""
        length = int(self.headers.get("content-length") or 0)
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            self._send_json({"type": "error", "error": {"type": "invalid_request_error"}}, 400)
            return
        if self.path.partition("?")[0].endswith("/count_tokens"):
            self._send_json({"input_tokens": 100})
            return
        answer = self.model.answer(body)
        if answer.status != _OK:
            error = {"type": "invalid_request_error", "message": FAILED}
            self._send_json({"type": "error", "error": error}, answer.status)
        elif body.get("stream"):
            self._send_stream(body, answer)
        else:
            self._send_json(_message(body, answer.content))

    def do_GET(self) -> None:
        """There is nothing to get."""
        self._send_json({"type": "error", "error": {"type": "not_found_error"}}, 404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Keep quiet."""

    def _send_json(self, value: Any, status: int = _OK) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_stream(self, body: dict[str, Any], answer: Answer) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for event in _events(body, answer.content):
                if answer.is_held and event["type"] == "content_block_stop":
                    self.model.hold()
                data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
                self.wfile.write(data.encode())
                self.wfile.flush()
        except OSError:  # the turn was interrupted
            return


def render_answer(text: str) -> str:
    """What the model says to `text`."""
    return f"The model read {len(text)} characters, which begin: {text[:20].strip()}\n"


def call_tools(*calls: tuple[str, dict[str, Any]]) -> Answer:
    """The model calls these tools, all at once: (name, input)."""
    return Answer(
        [
            {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:24]}", "name": n, "input": given}
            for n, given in calls
        ]
    )


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _texts_of_person(messages: Sequence[dict[str, Any]]) -> list[str]:
    """What the person wrote, oldest first, without what Claude Code puts around it."""
    texts = []
    for message in messages:
        if message.get("role") == "user":
            texts += [text for text in _texts(message.get("content")) if not _is_added(text)]
    return texts


def _since_last_answer(messages: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """What stands behind the model's last words."""
    answers = [n for n, message in enumerate(messages) if message.get("role") == "assistant"]
    return messages[answers[-1] + 1 :] if answers else messages


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    return [block["text"] for block in blocks if block.get("type") == "text"]


def _is_added(text: str) -> bool:
    return text.lstrip().startswith(_ADDED)


def _has_result(messages: Sequence[dict[str, Any]]) -> bool:
    """Whether they carry a tool's result."""
    contents = [message.get("content") for message in messages]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return any(block.get("type") == "tool_result" for block in blocks)


def _message(body: dict[str, Any], content: list[dict[str, Any]]) -> dict[str, Any]:
    is_call = any(block["type"] == "tool_use" for block in content)
    return {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model", ""),
        "content": content,
        "stop_reason": "tool_use" if is_call else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": 12},
    }


def _events(body: dict[str, Any], content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    whole = _message(body, content)
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    for index, block in enumerate(content):
        is_text = block["type"] == "text"
        empty: dict[str, Any] = {"text": ""} if is_text else {"input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if is_text
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        yield {"type": "content_block_start", "index": index, "content_block": block | empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 12}}
    yield {"type": "message_stop"}
