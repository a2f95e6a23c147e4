"""Makes the README's pictures of real conversations, docs/*.png.

    .venv/bin/python docs/make_pictures.py      (after ./install.sh --test; takes half a minute)

* The bridge, tmux and Claude Code are the real ones, in the tests' `World`; the model's words are a
  script, and what it remembers it takes from the request that reached it.
* A picture is what the stand-in for Telegram received: text, entities, keyboards. A dashed line in
  it says what happened between the messages.
* Needs Chromium; uses pngquant, Inter, Symbola and an emoji font where they are.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from docs.chat_page import Story, render_page  # noqa: E402
from tests.standins.messages_api import ModelRequest, Reply, Say, UseTool  # noqa: E402
from tests.standins.telegram_state import Message  # noqa: E402
from tests.world import World, find_claude, wait_until  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET = (
    "sudo apt install chromium pngquant fonts-inter fonts-dejavu fonts-symbola "
    "fonts-noto-color-emoji"
)
WIDTH = 400
SCALE = 2
TAKEN, ANSWERED = "✍", "👌"

# --- what is said ---------------------------------------------------------------------------------

QUESTION = "“Crème brûlée” becomes “crme-brle” in my slugify(). Can you see why?"
ANSWER = """\
**Found it.** `encode("ascii", "ignore")` drops the whole letter, not only its accent. Take the \
accents off first:

```python
def slugify(title: str) -> str:
    flat = normalize("NFKD", title)
    flat = flat.encode("ascii", "ignore")
    words = re.findall(r"\\w+", flat.decode())
    return "-".join(words).lower()
```

What comes out now:

- `Crème brûlée` → `creme-brulee`
- `Żurek à la Zoë` → `zurek-a-la-zoe`
"""
FOLLOW_UP = "Nice! And emoji? “Pizza 🍕 night”"
FOLLOW_UP_ANSWER = "Still fine: `pizza-night`. The 🍕 has no letters, so it *melts* away."
MEMORY_TEST = "Home now. Which title broke?"
TESTS_PLEASE = "Run the tests, please"
TEST_COMMAND = "python -m unittest"
DATABASE_PLEASE = "Keep the slugs in a database, please"
CHOICE = {
    "question": "Which one shall I take?",
    "header": "Database",
    "options": [
        {"label": "SQLite", "description": "a file beside the code, nothing to run"},
        {"label": "PostgreSQL", "description": "what the shop has already"},
    ],
    "multiSelect": False,
}
FIX_PLEASE = "A test broke yesterday. Can you mend it?"
FIXED = """\
**Mended.** The accents were thrown away together with their letters; now `NFKD` takes them apart \
first. Both tests pass."""
SLUGS = """\
import re


def slugify(title):
    flat = title.encode("ascii", "ignore")
    words = re.findall(r"\\w+", flat.decode())
    return "-".join(words).lower()
"""
SLUGS_TEST = """\
import time
import unittest

from slugs import slugify


class SlugTest(unittest.TestCase):
    def test_plain(self):
        time.sleep(2)
        self.assertEqual(slugify("Hello World"), "hello-world")

    def test_accents(self):
        time.sleep(2)
        self.assertEqual(slugify("Crème brûlée"), "creme-brulee")
"""


def answer(request: ModelRequest) -> Reply:
    """The model's part; the last answer is possible only with the history of the conversation."""
    said = request.user_texts
    if said[-1] == QUESTION:
        return Say((ANSWER,))
    if said[-1] == FOLLOW_UP:
        return Say((FOLLOW_UP_ANSWER,))
    if said[-1] == MEMORY_TEST:
        titles = re.findall("“(.+?)”", "".join(said[:-1]))
        return Say((f"**{titles[0]}**. It became `{titles[1]}`." if titles else "I don't know.",))
    if request.last_result is not None:
        return Say(("All green.",))
    call = {"command": TEST_COMMAND, "description": "Run the test suite"}
    return UseTool("Bash", call)


def mend(project: Path) -> Iterator[Reply]:
    """What Claude does about the test, one answer of the model after the other."""
    module = str(project / "slugs.py")
    run = {"command": TEST_COMMAND, "description": "Run the test suite"}
    yield UseTool("TaskCreate", {"subject": "Find the failing test", "description": "Run them"})
    yield UseTool("TaskCreate", {"subject": "Mend slugify()", "description": "Accents"})
    yield UseTool("Bash", run, "Let me see which one it is.")
    yield UseTool("Read", {"file_path": module})
    yield UseTool("TaskUpdate", {"taskId": "1", "status": "completed"})
    yield UseTool("TaskUpdate", {"taskId": "2", "status": "in_progress"})
    old = '    flat = title.encode("ascii", "ignore")\n'
    new = '    flat = normalize("NFKD", title)\n    flat = flat.encode("ascii", "ignore")\n'
    yield UseTool("Edit", {"file_path": module, "old_string": old, "new_string": new})
    imports = {"old_string": "import re\n"}
    imports["new_string"] = "import re\nfrom unicodedata import normalize\n"
    yield UseTool("Edit", {"file_path": module, **imports})
    yield UseTool("Bash", run)
    yield Say((FIXED,), tokens=42_000)


def ask(world: World, text: str, reply: str, sign: str = ANSWERED) -> list[Message]:
    """Send a text; returns it and the reply when the sign is below the text."""
    asked = world.say(text)
    replied = world.reads(reply, after=asked).message_id
    wait_for_sign(world, asked, sign)
    return [world.telegram.message(world.chat, number) for number in (asked, replied)]


