"""The exception tree: `str(error)` is a sentence that a person in the chat can act on."""


class BridgeError(Exception):
    """Anything the bridge refuses or cannot do, said in one sentence with what to do next."""


class ConfigError(BridgeError):
    """A setting is missing or wrong; the program ends with exit status 2."""


class StoreError(BridgeError):
    """Something about the state on disk."""


class InvalidSessionIdError(StoreError):
    """A session id that is not a plain id, so no file name may come out of it."""


class SessionNotFoundError(StoreError):
    """No session with that id is stored."""


class StoreWriteError(StoreError):
    """The disk refused a write: nothing of it was kept, and the caller must not go on as if."""


class TerminalError(BridgeError):
    """Something about tmux."""


class TerminalMissingError(TerminalError):
    """tmux is not installed, or too old."""


class TerminalTimeoutError(TerminalError):
    """tmux did not answer in time."""


class PaneNotFoundError(TerminalError):
    """The pane is gone."""


class PaneNotTypableError(TerminalError):
    """The pane is dead or shows a tmux mode, so that nothing was typed."""


class ClaudeError(BridgeError):
    """Something about the Claude Code process."""


class ClaudeStartError(ClaudeError):
    """Claude Code did not get as far as a session."""


class TranscriptMissingError(ClaudeError):
    """Claude Code no longer has the conversation that should be resumed."""


class ChannelError(BridgeError):
    """Something about the service the chat lives on."""
