"""What Claude changes in files, as the chat shows it, from end to end."""

from __future__ import annotations

from tests.standins.messages_api import Reply, Say, UseTool
from tests.test_bridge_cards import allows_all, plays, press
from tests.world import World, wait_until


def writes(world: World, name: str, text: str) -> UseTool:
    return UseTool("Write", {"file_path": str(world.project / name), "content": text})


def edits(world: World, name: str, old: str, new: str) -> UseTool:
    path = str(world.project / name)
    return UseTool("Edit", {"file_path": path, "old_string": old, "new_string": new})


def work(world: World, *replies: Reply) -> None:
    """Let Claude do that, and say so at the end."""
    allows_all(world)
    plays(world, *replies, Say(("All done.",)))
    world.start_bridge()
    world.say("go")
    world.reads("All done.")


def test_an_edit_is_a_short_silent_diff(world: World) -> None:
    (world.project / "a.txt").write_text("one\ntwo\nthree\n")
    read = UseTool("Read", {"file_path": str(world.project / "a.txt")})
    work(world, read, edits(world, "a.txt", "two", "TWO\nmore"))
    shown = world.reads("a.txt +2 −1")
    assert shown.text == "✏️ a.txt +2 −1\n\n@@ -1,3 +1,4 @@\n one\n-two\n+TWO\n+more\n three"
    assert [(e["type"], e.get("language")) for e in shown.entities] == [
        ("code", None),
        ("pre", "diff"),
    ]
    assert shown.is_silent
    assert shown.labels == []
    assert not world.reads("All done.").is_silent


def test_a_long_one_is_cut_and_a_button_shows_the_whole(world: World) -> None:
    text = "".join(f"line {number}\n" for number in range(100))
    work(world, writes(world, "new.txt", text))
    shown = world.reads("… 71 more lines")
    assert shown.text.startswith("📄 new new.txt +100\n")
    world.kill_bridge()
    world.start_bridge()
    press(world, shown, "Show the whole")
    wait_until(lambda: world.telegram.messages(world.chat)[-1].media, "a file")
    sent = world.telegram.messages(world.chat)[-1]
    assert sent.media is not None
    assert sent.media.file.name == "new.txt.diff"
    assert sent.data is not None
    lines = sent.data.decode().splitlines()
    assert lines[:4] == ["--- /dev/null", "+++ b/new.txt", "@@ -0,0 +1,100 @@", "+line 0"]
    assert lines[-1] == "+line 99"
    wait_until(lambda: not world.telegram.message(world.chat, shown.message_id).labels, "no button")


def test_an_edit_that_fails_shows_no_diff(world: World) -> None:
    (world.project / "a.txt").write_text("one\n")
    read = UseTool("Read", {"file_path": str(world.project / "a.txt")})
    work(world, read, edits(world, "a.txt", "nope", "x"))
    assert world.texts() == ["All done."]


def test_a_notebook_is_edited_cell_by_cell(world: World) -> None:
    notebook = world.project / "n.ipynb"
    notebook.write_text(
        '{"cells": [{"cell_type": "code", "id": "c1", "metadata": {}, "execution_count": null,'
        ' "outputs": [], "source": ["print(1)"]}], "metadata": {}, "nbformat": 4,'
        ' "nbformat_minor": 5}'
    )
    search = UseTool("ToolSearch", {"query": "select:NotebookEdit", "max_results": 1})
    read = UseTool("Read", {"file_path": str(notebook)})
    edit = {"notebook_path": str(notebook), "cell_id": "c1", "new_source": "print(2)"}
    work(world, search, read, UseTool("NotebookEdit", edit))
    assert "-print(1)\n+print(2)" in world.reads("n.ipynb +1 −1").text


def test_what_is_said_before_a_tool_wakes_nobody(world: World) -> None:
    work(world, UseTool("Bash", {"command": "echo one", "description": "x"}, "First a look."))
    assert world.reads("First a look.").is_silent
    assert not world.reads("All done.").is_silent
