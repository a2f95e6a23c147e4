"""Whether a session may go to another place: not while anything goes on in it.

What is asked, under way, or waiting would be in one place and be answered in another.
"""

from __future__ import annotations

from core.errors import BridgeError
from inbox import Inbox
from session import Session
from sessions import Sessions


def check_at_rest(sessions: Sessions, inbox: Inbox, session: Session, then: str) -> None:
    """Raise BridgeError while something goes on in the session; `then`: what can be done after."""
    runner = sessions.find_runner(session.session_id)
    status = runner.process.status if runner is not None and runner.process else None
    if runner is not None and (status == "waiting" or sessions.is_asked(runner)):
        raise BridgeError(f"Claude asks something in it. Answer that, then {then}.")
    is_working = runner is not None and (runner.has_work or runner.is_working)
    if is_working or "card" in session.state:
        raise BridgeError(f"Claude is at work in it. Wait for the end, or /stop it; then {then}.")
    if any(entry.session_id == session.session_id for entry in inbox.pending()):
        raise BridgeError(f"Messages wait for it. /queue shows them; let them go, then {then}.")
    if session.state.get("continue_at"):
        raise BridgeError(f"It is to go on by itself, see there. Cancel that, then {then}.")
