"""What waits for the bot's next getUpdates: ids, offsets, forgetting and redelivery as in TQueue.

Updates below `offset` are forgotten when the call arrives. An offset more than ten ids past the
newest update, or far before the oldest, falls back to the oldest that waits. Not thread-safe: the
caller holds the state's lock.
"""

from dataclasses import dataclass
from typing import Any

DEFAULT_UPDATES = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "callback_query",
        "my_chat_member",
        "chat_join_request",
        "inline_query",
        "poll",
    }
)  # what a bot gets that never named allowed_updates: not reactions, not chat_member
_FUTURE = 10
_PAST = 100_000


@dataclass(frozen=True, slots=True)
class QueuedUpdate:
    """One update as the bot will read it; `update_id` is None for a body that carries none."""

    update_id: int | None
    body: Any


class UpdateQueue:
    """The updates of one bot, in order of arrival."""

    def __init__(self, *, first_id: int) -> None:
        self.next_id = first_id
        self.allowed = DEFAULT_UPDATES
        self.all: list[QueuedUpdate] = []
        self._waiting: list[QueuedUpdate] = []
        self._forced: list[QueuedUpdate] = []

    @property
    def waiting(self) -> list[Any]:
        """Bodies of the updates that the bot has not confirmed."""
        return [update.body for update in self._forced + self._waiting]

    def allow(self, kinds: frozenset[str]) -> None:
        """allowed_updates: from now on only these kinds; none named means the default."""
        self.allowed = kinds or DEFAULT_UPDATES

    def push(self, kind: str, content: dict[str, Any]) -> int | None:
        """Queues `{update_id, kind: content}`; None if allowed_updates excludes that kind."""
        if kind not in self.allowed:
            return None
        update_id = self.next_id
        self.push_body({"update_id": update_id, kind: content}, update_id)
        return update_id

    def push_body(self, body: Any, update_id: int | None) -> None:
        """Queues any body. Without an id no offset can confirm it, so it is delivered once."""
        update = QueuedUpdate(update_id, body)
        self.all.append(update)
        if update_id is None:
            self._forced.append(update)
            return
        self._waiting.append(update)
        self.next_id = max(self.next_id, update_id + 1)

    def redeliver(self, update_ids: set[int]) -> int:
        """Puts old updates into the next answer, whatever its offset; answers how many."""
        again = [update for update in self.all if update.update_id in update_ids]
        self._forced.extend(again)
        return len(again)

    def restart_ids(self, next_id: int) -> None:
        """The next update gets this id, as after a week of silence."""
        self.next_id = next_id

    def forget(self, offset: int) -> None:
        """What the arrival of getUpdates with this offset does."""
        if offset < 0:
            kept = self._waiting[offset:]
            self._waiting = kept
        elif offset > 0 and self._is_known(offset):
            self._waiting = [u for u in self._waiting if (u.update_id or 0) >= offset]

    def take(self, limit: int) -> list[Any]:
        """Up to `limit` bodies; they stay until an offset confirms them."""
        forced, self._forced = self._forced[:limit], self._forced[limit:]
        return [update.body for update in (forced + self._waiting)[:limit]]

    def _is_known(self, offset: int) -> bool:
        oldest = self._waiting[0].update_id if self._waiting else None
        too_old = oldest is not None and offset < oldest - _PAST
        return offset <= self.next_id + _FUTURE and not too_old
