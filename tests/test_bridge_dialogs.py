"""Dialogs that no hook answers, end to end: an MCP server that is new and asks a person."""

from __future__ import annotations

import json
import sys

from tests.standins.messages_api import UseTool
from tests.standins.telegram_state import Message
from tests.test_bridge_cards import card, plays
from tests.test_bridge_requests import press
from tests.world import World, wait_until

SERVER = """
import json, sys

def send(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def answer(call, result):
    send(id=call["id"], result=result)

for line in sys.stdin:
    call = json.loads(line)
    match call.get("method"):
        case "initialize":
            told = {"name": "lab", "version": "1"}
            version = call["params"]["protocolVersion"]
            answer(call, {"protocolVersion": version, "capabilities": {"tools": {}},
                          "serverInfo": told})
        case "tools/list":
            tool = {"name": "greet", "description": "Greets", "inputSchema": {"type": "object"}}
            answer(call, {"tools": [tool]})
        case "tools/call":
            asked = call
            fields = {"name": {"type": "string", "title": "Name"}}
            form = {"type": "object", "properties": fields, "required": ["name"]}
            params = {"message": "Who are you?", "requestedSchema": form}
            send(id="q", method="elicitation/create", params=params)
        case None if call.get("id") == "q":
            answer(asked, {"content": [{"type": "text", "text": json.dumps(call["result"])}]})
        case _ if "id" in call:
            answer(call, {})
"""


def test_a_new_mcp_server_is_trusted_and_its_form_is_filled_in_from_the_phone(world: World) -> None:
    server = world.root / "server.py"
    server.write_text(SERVER)
    command = {"command": sys.executable, "args": [str(server)]}
    (world.project / ".mcp.json").write_text(json.dumps({"mcpServers": {"lab": command}}))
    search = UseTool("ToolSearch", {"query": "select:mcp__lab__greet", "max_results": 1})
    plays(world, search, UseTool("mcp__lab__greet", {}))
    world.start_bridge()
    world.say("go")
    dialog = world.reads("New MCP server found")
    press(world, dialog, "Use this MCP server")
    asked = world.reads("Use lab: greet?")
    press(world, asked, "Allow")
    form = world.reads("Who are you?")
    assert "🔌 lab: greet …" in card(world, "lab: greet").text
    assert not form.is_silent
    world.telegram.send_text(world.chat, world.user, "Ada", reply_to=form.message_id)
    wait_until(lambda: "Name: Ada" in now(world, form).text, "it is typed, and shown")
    before = now(world, form).buttons
    press(world, form, "↓")
    wait_until(lambda: "❯ Accept" in now(world, form).text, "it is marked")
    wait_until(lambda: now(world, form).buttons != before, "the keys are fresh")
    press(world, form, "Enter")
    world.reads('The tool said: {"action": "accept", "content": {"name": "Ada"}}')


def now(world: World, message: Message) -> Message:
    return world.telegram.message(world.chat, message.message_id)
