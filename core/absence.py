"""What a chat is shown of what happened while nobody listened: never a flood, never nothing.

| missed                         | shown                                                         |
|--------------------------------|---------------------------------------------------------------|
| a few posts                    | all of them                                                   |
| more                           | the last answer in full, and "N earlier messages" before it   |
| more, and no answer among them | the last post in full, and "N earlier messages" before it     |
"""

from __future__ import annotations

from collections.abc import Sequence

from core.model import Post

A_FEW = 8


def summarise_absence(posts: Sequence[Post]) -> tuple[int, list[Post]]:
    """How many of the posts are left out, and the rest, which is shown in order."""
    if len(posts) <= A_FEW:
        return 0, list(posts)
    answers = [
        number for number, post in enumerate(posts) if post.style == "markdown" and not post.silent
    ]
    last = answers[-1] if answers else len(posts) - 1
    shown = [posts[last], *posts[last + 1 :][-A_FEW:]]
    return len(posts) - len(shown), shown
