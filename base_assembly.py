"""What all features of the bridge stand on, wired by its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from admission import Admission
from audit import AuditLog
from buttons import Buttons
from channel_list import open_channels
from chat_settings import ChatSettings
from core.claude_code import TRANSCRIPTS_FOLDER
from core.config import Config, claude_config_dir
from core.environment import claude_environment
from core.errors import BridgeError
from core.model import AT_THE_PAGE, Place, private_chat
from core.ports import Channels
from core.redaction import Redactor
from devices import Devices
from gone_places import GonePlaces
from history import Histories
from inbox import Inbox
from outbox import Outbox
from people import People
from places import Places
from pulse import Background
from replay import Replays
from session import Session
from session_assembly import build_sessions, find_version
from session_files import SessionFiles
from session_finder import SessionFinder
from sessions import Sessions
from topics import Topics


@dataclass(frozen=True, slots=True)
class Base:
    """What all features stand on."""

    config: Config
    environ: Mapping[str, str]
    environment: Mapping[str, str]
    version: tuple[int, ...]
    redactor: Redactor
    channels: Channels
    broken: Mapping[str, BridgeError]
    people: People
    background: Background
    buttons: Buttons
    inbox: Inbox
    outbox: Outbox
    files: SessionFiles
    histories: Histories
    settings: ChatSettings
    sessions: Sessions
    finder: SessionFinder
    places: Places
    topics: Topics
    admission: Admission
    devices: Devices

    @property
    def directory(self) -> Path:
        return self.config.bridge_dir

    @property
    def masks(self) -> Redactor | None:
        """What hides secrets in what is shown, if they are hidden."""
        return self.redactor if self.config.mask_secrets else None


def build_base(config: Config, environ: Mapping[str, str], redactor: Redactor) -> Base:
    """What the features stand on. Raises BridgeError."""
    directory = config.bridge_dir
    environment = claude_environment(environ, secrets=[config.telegram_bot_token.reveal()])
    version = find_version(config, environment)
    inbox = Inbox(directory)
    redact = redactor.redact if config.mask_secrets else str
    devices = Devices(directory)
    channels, broken = open_channels(config, devices, redact)
    outbox = Outbox(directory, channels, redact=redact)
    people = People(directory, allowed_users=config.owners)
    files = SessionFiles(config.files_dir)
    histories = Histories(directory / "histories", redact=redactor.redact)
    sessions = build_sessions(
        *(config, environ, environment, version, inbox, outbox, files),
        Replays(histories, files),
    )
    sessions.launcher.is_trusted = partial(_is_trusted, people)
    admission = _build_admission(config, people, redactor, outbox, sessions)
    background, places = Background(), _open_places(config)
    topics = Topics(
        *(channels, places, sessions, outbox, background),
        is_known=admission.is_known,
        redact=redact,
    )
    sessions.book.listeners.append(topics.touch)
    _connect_outbox(outbox, admission, places, sessions, people)
    return Base(
        config=config,
        environ=environ,
        environment=environment,
        version=version,
        redactor=redactor,
        channels=channels,
        broken=broken,
        people=people,
        background=background,
        buttons=Buttons(directory),
        inbox=inbox,
        outbox=outbox,
        files=files,
        histories=histories,
        settings=ChatSettings(directory),
        sessions=sessions,
        finder=_build_finder(config, environ, redactor),
        places=places,
        topics=topics,
        admission=admission,
        devices=devices,
    )


def _open_places(config: Config) -> Places:
    places = Places(config.bridge_dir)
    if config.web:
        places.note(Place(private_chat(AT_THE_PAGE), "The page", is_private=True, is_forum=True))
    return places


def _connect_outbox(
    outbox: Outbox, admission: Admission, places: Places, sessions: Sessions, people: People
) -> None:
    gone = GonePlaces(places, sessions.book, outbox, to_be_told=lambda: people.to_be_told)
    outbox.may_show, outbox.on_gone = admission.may_show, gone.hear


def _build_admission(
    config: Config, people: People, redactor: Redactor, outbox: Outbox, sessions: Sessions
) -> Admission:
    audit = AuditLog(config.bridge_dir, redactor, retention_days=config.retention_days)
    return Admission(
        *(people, config.allowed_groups, audit),
        put=outbox.put,
        is_session=lambda chat: sessions.book.find_current(chat) is not None,
    )


def _build_finder(config: Config, environ: Mapping[str, str], redactor: Redactor) -> SessionFinder:
    projects, found = claude_config_dir(environ) / TRANSCRIPTS_FOLDER, "found_sessions.json"
    return SessionFinder(projects, config.bridge_dir / found, redact=redactor.redact)


def _is_trusted(people: People, session: Session) -> bool:
    """Whether its chat is an owner's, or a group, where an owner has let everybody in."""
    chat_id = int(session.chat_id)
    return chat_id < 0 or people.may(chat_id, "bypass")
