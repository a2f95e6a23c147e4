"""The exception tree: `str(error)` is a sentence that a person in the chat can act on."""


class BridgeError(Exception):
    """Anything the bridge refuses or cannot do, said in one sentence with what to do next."""


class ConfigError(BridgeError):
    """A setting is missing or wrong; the program ends with exit status 2."""


class AlreadyRunningError(BridgeError):
    """Another bridge does this work; the program ends with exit status 75."""


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


class PictureError(TerminalError):
    """The screen could not be drawn as a picture; it can still be shown as text."""


class ChildError(BridgeError):
    """Another program failed us; the text goes on from its name: "can't be run: …"."""


class ChildTooSlowError(ChildError):
    """It took longer than it may."""


class ChildTooLoudError(ChildError):
    """It printed more than it may."""


class ClaudeError(BridgeError):
    """Something about the Claude Code process."""


class ClaudeStartError(ClaudeError):
    """Claude Code did not get as far as a session."""


class TranscriptMissingError(ClaudeError):
    """Claude Code no longer has the conversation that should be resumed."""


class ClaudeDiedError(ClaudeError):
    """The Claude Code process ended while it was needed."""


class AgentBusyError(ClaudeError):
    """Claude Code can't be started anew as another agent just now."""


class CommandUncertainError(ClaudeError):
    """A command was typed, and nothing tells whether it ran."""


class SessionElsewhereError(ClaudeError):
    """Another live process (`pid`) has the session; resuming it here would fork its history."""

    def __init__(self, text: str, pid: int) -> None:
        super().__init__(text)
        self.pid = pid


class ChannelError(BridgeError):
    """Something about the service the chat lives on."""


class FloodLimitError(ChannelError):
    """The channel wants a pause of `seconds` for this chat; nothing was sent."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The chat service asks to wait {seconds:.0f} s.")
        self.seconds = seconds


class NotSentError(ChannelError):
    """The message did not leave this machine; sending it again repeats nothing."""


class OutcomeUnknownError(ChannelError):
    """The message left, and no answer came: it may have arrived."""


class MarkupRefusedError(ChannelError):
    """The channel takes the text, but not its formatting."""


class MessageRefusedError(ChannelError):
    """The channel will never take this message."""


class ChatUnreachableError(ChannelError):
    """The chat is gone, or its owner has blocked the bot."""


class TopicGoneError(ChatUnreachableError):
    """The topic was deleted; its chat is there."""


class TopicClosedError(ChatUnreachableError):
    """The topic was closed by somebody, and only admins may write in it; its chat is there."""


class ChannelRefusedError(ChannelError):
    """The channel does not accept the bridge at all: the token is wrong."""


class ReactionRefusedError(ChannelError):
    """The chat takes no reactions, or not this one."""


class TopicRefusedError(ChannelError):
    """The chat has no topics, or the bot may not manage them."""


class FileTooBigError(ChannelError):
    """A file is larger than may be fetched."""


class FileNotReceivedError(ChannelError):
    """A file that was sent could not be fetched."""


class FileRefusedError(BridgeError):
    """A file that is not sent, or not taken."""


class ProjectError(BridgeError):
    """A place where no session can begin, or a name that can't be given to one."""


class WorktreeError(ProjectError):
    """git refused something about a worktree, and things are as they were."""


class TranscriptionError(BridgeError):
    """A voice message could not be written down."""


class PromptError(BridgeError):
    """A text that cannot be typed into Claude Code."""


class PromptTooLongError(PromptError):
    """More characters or lines than can be typed."""


class EmptyPromptError(PromptError):
    """Nothing is left of a text once what cannot be typed is taken away."""
