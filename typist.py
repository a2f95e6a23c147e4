"""Typing one prompt into Claude Code, and proving that it arrived.

* Nothing is typed but at a proven input box: Claude is idle, and the screen shows the box, empty.
* Where the transcript ends is written down before the first key, so that the proof can be looked
  for behind it, also by a later bridge.
* One more Enter is pressed only while the box still shows a text, and Claude is idle.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from core.cut_turn import find_cut
from core.delivery import Prompt, UnderWay
from core.errors import CommandUncertainError, StoreWriteError, TerminalError
from core.events import TranscriptEvent
from core.keystrokes import is_same_prompt
from core.screen import read_input_box
from inbox import Inbox
from input_box import look_for_room
from running_claude import RunningClaude
from terminal import Terminal
from transcript_file import read_events

_PROOF_SECONDS = 3.0
_RECORD_SECONDS = 15.0
_COMMAND_SECONDS = 5.0
_SETTLE_SECONDS = 1.5
_OUTCOME_SECONDS = 0.5
_LOOKS = 10


class Typist:
    """Types at `claude`.

    `transcript` says where its transcript is, and `since` from which time on its lines are its own;
    `on_blind` shows its terminal, that has no input box.
    """

    def __init__(
        self,
        claude: RunningClaude,
        *,
        terminal: Terminal,
        inbox: Inbox,
        transcript: Callable[[], Path | None],
        since: Callable[[], str],
        on_blind: Callable[[], None],
    ) -> None:
        self.is_blind = False
        self._claude = claude
        self._terminal = terminal
        self._inbox = inbox
        self._transcript = transcript
        self._since = since
        self._on_blind = on_blind
        self._unrecorded: deque[str] = deque(maxlen=8)
        self._put_back = ""

    def forget(self, under_way: UnderWay) -> None:
        """It is done with; its record in the transcript may be read only later."""
        if under_way.typed_at and not under_way.is_shown:
            self._unrecorded.append(under_way.prompt.text)

    def expect_back(self, text: str) -> None:
        """Escape may put this text back into the box, from where the next typing has to clear it.

        Claude Code does that when no answer had begun, also while it tries to reach the model.
        """
        self._put_back = text

    def claims_late(self, text: str) -> bool:
        """Whether a prompt that the transcript records now is one that was done with before."""
        found = next((typed for typed in self._unrecorded if is_same_prompt(typed, text)), None)
        if found is not None:
            self._unrecorded.remove(found)
        return found is not None

    async def is_there(self, under_way: UnderWay) -> bool:
        """Whether Claude has the prompt that an earlier typing was begun for.

        Raises CommandUncertainError, ClaudeDiedError.
        """
        if under_way.is_recorded:
            self.find_record(under_way)  # and the end of its turn, if there is one
            return True
        if not under_way.typed_at:
            return False
        if under_way.prompt.is_command and self._has_left_session(under_way):
            under_way.has_ended = True  # as /clear and /resume do
            return True
        if under_way.prompt.is_command:
            raise CommandUncertainError("This may have run or not: the bridge ended meanwhile.")
        await self._claude.until(lambda: self.find_record(under_way) or self._is_settled(under_way))
        return under_way.is_recorded

    def find_record(self, under_way: UnderWay) -> bool:
        """Look for the prompt in the transcript, behind where it ended before the typing."""
        entry = self._inbox.find(under_way.prompt.key)
        for event in self._read_events(entry.typed_from) if entry else ():
            under_way.claims(event)
        return under_way.is_recorded

    def is_cut(self, under_way: UnderWay) -> bool:
        """Whether the transcript, which nobody goes on writing, ends in the middle of its turn.

        A hook may have told of an end whose words Claude Code had no time to write down.
        """
        entry = self._inbox.find(under_way.prompt.key)
        return entry is not None and find_cut(self._read_events(entry.typed_from)) is not None

    def _read_events(self, start: int) -> list[TranscriptEvent]:
        return read_events(self._transcript(), start, since=self._since())

    async def type(self, under_way: UnderWay, latest: Callable[[], Prompt]) -> None:
        """Type the prompt as `latest` has it then, and have Claude's word that it arrived.

        Raises TerminalError, ClaudeDiedError, StoreWriteError.
        """
        await self._until_box_is_empty(under_way)
        prompt = under_way.prompt = latest()  # it may have been edited or dropped meanwhile
        if prompt.is_dropped:
            under_way.has_ended = True
            return
        path = self._transcript()
        length = path.stat().st_size if path is not None and path.exists() else 0
        now = time.time()
        self._inbox.advance(
            prompt.key,
            "typed",
            session_id=self._claude.session_id,
            typed_from=length,
            typed_at=now,
        )
        under_way.typed_at = now
        try:
            await self._terminal.type_text(self._claude.name, prompt.text)
        except StoreWriteError:  # no file for its text could be made: not a key was pressed
            under_way.typed_at = 0.0
            raise
        await self._until_taken(under_way)

    async def until_ended(self, under_way: UnderWay) -> None:
        """Wait for the end of the turn, by the hook, the transcript or the status."""

        def ended() -> bool:
            process = self._claude.process
            is_idle_again = (
                under_way.is_recorded
                and process is not None
                and process.is_idle
                and process.since_ms > under_way.typed_at * 1000
            )
            return under_way.has_ended or is_idle_again

        await self._claude.until(ended)
        await self._claude.until(lambda: under_way.has_ended, _OUTCOME_SECONDS)  # how it ended

    def withdraw(self, under_way: UnderWay) -> None:
        """Escape came before Claude had begun: it put the text back into the box, unrecorded."""
        if not under_way.is_withdrawn:
            under_way.is_withdrawn = under_way.has_ended = True
            self._claude.beat()

    def _has_left_session(self, under_way: UnderWay) -> bool:
        """Whether the process has another session than when the prompt was typed."""
        entry = self._inbox.find(under_way.prompt.key)
        return entry is not None and entry.session_id != self._claude.session_id

    def _is_settled(self, under_way: UnderWay) -> bool:
        # Either way, as a clock may have been set back meanwhile.
        return self._claude.is_idle and abs(time.time() - under_way.typed_at) > _SETTLE_SECONDS

    async def _until_taken(self, under_way: UnderWay) -> None:
        """Wait for Claude's word that it has the prompt; one more Enter if the first was lost."""
        if under_way.prompt.is_command:
            await self._until_command_taken(under_way)
            return
        until, name = self._claude.until, self._claude.name
        if not await until(lambda: under_way.is_taken, _PROOF_SECONDS):
            box = read_input_box(await self._terminal.capture(name, colours=True))
            if box and self._claude.is_idle:
                await self._terminal.press(name, "Enter")
            if not await until(lambda: under_way.is_taken, _RECORD_SECONDS):
                raise TerminalError(
                    "Claude Code did not take this message; /screen shows the terminal."
                )
        await until(lambda: under_way.is_recorded or under_way.is_withdrawn, _RECORD_SECONDS)
        if under_way.is_recorded:
            self._inbox.advance(under_way.prompt.key, "recorded")
        elif self._claude.is_idle:
            self.withdraw(under_way)

    async def _until_command_taken(self, under_way: UnderWay) -> None:
        """A slash command shows in one of many ways that it ran, or not at all."""
        typed_from = under_way.typed_at * 1000
        session_id = self._claude.session_id

        def shows() -> bool:
            process = self._claude.process
            return (
                under_way.is_taken
                or self._claude.session_id != session_id
                or (process is not None and process.since_ms > typed_from)
            )

        await self._claude.until(shows, _COMMAND_SECONDS)
        if not under_way.is_submitted:
            under_way.has_ended = True

    async def _until_box_is_empty(self, under_way: UnderWay) -> None:
        """Wait for the input box, empty; when it stays away, have the terminal shown."""
        for attempt in itertools.count():
            await self._claude.until(lambda: self._claude.may_be_typed_at)
            own = [under_way.prompt.text, self._put_back, *self._unrecorded]
            is_empty = await look_for_room(self._terminal, self._claude.name, own)
            self.is_blind = is_empty is None and attempt > _LOOKS
            if is_empty:
                self._put_back = ""
                return
            if self.is_blind:
                self._on_blind()
            await self._claude.until(lambda: False, 1.0 if self.is_blind else 0.1)
