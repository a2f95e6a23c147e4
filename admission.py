"""Who may: every update and every press is checked here, and written into the audit log.

* Allowed is who has a role that may do it (core/roles.py), in a private chat or in a group that is
  listed. In a group, what is not meant for the bot (core/addressing.py) is left alone.
* Everyone else gets no answer at all, and one line in the audit log; a stranger one in the log too.
  But who brings a code that is good gets the role that it stands for.
* Shown is something only in the private chats of those who have a role now, and in these groups.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from audit import AuditLog, name_action
from core.addressing import is_meant, speaker_name
from core.errors import StoreError
from core.model import (
    AT_THE_PAGE,
    ButtonPressed,
    Chat,
    FilesSent,
    Incoming,
    Person,
    Place,
    Post,
    TextSent,
    private_chat,
)
from core.roles import Role, deed_of, may
from core.split_text import continues, seconds_for_more
from people import People

log = logging.getLogger(__name__)

_ALBUMS = 50
_TEXTS = 50


_WELCOME: dict[Role, str] = {
    "owner": "Paired: this bot now answers to you. Send a text.",
    "member": "You are in: this bot now answers to you. A text starts a session of your own.",
    "viewer": "You are in as a viewer: you can read along in the groups that you share with this "
    "bot. It takes no messages from you.",
}


class Admission:
    """Asks `people` and the list of groups; `put` has posts shown.

    `is_session` knows whether a topic has a session, `is_awaited` whether the next text of a person
    (by user id) in a chat is an answer that was asked for.
    """

    def __init__(
        self,
        people: People,
        allowed_groups: tuple[int, ...],
        audit: AuditLog,
        *,
        put: Callable[[Post], None],
        is_session: Callable[[Chat], bool],
    ) -> None:
        self._people = people
        self._allowed_groups = allowed_groups
        self._audit = audit
        self._put = put
        self._is_session = is_session
        self._albums: deque[tuple[Chat, str | None]] = deque(maxlen=_ALBUMS)
        self._texts: deque[TextSent] = deque(maxlen=_TEXTS)
        self.is_awaited: Callable[[Chat, int], bool] = lambda chat, person: False

    def admits(self, incoming: Incoming) -> bool:
        """Whether it may be handled; what may not is dealt with."""
        person, chat = incoming.person, incoming.chat
        role = self._people.role_of(person.user_id)
        is_place_allowed = self.is_place_allowed(chat, is_private=incoming.is_private)
        if self._redeems(incoming):
            return False
        if not is_place_allowed or not may(role, deed_of(incoming)):
            self._refuse(incoming, role if is_place_allowed else None)
            return False
        if not self._is_meant(incoming):
            self.note(incoming, "ignored: not meant for the bot")
            return False
        self.note_end(incoming, "accepted")
        return True

    def _is_meant(self, incoming: Incoming) -> bool:
        """Whether it is for the bot; of an album or a text in parts, one part says so."""
        chat, person = incoming.chat, incoming.person.user_id
        album = incoming.album if isinstance(incoming, FilesSent) else None
        is_for_us = (chat, album) in self._albums or self.is_awaited(chat, person)
        is_for_us = is_for_us or self._goes_on(incoming) or self._has_session(chat)
        found = is_meant(incoming, is_session=is_for_us)
        if found and album is not None:
            self._albums.append((chat, album))
        if found and isinstance(incoming, TextSent):
            self.expect_more(incoming)
        return found

    def expect_more(self, text: TextSent) -> None:
        """A text that was admitted may be the first part of a longer one."""
        if seconds_for_more(text.text):
            self._texts.append(text)

    def _goes_on(self, incoming: Incoming) -> bool:
        """Whether it is the next part of a text that was admitted."""
        if not isinstance(incoming, TextSent):
            return False
        return any(continues(text, incoming) for text in self._texts)

    def is_known(self, place: Place, person: int | None) -> bool:
        """Whether a place may be remembered, with that person (None: nobody who says anything)."""
        if place.is_private:
            return self._people.is_allowed(place.chat.chat_id)
        return place.chat.chat_id in self._allowed_groups and (
            person is None or self._people.is_allowed(person)
        )

    def is_place_allowed(self, chat: Chat, *, is_private: bool) -> bool:
        """Whether anybody at all may use the bot there."""
        return is_private or chat.chat_id in self._allowed_groups

    def may_show(self, chat: Chat) -> bool | None:
        """Whether a chat may be shown anything; None while nobody knows who may use the bridge."""
        if chat.chat_id < 0:
            return chat.chat_id in self._allowed_groups
        if self._people.is_allowed(chat.chat_id):
            return True
        return None if self._people.broken else False

    def _has_session(self, chat: Chat) -> bool:
        if chat.topic is None:
            return False
        try:
            return self._is_session(chat)
        except StoreError:
            return True  # it is there, and who handles the message tells what is wrong with it

    def _refuse(self, incoming: Incoming, role: Role | None) -> None:
        if role is not None:
            self.note(incoming, f"refused: {role}")
            return
        self.note(incoming, "refused: not allowed")
        log.warning(
            "refused user %d in chat %d (not paired, or not an allowed place)",
            incoming.person.user_id,
            incoming.chat.chat_id,
        )

    def note_end(self, incoming: Incoming, result: str) -> None:
        """As `note`; but a press is noted by who knows what its button does."""
        if not isinstance(incoming, ButtonPressed):
            self.note(incoming, result)

    def note(self, incoming: Incoming, result: str) -> None:
        """Write the audit log."""
        self.note_action(incoming.person, incoming.chat, name_action(incoming), result)

    def note_action(self, person: Person, chat: Chat, action: str, result: str) -> None:
        """Write the audit log; a disk that refuses it holds nothing up."""
        try:
            self._audit.note(person, chat, action, result)
        except OSError as error:
            log.error("the audit log can't be written: %s", error.strerror)

    def clean_up(self) -> None:
        """Remove what is too old from the audit log; a disk that refuses it is asked again."""
        try:
            self._audit.remove_expired()
        except OSError as error:
            log.error("the audit log can't be cleaned up: %s", error.strerror)

    def _redeems(self, incoming: Incoming) -> bool:
        """Whether it brings a code that is good; then the person has a role from now on."""
        if not isinstance(incoming, TextSent) or not incoming.is_private:
            return False
        person = incoming.person
        if person.user_id == AT_THE_PAGE:  # who is an owner already, and would use up the code
            return False
        word, _, code = incoming.text.partition(" ")
        if word != "/start":
            return False
        role = self._people.redeem(code.strip(), person.user_id, person.name)
        if role is None:
            return False
        log.info("user %d is %s now", person.user_id, role)
        self.note(incoming, f"admitted as {role}")
        place = f"{person.user_id}:{incoming.message_id}"
        self._put(Post(f"welcome:{place}", incoming.chat, _WELCOME[role]))
        if role != "owner":
            self._tell_owners(place, f"{speaker_name(person)} is in now, as {role}.")
        return True

    def _tell_owners(self, place: str, text: str) -> None:
        for user_id in self._people.to_be_told:
            self._put(Post(f"joined:{place}", private_chat(user_id), text))
