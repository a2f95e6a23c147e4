"""A text as a prompt: whose words it holds, and who speaks."""

from __future__ import annotations

from core.addressing import add_speaker
from core.conversation import quote
from core.file_prompts import mark_foreign
from core.keystrokes import prepare_prompt
from core.model import TextSent


def render_text_prompt(message: TextSent, words: str) -> str:
    """As it is typed; `words` are what of the message is for Claude. Raises PromptError.

    Other people's words (forwarded, quoted) are marked as such, and are never a command.
    """
    words = mark_foreign(words, message.forwarded_from)
    if message.quoted is not None and message.forwarded_from is None:
        words = f"{quote('Quoted', message.quoted)}\n\n{words}"
    return prepare_prompt(add_speaker(words, message.person, is_private=message.is_private))
