"""Agents, end to end: what the model is told to be, with the whole history, and the way back."""

from __future__ import annotations

from restoration import GO_ON
from tests.standins.messages_api import ModelRequest
from tests.test_bridge_steering import press, write_agent
from tests.test_bridge_uploads import send_picture
from tests.world import World, wait_until

SECURITY = "You are a security engineer reviewing this project"
PM = "You are the product manager of this project"
CODEGEN = "You are a senior engineer who writes the code"
OWN = "SECURITYAGENT"


def turn(world: World, text: str) -> ModelRequest:
    """The last turn that this text began."""
    return next(t for t in reversed(world.model.turns) if t.user_texts[-1] == text)


def test_an_agent_that_comes_with_the_bridge_is_chosen_with_the_history_intact(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("/agent pm", "Agent: pm, from the next message on")  # before the first message
    world.ask("my cat is called Grace", "Echo")
    assert PM in turn(world, "my cat is called Grace").system_text
    listed = world.ask("/agent", "Agent: pm")
    assert listed.labels[:5] == ["default", "auto", "✓ pm", "codegen", "security"]
    assert "• security: Looks for holes like an attacker" in (listed.text or "")
    press(world, "Agent: pm", "security")
    world.reads("Agent: security, from now on")
    assert world.ask("recall", "You told me").text == "You told me: my cat is called Grace"
    assert SECURITY in turn(world, "recall").system_text
    world.ask("/agent default", "Agent: default, from now on")
    world.ask("and now", "Echo: and now")
    assert PM not in turn(world, "and now").system_text
    assert SECURITY not in turn(world, "and now").system_text
    shown = world.ask("/status", "Agent: default").text or ""
    assert "Before: security. Escalations: 0. Trail: default → pm → security → default" in shown


def test_a_persons_own_agent_of_the_same_name_goes_first(world: World) -> None:
    write_agent(world)
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    listed = world.ask("/agent", "Agent: default")
    assert {"security", "claude-telegram:security"} <= set(listed.labels)
    world.ask("/agent security", "Agent: security, from now on")
    world.ask("own", "Echo: own")
    assert OWN in turn(world, "own").system_text
    world.ask("@claude-telegram:security ours", "Echo: ours")
    assert SECURITY in turn(world, "ours").system_text


def test_one_message_is_for_the_agent_that_it_names_and_the_next_is_not(world: World) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.say("@security recall")
    world.say("and who are you?")
    assert world.reads("You told me").text == "You told me: my cat is called Grace"
    world.reads("Echo: and who are you?")
    assert SECURITY in turn(world, "recall").system_text
    assert SECURITY not in turn(world, "and who are you?").system_text
    world.ask("@security last", "Echo: last")
    world.ask("@nobody is an agent", "Echo: @nobody is an agent")
    assert SECURITY not in turn(world, "@nobody is an agent").system_text
    photo = send_picture(world, caption="@security this picture")
    world.reads("Echo:", after=photo)
    last = world.model.turns[-1]
    assert SECURITY in last.system_text
    assert "@security" not in str(last.user_texts)
    shown = world.ask("/agent", "Agent:").text or ""
    assert "Escalations: 3. Trail: default → security (@) → default → security (@)" in shown
    kept = world.ask("/history", "You told me: my cat").text or ""
    assert "Claude (security):\nYou told me: my cat" in kept
    assert not [text for text in world.texts() if "Resumed" in text]


def test_the_session_goes_back_to_its_agent_by_itself(world: World) -> None:
    world.start_bridge()
    world.ask("/agent pm", "Agent: pm")
    world.ask("hello", "Echo: hello")
    before = world.wait_for_process("idle").pid
    world.ask("@security look", "Echo: look")
    wait_until(
        lambda: [s.state["launched"]["agent"] for s in world.sessions()] == ["claude-telegram:pm"],
        "the process is the session's own agent again",
    )
    assert world.wait_for_process("idle").pid != before
    assert "detour" not in world.sessions()[0].state


def test_a_crash_in_the_middle_forgets_neither_whom_a_message_was_for_nor_the_way_back(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.say("@security hold paint")
    world.model.wait_for_text("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "the prompt is in the transcript")
    world.say("@pm plan it")
    inbox = world.state / "bridge" / "inbox.journal"
    wait_until(lambda: "plan it" in inbox.read_text(), "it is taken")
    world.kill_bridge(at_rest=False)
    world.kill_tmux()
    world.start_bridge()
    told = world.reads("Claude Code ended while it worked at “hold paint”").text or ""
    assert "as security" in told
    world.reads("Echo: plan it")
    assert PM in turn(world, "plan it").system_text
    world.ask("and you?", "Echo: and you?")
    found = turn(world, "and you?").system_text
    assert SECURITY not in found
    assert PM not in found
    press(world, "Claude Code ended", "Continue")
    world.reads("This conversation has gone on")
    assert not [t for t in world.model.turns if t.user_texts[-1] == GO_ON]


def test_auto_gives_each_message_to_whom_its_words_speak_for_and_says_how_sure_it_is(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.ask("/agent auto", "Agent: auto, from the next message on")
    world.ask("hello again", "Echo: hello again")
    assert SECURITY not in turn(world, "hello again").system_text
    world.say("hold paint")
    world.wait_for_process("busy")
    asked = world.say("is there an sql injection, an exploit?")
    wait_until(lambda: "sql injection" not in world.transcripts(), "it waits for the turn's end")
    world.model.release("paint")
    world.reads("Agent: security (89% sure: exploit*, injection)", after=asked)
    world.reads("Echo: is there an sql injection", after=asked)
    assert SECURITY not in turn(world, "hold paint").system_text
    assert SECURITY in turn(world, "is there an sql injection, an exploit?").system_text
    assert world.ask("recall", "You told me: my cat is called Grace | hello again")
    assert SECURITY in turn(world, "recall").system_text
    world.ask("implement the fix, refactor the function", "Echo: implement")
    assert CODEGEN in turn(world, "implement the fix, refactor the function").system_text
    shown = world.ask("/agent", "Agent: auto, now codegen (").text or ""
    assert "Escalations: 2. Trail: default → security (auto) → codegen (auto)" in shown


def test_the_rules_of_auto_can_be_changed(world: World) -> None:
    rules = world.home / ".config" / "claude-telegram" / "routing.toml"
    rules.parent.mkdir(parents=True)
    rules.write_text('[agents.pm]\n"whiskers" = 9\n')
    world.start_bridge()
    world.ask("/agent auto", "Agent: auto")
    world.ask("whiskers", "Echo: whiskers")
    assert PM in turn(world, "whiskers").system_text


def test_what_was_for_another_agent_goes_on_as_that_agent_and_then_goes_back(world: World) -> None:
    world.settings["BRIDGE_RESUME_ON_START"] = "true"
    world.start_bridge()
    world.ask("my cat is called Grace", "Echo")
    world.say("@security hold paint")
    world.model.wait_for_text("hold paint")
    wait_until(lambda: "hold paint" in world.transcripts(), "the prompt is in the transcript")
    world.kill_bridge()
    world.kill_tmux()
    world.start_bridge()
    world.reads(f"Echo: {GO_ON}")
    assert SECURITY in turn(world, GO_ON).system_text
    world.ask("and you?", "Echo: and you?")
    assert SECURITY not in turn(world, "and you?").system_text


def test_what_another_agent_can_not_have_now_is_refused_and_not_given_to_this_one(
    world: World,
) -> None:
    world.start_bridge()
    world.ask("hello", "Echo: hello")
    world.wait_for_process("idle")
    world.tmux("send-keys", "-l", "half a thou")
    wait_until(lambda: "half a thou" in world.screen(), "it stands in the box")
    told = world.ask("@security look", "security can't take over now").text or ""
    assert told.startswith("Not delivered: “look”")
    world.ask("/status", "Agent: default")
    assert "half a thou" in world.screen()
    assert [t.user_texts[-1] for t in world.model.turns] == ["hello"]
