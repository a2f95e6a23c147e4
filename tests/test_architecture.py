"""The rules of the house, held by reading every module: layers, imports, sizes and names."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LONGEST_MODULE = 500
LONGEST_FUNCTION = 50

# Who is in which layer. A module imports from its own layer's group or from layers below.
BASE = {"durable", "file_lock", "checked_file", "journal", "pulse", "lanes", "child_process"}
EDGES = {
    *("session", "session_changes", "session_folder", "inbox", "people", "buttons", "logs"),
    *("chat_settings", "places", "history", "channels.telegram_topics"),
    *("outbox", "outbox_records", "reactions", "service", "audit", "receiving", "self_test_api"),
    *("tmux_control", "tmux_server", "tmux_search", "typing_files", "terminal"),
    *("claude_feed", "claude_registry", "claude_hook", "state_folder"),
    *("channels.telegram", "channels.telegram_incoming", "channels.telegram_sending"),
    *("channels.telegram_files", "channels.telegram_errors", "channels.telegram_text"),
    *("channels.telegram_markdown", "channels.telegram_tables", "channels.telegram_entities"),
    *("channels.web", "channels.web_store", "channels.web_files", "channels.web_body"),
    *("channels.web_markdown", "channels.web_code", "channels.web_incoming", "channels.web_live"),
    *("channels.web_guard", "channels.web_server", "channels.web_terminal", "devices", "qr_code"),
    *("channels.web_sessions", "process_end", "transcript_keeper", "claude_login"),
    *("screen_picture", "screen_painter", "screen_cells", "screen_fonts"),
    *(
        "claude_catalog",
        "git_head",
        "git_worktrees",
        "transcript_file",
        "machine_clock",
        "shipped_agents",
    ),
    *("request_book", "session_finder"),
    *("session_files", "outbox_folder", "folder_reader", "transcriber", "speech_writer"),
}
HUB = {
    *(
        "claude_launcher",
        "orphans",
        "input_box",
        "session_book",
        "screen_view",
        "admission",
        *("people_commands", "handoff", "topics"),
        "chat_messages",
        "presses",
        "assembly",
        *("channel_list", "channel_watch"),
        *("device_commands", "page_link", "page_desk"),
        "claude_status",
        "running_claude",
        "typist",
        "session_runner",
        *("sessions", "resting", "taking_up", "wakings", "at_rest"),
        "option_choice",
        "keypad",
        "pending_requests",
        "request_posts",
        "chat_commands",
        *("command_menu", "prompt_queue", "queue_commands", "renewal"),
        *("status_report", "steering_commands", "session_commands", "session_listing"),
        "transcript_posts",
        "live_cards",
        "receipts",
        "service_errors",
        *("quiet_hours", "privacy", "history_recorder", "history_pages", "forgetting", "replay"),
        "file_changes",
        *("troubles", "gone_places"),
        *("uploads", "waiting_text"),
        "deliveries",
        *("file_browser", "new_sessions", "project_picker", "session_worktrees"),
        *("fresh_starts", "restoration", "acting_agents"),
        *("session_assembly", "base_assembly", "feature_assembly", "session_observer"),
    ),
    *(
        "bridge",
        *("installer", "installer_start"),
        "doctor",
        "version_check",
        "self_test",
        "self_test_desk",
        "self_test_steps",
    ),
}
WEB = {name for name in EDGES if name.startswith("channels.web")}
TELEGRAM = {name for name in EDGES if name.startswith("channels.telegram")}
# One edge in several modules: the first may use the others.
PARTS = {
    "session": {"session_changes", "session_folder"},
    "session_changes": {"session_folder"},
    "outbox": {"outbox_records", "reactions"},
    "terminal": {"tmux_control"},
    "tmux_control": {"tmux_server", "tmux_search", "typing_files"},
    "tmux_search": {"tmux_server"},
    "channels.telegram": TELEGRAM,
    "channels.telegram_sending": TELEGRAM,
    "channels.telegram_topics": TELEGRAM,
    "channels.telegram_text": {"channels.telegram_markdown", "channels.telegram_entities"},
    "channels.telegram_markdown": {"channels.telegram_tables", "channels.telegram_entities"},
    "channels.telegram_tables": {"channels.telegram_entities"},
    "channels.web": {*WEB, "devices"},
    "channels.web_server": WEB,
    "channels.web_guard": {"devices"},
    "channels.web_live": {"channels.web_store"},
    "channels.web_terminal": {"channels.web_incoming", "channels.web_live"},
    "channels.web_files": {"channels.web_store"},
    "channels.web_incoming": {"channels.web_store"},
    "channels.web_body": {"channels.web_files", "channels.web_markdown", "channels.web_store"},
    "channels.web_markdown": {"channels.web_code"},
    "channel_list": {"channels.telegram", "channels.web", "devices"},
    "outbox_folder": {"session_files"},
    "screen_painter": {"screen_cells", "screen_fonts"},
}
# Libraries that one module alone may know.
KEPT_BY = {
    "libtmux": {"tmux_server"},
    "telegram": {*TELEGRAM, "installer", "doctor"},  # the latter two ask getMe
    "watchdog": {"claude_feed"},
    "pyromark": {"channels.telegram_markdown", "channels.web_markdown"},
    "pygments": {"channels.web_code"},
    "aiohttp": {"channels.web", "channels.web_server", "channels.web_guard", "channels.web_live"},
    "sqlite3": {"channels.web_store"},
    "phonenumbers": {"core.personal_data"},
    "stdnum": {"core.personal_data"},
    "markdown_it": {"core.history_export"},
    "PIL": {"screen_painter", "screen_fonts"},
    "bittty": {"screen_cells"},
    "faster_whisper": {"speech_writer"},  # not the bridge, which it would make large and slow
}
# What lets a module touch the world; core/ may not.
WORLD = {
    *("os", "socket", "subprocess", "time", "shutil", "tempfile", "asyncio", "threading", "signal"),
    *("select", "fcntl", "logging", "sys", "io", "glob", "urllib", "http", "sqlite3", "random"),
    *("secrets", "multiprocessing", "concurrent", "httpx", "psutil", "filelock"),
}
PURE_LIBRARIES = {"msgspec", "phonenumbers", "stdnum", "markdown_it"}
FILE_CALLS = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "exists", "is_file"),
    *("is_dir", "stat", "mkdir", "unlink", "iterdir", "glob", "rglob", "resolve", "expanduser"),
    *("home", "cwd", "touch", "rename", "now", "today", "getenv", "print", "input"),
}
# Known and meant: a path in the settings may be relative, or begin with `~`, when HOME is not set.
KNOWN_FILE_CALLS = {("core.config", "home"), ("core.config", "cwd")}
BAD_NAMES = ("util", "utils", "helper", "helpers", "common", "manager", "misc", "tools")


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def layer(self) -> int:
        if self.name.startswith("core"):
            return 0
        return next((n for n, names in enumerate((BASE, EDGES, HUB), 1) if self.name in names), 9)

    def imports(self) -> Iterator[str]:
        """The full names of what is imported: of `from a import b` both `a` and `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} has a relative import"
                assert node.module is not None
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def tops(self) -> set[str]:
        return {name.partition(".")[0] for name in self.imports()}


def _read(path: Path) -> Module:
    text = path.read_text()
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return Module(name, path, ast.parse(text), len(text.splitlines()))


def _paths(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


PROGRAM = {
    module.name: module
    for path in _paths("*.py", "core/*.py", "channels/*.py")
    if not path.name.startswith("test_") and path.name != "__init__.py"
    for module in [_read(path)]
}
EVERYTHING = [
    *PROGRAM.values(),
    *(_read(path) for path in _paths("test_*.py", "tests/**/*.py", "benchmarks/*.py", "docs/*.py")),
]


def holds_for(of: Iterable[Module]) -> Callable[[Callable[[Module], None]], Callable[[], None]]:
    """Makes the rule for one module one test of them all, which names each that breaks it."""

    def of_all(rule: Callable[[Module], None]) -> Callable[[], None]:
        def test() -> None:
            broken = []
            for module in of:
                try:
                    rule(module)
                except AssertionError as error:
                    broken.append(f"{module.name}: {error}")
            assert not broken, "\n".join(broken)

        test.__doc__ = rule.__doc__
        return test

    return of_all


modules = holds_for(PROGRAM.values())
all_modules = holds_for(EVERYTHING)
core = holds_for([module for module in PROGRAM.values() if module.layer == 0])


def uses(module: Module) -> set[str]:
    """The program's own modules that this one imports."""
    return {name for name in module.imports() if name in PROGRAM and name != module.name}


# --- layers ------------------------------------------------------------------------------------


@modules
def test_every_module_has_its_layer(module: Module) -> None:
    assert module.layer != 9, f"say in tests/test_architecture.py what {module.name} is"


def test_no_layer_names_a_module_that_is_gone() -> None:
    assert (BASE | EDGES | HUB) - set(PROGRAM) == set()


@modules
def test_imports_go_down(module: Module) -> None:
    """core < base < edges < hub; an edge imports no other edge."""
    up = {name for name in uses(module) if PROGRAM[name].layer > module.layer}
    assert up == set()
    if module.layer == 2:
        others = {name for name in uses(module) if PROGRAM[name].layer == 2}
        assert others - PARTS.get(module.name, set()) == set()


@modules
def test_nobody_imports_the_bridge(module: Module) -> None:
    assert "bridge" not in uses(module)


def test_only_a_process_of_its_own_loads_what_draws() -> None:
    """Not the bridge, whose memory it would double."""
    assert [name for name, module in PROGRAM.items() if "screen_painter" in uses(module)] == []


def test_no_imports_go_in_a_circle() -> None:
    TopologicalSorter({name: uses(module) for name, module in PROGRAM.items()}).prepare()


@modules
def test_a_library_is_known_by_one_module(module: Module) -> None:
    kept = {top for top in module.tops() & KEPT_BY.keys() if module.name not in KEPT_BY[top]}
    assert kept == set()


def test_what_claude_code_runs_needs_the_standard_library_alone() -> None:
    assert PROGRAM["claude_hook"].tops() <= sys.stdlib_module_names


@modules
def test_only_tests_import_tests(module: Module) -> None:
    assert module.tops() & {"tests", "benchmarks", "pytest", "hypothesis"} == set()


# --- the pure core -----------------------------------------------------------------------------


@core
def test_core_imports_core_and_pure_libraries(module: Module) -> None:
    assert module.tops() & WORLD == set()
    assert module.tops() <= sys.stdlib_module_names | PURE_LIBRARIES | {"core"}


@core
def test_core_asks_neither_files_nor_clocks(module: Module) -> None:
    called = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            name = node.func
            called.add(getattr(name, "attr", None) or getattr(name, "id", None))
    known = {name for where, name in KNOWN_FILE_CALLS if where == module.name}
    assert (called & FILE_CALLS) - known == set()


# --- sizes and names ---------------------------------------------------------------------------


@all_modules
def test_a_module_is_short(module: Module) -> None:
    assert module.lines <= LONGEST_MODULE


@all_modules
def test_a_function_is_short(module: Module) -> None:
    lengths = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    assert {name: size for name, size in lengths.items() if size > LONGEST_FUNCTION} == {}


@modules
def test_nobody_waits_by_what_can_lose_a_cancellation(module: Module) -> None:
    """`asyncio.wait_for` does, up to Python 3.11; `asyncio.timeout` and `pulse.happens` do not."""
    named = {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    assert "wait_for" not in named


@all_modules
def test_no_import_is_inside_of_a_function(module: Module) -> None:
    inside = [
        node.lineno
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == []


@all_modules
def test_a_module_is_named_after_what_it_is(module: Module) -> None:
    words = [word for part in module.name.split(".") for word in part.split("_")]
    assert set(words) & set(BAD_NAMES) == set()


@all_modules
def test_a_module_says_in_its_first_line_what_it_is(module: Module) -> None:
    if module.path.name == "__init__.py":
        return
    said = ast.get_docstring(module.tree)
    assert said
    assert len(said.splitlines()[0]) <= 100
