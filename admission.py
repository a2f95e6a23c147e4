"""Who may: every update and every press is checked here, and written into the audit log.

* Allowed is who is paired or listed, in a private chat or in a group that is listed.
* Everyone else gets no answer at all, and one line in the log; but who brings the pairing code is
  the owner from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from audit import AuditLog, name_action
from core.model import Chat, Incoming, Person, TextSent
from people import People

log = logging.getLogger(__name__)


class Admission:
    """Asks `people` and the list of groups; `say` tells a chat that it is paired."""

    def __init__(
        self,
        people: People,
        allowed_groups: tuple[int, ...],
        audit: AuditLog,
        *,
        say: Callable[[Chat, str], None],
    ) -> None:
        self._people = people
        self._allowed_groups = allowed_groups
        self._audit = audit
        self._say = say

    def admits(self, incoming: Incoming) -> bool:
        """Whether it may be handled; what may not is dealt with."""
        if self._is_allowed(incoming):
            self.note(incoming, "accepted")
            return True
        if not self._pairs(incoming):
            self.note(incoming, "refused: not allowed")
            log.warning(
                "refused user %d in chat %d (not paired, or not an allowed place)",
                incoming.person.user_id,
                incoming.chat.chat_id,
            )
        return False

    def note(self, incoming: Incoming, result: str) -> None:
        """Write the audit log."""
        self.note_action(incoming.person, incoming.chat, name_action(incoming), result)

    def note_action(self, person: Person, chat: Chat, action: str, result: str) -> None:
        """Write the audit log; a disk that refuses it holds nothing up."""
        try:
            self._audit.note(person, chat, action, result)
        except OSError as error:
            log.error("the audit log can't be written: %s", error.strerror)

    def _is_allowed(self, incoming: Incoming) -> bool:
        is_place_allowed = incoming.is_private or incoming.chat.chat_id in self._allowed_groups
        return is_place_allowed and self._people.is_allowed(incoming.person.user_id)

    def _pairs(self, incoming: Incoming) -> bool:
        """Whether it brings the pairing code; then the person is the owner."""
        if not isinstance(incoming, TextSent) or not incoming.is_private:
            return False
        person = incoming.person
        word, _, code = incoming.text.partition(" ")
        if word != "/start" or not self._people.redeem(code.strip(), person.user_id, person.name):
            return False
        log.info("user %d is the owner now", person.user_id)
        self._say(incoming.chat, "Paired: this bot now answers to you. Send a text.")
        return True
