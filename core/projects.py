"""Where a new session may work: what /new was asked, which names may be made, how places read.

* A name that a person gives is one component of a path, and plain: what it is used for is a folder,
  a branch, and an argument of git.
* Telephones make a dash of two hyphens, so both begin `--worktree`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from core.errors import ProjectError
from core.file_names import make_stem, name_on_button

ON_A_PAGE = 8
MOST_RECENT = 6
MOST_FAVOURITES = 12

_FLAG = re.compile(r"(?:^|\s)(?:--|—|–)worktree(?=[=\s]|$)=?")
_WORKTREE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_LONGEST_NAME_BYTES = 100
_HOW = "/new --worktree fix-login"


@dataclass(frozen=True, slots=True)
class Wish:
    """What /new was asked: a place or a title as it was written, and a worktree's name or ""."""

    place: str
    worktree: str = ""


def parse_new(argument: str) -> Wish:
    """What follows /new. Raises ProjectError."""
    found = _FLAG.search(argument)
    if found is None:
        return Wish(argument)
    name = argument[found.end() :].strip()
    if not name:
        raise ProjectError(f"Say the worktree's name with it: {_HOW}")
    return Wish(argument[: found.start()].strip(), check_worktree_name(name))


def check_worktree_name(name: str) -> str:
    """The name, which is good for a folder and a branch. Raises ProjectError."""
    name = name.strip()
    is_odd = ".." in name or name.endswith((".", ".lock")) or name.upper() == "HEAD"
    if _WORKTREE.fullmatch(name) and not is_odd:
        return name
    plain = make_stem(name)
    better = f" {plain} would do." if plain and plain != name and plain.upper() != "HEAD" else ""
    raise ProjectError(
        "A worktree's name is one word of at most 60 letters, digits, dots and hyphens, as its "
        f"branch is called so, too.{better}"
    )


def check_directory_name(name: str) -> str:
    """The name, which is good for a new directory. Raises ProjectError."""
    name = unicodedata.normalize("NFC", name.strip())
    is_one = (
        name.isprintable() and not set(name) & {"/", "\\"} and not name.startswith(tuple(".-~"))
    )
    if not (name and is_one and len(name.encode(errors="replace")) <= _LONGEST_NAME_BYTES):
        raise ProjectError(
            "A new directory's name is one line, without slashes, and begins with no dot, hyphen "
            "or tilde. Reply with another."
        )
    return name


def pick_recent(used: Iterable[str], favourites: Sequence[str]) -> list[str]:
    """The directories used last that are no favourites, each once; `used`: the latest first."""
    recent: dict[str, None] = {place: None for place in used if place not in favourites}
    return list(recent)[:MOST_RECENT]


def is_below(place: PurePath, roots: Iterable[PurePath]) -> bool:
    """Whether it is one of the roots or lies below one; all of them without links."""
    return any(place.is_relative_to(root) for root in roots)


def toggle_favourite(favourites: Sequence[str], place: str) -> list[str]:
    """The favourites with that place, or without it if it was one. Raises ProjectError."""
    kept = [known for known in favourites if known != place]
    if len(kept) == len(favourites):
        kept.append(place)
    if len(kept) > MOST_FAVOURITES:
        raise ProjectError(f"There are {MOST_FAVOURITES} favourites already; take one away first.")
    return kept


def name_place(place: str, home: str) -> str:
    """A directory on a button: its end says most, so the beginning gives way."""
    path = PurePath(place)
    shown = f"~/{path.relative_to(home)}" if home and path.is_relative_to(home) else place
    return name_on_button(shown.removesuffix("/."))


def count_pages(count: int) -> int:
    """How many pages that many folders fill; none is a page, too."""
    return max(1, -(-count // ON_A_PAGE))


def render_folder(root: str, parts: Sequence[str], folders: int, page: int, branch: str) -> str:
    """What stands above the buttons of a folder."""
    path = "/".join(name_on_button(part) for part in (root, *parts))
    count = "1 folder" if folders == 1 else f"{folders} folders" if folders else "No folders"
    pages = count_pages(folders)
    place = f" · page {page + 1} of {pages}" if pages > 1 else ""
    lines = [f"📁 {path}", f"Branch: {name_on_button(branch)}" if branch else "", f"{count}{place}"]
    return "\n".join(filter(None, lines))
