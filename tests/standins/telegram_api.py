"""A strict loopback stand-in for Telegram's Bot API: one bot, its chats, and the people in them.

    with TelegramApi() as api:
        ann = api.user(first_name="Ann")
        chat = api.private_chat(ann)
        api.send_text(chat, ann, "/start")
        # the bot polls f"{api.url}/bot{api.token}/getUpdates" from another process
        answer = api.wait_for_text(chat, "Hello")

It refuses what the real server refuses, in the same words (telegram_rules.py). It listens on
127.0.0.1 only, in a thread of its own; every method may be called from any thread.
"""

from types import TracebackType
from typing import Any, Self

from tests.standins.telegram_faults import Fault, Faults, FloodBudget, When
from tests.standins.telegram_people import People
from tests.standins.telegram_records import Records
from tests.standins.telegram_server import CONFLICT, TelegramServer
from tests.standins.telegram_state import Chat, Json, State, User

__all__ = ["TelegramApi"]


class TelegramApi(People, Records):
    """The server, the people (People), what there is to see (Records), and trouble on order."""

    def __init__(
        self,
        *,
        token: str = "123456:TEST-not-a-real-token-AAAAAAAAAAAAAA",
        bot_name: str = "Bridge",
        bot_username: str = "bridge_test_bot",
        first_update_id: int = 700_000_001,
    ) -> None:
        bot_id = int(token.partition(":")[0])
        self._state = State(
            bot=User(bot_id, bot_name, username=bot_username, is_bot=True),
            first_update_id=first_update_id,
        )
        People.__init__(self, self._state)
        self.token = token
        self._faults = Faults()
        self._server = TelegramServer(self._state, self._faults, token=token)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listens on a free port; after a `stop` on the same one, knowing what it knew."""
        self._server.start()

    def stop(self) -> None:
        """Ends open polls and held calls; from now on connections are refused."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Base for f"{url}/bot{token}/method" and f"{url}/file/bot{token}/path"."""
        return self._server.url

    @property
    def bot(self) -> User:
        """The bot that the token belongs to."""
        return self._state.bot

    @property
    def are_entities_strict(self) -> bool:
        """Whether entities that Telegram would silently repair are refused; True at first."""
        return self._state.are_entities_strict

    @are_entities_strict.setter
    def are_entities_strict(self, is_strict: bool) -> None:
        self._state.are_entities_strict = is_strict

    @property
    def upload_limit(self) -> int:
        """Bytes of one uploaded file beyond which the answer is 413."""
        return self._state.upload_limit

    @upload_limit.setter
    def upload_limit(self, size: int) -> None:
        self._state.upload_limit = size

    def inject(self, update: Json) -> int:
        """Queues an update as it is; gives it the next id if it has none. Answers its id."""
        with self._state.changed:
            update_id = update.get("update_id", self._state.updates.next_id)
            self._state.updates.push_body({"update_id": update_id} | update, update_id)
            self._state.notify()
        return int(update_id)

    def inject_raw(self, body: Any) -> None:
        """Puts any JSON value, without an id, into the next answer of getUpdates, once."""
        with self._state.changed:
            self._state.updates.push_body(body, None)
            self._state.notify()

    def redeliver(self, *update_ids: int) -> int:
        """Puts old updates into the next answer again, whatever the offset; answers how many."""
        with self._state.changed:
            count = self._state.updates.redeliver(set(update_ids))
            self._state.notify()
        return count

    @property
    def update_ids(self) -> list[int]:
        """Ids of all updates that were ever queued, in order."""
        with self._state.changed:
            return [u.update_id for u in self._state.updates.all if u.update_id is not None]

    def restart_update_ids(self, next_id: int) -> None:
        """The next update gets this id, as after a week without updates."""
        with self._state.changed:
            self._state.updates.restart_ids(next_id)

    def fail(
        self,
        method: str,
        status: int,
        description: str,
        parameters: Json | None = None,
        *,
        times: int | None = 1,
        chat: Chat | None = None,
        body: str | None = None,
    ) -> Fault:
        """The next `times` calls (None: until `end()`) get this answer and have no effect.

        `body` replaces the JSON by any text, such as a proxy's HTML page.
        """
        return self._order(
            Fault(
                "fail",
                method,
                chat.id if chat else None,
                times,
                status=status,
                description=description,
                parameters=parameters or {},
                body=body,
            )
        )

    def conflict(self, times: int | None = None) -> Fault:
        """getUpdates is answered 409, an open long poll too, until `end()` or so many times."""
        return self.fail("getUpdates", 409, CONFLICT, times=times)

    def drop(
        self,
        method: str,
        when: When = "after",
        *,
        times: int | None = 1,
        chat: Chat | None = None,
    ) -> Fault:
        """Closes the connection unanswered: "after" the call had its effect, or "before"."""
        return self._order(Fault("drop", method, chat.id if chat else None, times, when))

    def delay(
        self,
        method: str,
        seconds: float,
        when: When = "after",
        *,
        times: int | None = 1,
        chat: Chat | None = None,
    ) -> Fault:
        """Answers late; with when="before" the effect is late too."""
        chat_id = chat.id if chat else None
        return self._order(Fault("delay", method, chat_id, times, when, seconds))

    def hold(
        self,
        method: str,
        when: When = "after",
        *,
        times: int | None = 1,
        chat: Chat | None = None,
    ) -> Fault:
        """Withholds the answers until `end()`: a delay whose end the test decides."""
        return self._order(Fault("hold", method, chat.id if chat else None, times, when))

    def end_faults(self) -> None:
        """Everything that is on order is off."""
        with self._state.changed:
            self._faults.end_all()
            self._state.notify()

    def limit_flood(self, messages: int, seconds: float, *, chat: Chat | None = None) -> None:
        """429 beyond so many sends and edits in so many seconds, per chat; all chats if none."""
        with self._state.changed:
            self._server.flood[chat.id if chat else None] = FloodBudget(messages, seconds)

    def _order(self, fault: Fault) -> Fault:
        fault.notify = self._notify
        with self._state.changed:
            self._faults.add(fault)
            self._state.notify()
        return fault

    def _notify(self) -> None:
        with self._state.changed:
            self._state.notify()