def wait_for_sign(world: World, message: int, sign: str) -> None:
    """Until it is below the message."""
    wait_until(lambda: sign in world.telegram.reactions(world.chat, message), f"the sign {sign}")


def play_conversation(world: World) -> Story:
    """Question and answer; then everything dies, and nothing is forgotten."""
    story = Story("Claude Code")
    world.start_bridge()
    ask(world, QUESTION, "zurek-a-la-zoe")
    ask(world, FOLLOW_UP, "pizza-night")
    world.wait_for_process("idle")
    story.add_messages(world)
    world.kill_bridge()
    world.kill_claude()
    world.kill_tmux()
    story.entries.append("kill -9: the bridge, Claude Code, tmux")
    world.start_bridge()
    ask(world, MEMORY_TEST, "Crème brûlée. It became crme-brle")
    story.add_messages(world)
    return story


def play_permission(world: World) -> Story:
    """Claude Code asks before it runs a command, and the phone has the buttons to answer."""
    story = Story("Claude Code")
    world.start_bridge()
    story.entries += ask(world, TESTS_PLEASE, "Run this command?", sign=TAKEN)
    return story


def play_turn(world: World) -> Story:
    """A turn with tools: its card while it runs, the diffs, and what is left of it at the end."""
    story = Story("Claude Code")
    world.project.joinpath("slugs.py").write_text(SLUGS)
    world.project.joinpath("test_slugs.py").write_text(SLUGS_TEST)
    allowed = {"permissions": {"allow": ["Bash", "Read", "Edit"]}}
    world.home.joinpath(".claude").mkdir(exist_ok=True)
    world.home.joinpath(".claude", "settings.json").write_text(json.dumps(allowed))
    world.settings["CLAUDE_CODE_ENABLE_TODO_TOOLS"] = "1"
    script = mend(world.project)
    world.model.answer = lambda request: next(script)
    world.start_bridge()
    asked = world.say(FIX_PLEASE)
    world.reads("import normalize")
    card = wait_until(lambda: _running_again(world), "the tests run once more")
    story.entries += [world.telegram.message(world.chat, asked), card]
    story.entries.append("when it is done")
    world.reads("Both tests pass")
    wait_until(lambda: world.cards()[0].text.startswith("✅"), "the card is folded")
    wait_for_sign(world, asked, ANSWERED)
    story.entries += world.telegram.messages(world.chat)
    return story


def play_question(world: World) -> Story:
    """Claude asks which way to go, with a button for each."""
    story = Story("Claude Code")
    world.model.answer = lambda request: UseTool("AskUserQuestion", {"questions": [CHOICE]})
    world.start_bridge()
    story.entries += ask(world, DATABASE_PLEASE, "Which one", sign=TAKEN)
    return story


def play_screen(world: World) -> Story:
    """The terminal as a picture, with keys below it."""
    story = Story("Claude Code")
    world.start_bridge()
    ask(world, QUESTION, "zurek-a-la-zoe")
    ask(world, FOLLOW_UP, "pizza-night")
    asked = world.say("/screen")
    shown = wait_until(lambda: [m for m in world.telegram.messages(world.chat) if m.media], "it")
    story.entries += [world.telegram.message(world.chat, asked), *shown]
    return story


def _running_again(world: World) -> Message | None:
    card = world.cards()[0]
    return card if "Running Bash" in card.text and "✏️" in card.text else None


# --- a page as a picture --------------------------------------------------------------------------


def take_picture(page: str, picture: Path) -> None:
    """Screenshot the page, as high as it is, and make the file small."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(page, encoding="utf-8")
        said = _browse(folder, "--dump-dom", "--window-size=600,600", source.as_uri())
        found = re.search(r'data-height="(\d+)"', said)
        if found is None:
            raise SystemExit("Chromium did not show the page.")
        size = f"--window-size={WIDTH},{found[1]}"
        raw = Path(folder) / "raw.png"
        scale = f"--force-device-scale-factor={SCALE}"
        _browse(folder, f"--screenshot={raw}", size, scale, source.as_uri())
        _shrink(raw, picture)
    print(f"{picture.name}: {picture.stat().st_size >> 10} KB")


def _browse(folder: str, *options: str) -> str:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"Chromium is missing. Get it with: {HOW_TO_GET}")
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    quiet += ["--hide-scrollbars", f"--user-data-dir={folder}/profile"]
    done = subprocess.run(
        [browser, *quiet, *options], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


def _shrink(raw: Path, picture: Path) -> None:
    program = shutil.which("pngquant")
    if program is None:
        shutil.copyfile(raw, picture)
        return
    options = ["--force", "--strip", "--speed=1", "--quality=70-98"]
    subprocess.run([program, *options, "--output", str(picture), str(raw)], check=True)


def main() -> None:
    """Play the stories, or those that are named, and take their pictures."""
    claude = find_claude()
    if claude is None or shutil.which("tmux") is None:
        raise SystemExit("Claude Code or tmux is missing. Get them as ./install.sh --test says.")
    stories: dict[str, Callable[[World], Story]] = {
        "conversation.png": play_conversation,
        "permission.png": play_permission,
        "turn.png": play_turn,
        "question.png": play_question,
        "screen.png": play_screen,
    }
    named = {name: play for name, play in stories.items() if name in sys.argv[1:]}
    for name, play in (named or stories).items():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            world = World(Path(folder), claude)
            world.project = world.home / "slugs"
            world.model.answer = answer
            with world:
                story = play(world)
        take_picture(render_page(story), DOCS / name)


if __name__ == "__main__":
    main()
