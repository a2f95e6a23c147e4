"""Names of files: what is made of a stranger's name for a path, for a prompt and for a button.

* A path is made of a number of ours, a few plain letters and perhaps a plain extension: never of
  the name itself.
* In a prompt a name is a word without meaning: nothing in it is a mention (`@`), a command, a line
  or a bracket of ours.
"""

from __future__ import annotations

import re
import unicodedata

from core.model import FileKind, RemoteFile

LONGEST_LABEL = 36
MOST_BYTES_SENT = 50 << 20
"""What a bot may send at most."""

_LONGEST_STEM = 40
_LONGEST_SHOWN = 80
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9]+")
_EXTENSION = re.compile(r"\.([A-Za-z0-9]{1,10})$")
_BY_KIND: dict[FileKind, str] = {
    "photo": "jpg",
    "document": "",  # with "bin" Claude Code would not read it, though it may be a text
    "voice": "ogg",
    "audio": "mp3",
    "video": "mp4",
    "video_note": "mp4",
    "animation": "mp4",
}
_BY_TYPE = {
    "application/json": "json",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/x-wav": "wav",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "video/quicktime": "mov",
}
_PICTURES = {
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF87a", b"GIF89a"),
    "webp": (b"RIFF",),
}
_SHOWN_AS_PHOTOS = frozenset(("png", "jpg", "jpeg", "webp"))
_HALF_WRITTEN = re.compile(r"\.(?:tmp|part|partial|crdownload|swp)(?:\.|$)|~$")


def make_file_name(number: int, file: RemoteFile) -> str:
    """The name under which a file that somebody sent is kept: `12-Q3-report.docx`."""
    found = _EXTENSION.search(file.name)
    known = _BY_TYPE.get(file.mime_type.lower(), _BY_KIND[file.kind])
    extension = found[1].lower() if found else known
    stem = make_stem(file.name[: found.start()] if found else file.name)
    whole = f"{number}-{stem or file.kind.replace('_', '-')}"
    return f"{whole}.{extension}" if extension else whole


def make_stem(name: str) -> str:
    """A few plain letters and digits that remind of the name; may be none."""
    flat = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return _NOT_PLAIN.sub("-", flat).strip("-")[:_LONGEST_STEM].strip("-")


def extension_of(name: str) -> str:
    """The extension, plain and small; "" for none."""
    found = _EXTENSION.search(name)
    return found[1].lower() if found else ""


def name_in_prompt(name: str) -> str:
    """The name as a word in a prompt: letters, digits, spaces and harmless signs."""
    kept = "".join(c if c.isalnum() or c in " ._-+(),'&" else "_" for c in _plain(name))
    return _shorten(kept, _LONGEST_SHOWN)


def name_on_button(name: str) -> str:
    """The name on one line, without anything invisible or that turns the writing around."""
    return _shorten(_plain(name), LONGEST_LABEL) or "_"


def render_size(size: int) -> str:
    """`12 KB`, `3.4 MB`."""
    if size < 1024:
        return f"{size} B"
    if size < 1 << 20:
        return f"{-(-size // 1024)} KB"
    return f"{size / (1 << 20):.1f}".removesuffix(".0") + " MB"


def is_picture(name: str, head: bytes) -> bool:
    """Whether the file is a picture that its extension says it is; `head`: its first bytes."""
    starts = _PICTURES.get(extension_of(name), ())
    is_webp = extension_of(name) != "webp" or head[8:12] == b"WEBP"
    return is_webp and any(head.startswith(start) for start in starts)


def is_shown_as_photo(name: str, head: bytes) -> bool:
    """Whether a chat can show it as a photo."""
    return extension_of(name) in _SHOWN_AS_PHOTOS and is_picture(name, head)


def is_text(data: bytes) -> bool:
    """Whether these bytes are a text that can be read as one."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return not any(c < " " and c not in "\t\n\r\f\x1b" for c in text)


def is_to_be_sent(name: str) -> bool:
    """Whether a file of that name in an outbox is for the chat: neither hidden nor half-written."""
    return not name.startswith(".") and not _HALF_WRITTEN.search(name.lower())


def _plain(name: str) -> str:
    shown = "".join(c if c.isprintable() else "_" for c in name)
    return " ".join(shown.split())


def _shorten(name: str, length: int) -> str:
    if len(name) <= length:
        return name
    return f"{name[: length // 2]}…{name[1 - length // 2 :]}"
