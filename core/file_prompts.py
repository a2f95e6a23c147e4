"""What people send besides texts, as a prompt: their words, and a line for each file.

* `@"/path"` attaches a file to the prompt: pictures and texts of a sensible size, which Claude Code
  reads at once and without asking. All else is named by its path, for Claude's own tools.
* The prompt begins with the person's words, but for words that the terminal would run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.conversation import quote
from core.file_names import name_in_prompt, render_size
from core.keystrokes import clean
from core.model import FileKind, FilesSent, LocationSent

MOST_BYTES_OF_TEXT = 100_000
MOST_BYTES_OF_PICTURE = 5 << 20

_WORDS: dict[FileKind, str] = {"voice": "voice message", "video_note": "video message"}
_RUN_AT_THE_TERMINAL = ("/", "!")


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that somebody sent, as it is kept here: `name` is the sender's, `path` ours."""

    path: str
    kind: FileKind
    name: str
    size: int
    seconds: int | None = None
    is_attached: bool = False


def render_file_prompt(words: str, files: Sequence[KeptFile]) -> str:
    """The prompt of files and the words that came with them."""
    lines = "\n".join(_render_file(file) for file in files)
    if not words.strip():
        return lines
    if clean(words).lstrip().startswith(_RUN_AT_THE_TERMINAL):
        return f"{lines}\n\n{words}"
    return f"{words}\n\n{lines}"


def render_dictation(words: str, dictated: str) -> str:
    """The prompt of a voice message, which may come with words; never a command."""
    prompt = f"[Dictated, so words may be wrong]\n{dictated}"
    return f"{prompt}\n\n{words}" if words.strip() else prompt


def render_location(message: LocationSent) -> str:
    """The prompt of a place on the map."""
    title = f" “{name_in_prompt(message.title)}”" if message.title else ""
    place = f"latitude {message.latitude:.6f}, longitude {message.longitude:.6f}"
    return mark_foreign(f"[location{title}: {place}]", message.forwarded_from)


def read_words(message: FilesSent) -> str:
    """The words that came with the files, marked where they are not the sender's own."""
    words = mark_foreign(message.caption, message.forwarded_from)
    if message.quoted is not None and message.forwarded_from is None:
        return f"{quote('Quoted', message.quoted)}\n\n{words}".rstrip()
    return words


def mark_foreign(text: str, forwarded_from: str | None) -> str:
    """The text, marked as another's if it was forwarded; never a command then."""
    if forwarded_from is None:
        return text
    what = f"Forwarded from {name_in_prompt(forwarded_from)}"
    return quote(what, text) if text else f"[{what}]"


def _render_file(file: KeptFile) -> str:
    details = [_WORDS.get(file.kind, file.kind)]
    if file.name:
        details[0] += f" “{name_in_prompt(file.name)}”"
    if file.seconds:
        details.append(f"{file.seconds // 60}:{file.seconds % 60:02}")
    if not file.is_attached:
        details.append(render_size(file.size))
    path = f'@"{file.path}"' if file.is_attached and '"' not in file.path else file.path
    return f"[{', '.join(details)}] {path}"
