"""The options of the tmux server that Claude Code's terminals live in.

What a person who attaches would like, and what Claude Code asks of a tmux. Options that an older
tmux does not know are passed over (-q).
"""

from __future__ import annotations

TMUX_OPTIONS: tuple[tuple[str, ...], ...] = (
    # A failed Claude's last words stay to be read; a clean end closes the pane.
    ("-gwq", "remain-on-exit", "failed"),
    ("-gq", "history-limit", "20000"),
    ("-sq", "focus-events", "on"),
    ("-sq", "escape-time", "10"),
    ("-sq", "set-clipboard", "on"),
    ("-sq", "extended-keys", "on"),
    ("-gwq", "allow-passthrough", "on"),
    ("-sq", "default-terminal", "tmux-256color"),
    # A fixed place in the list, so that opening again does not make it longer.
    ("-sq", "terminal-features[50]", "*:RGB:extkeys:clipboard:focus:title"),
    ("-gq", "mouse", "on"),
    ("-gq", "set-titles", "on"),
    ("-gq", "set-titles-string", "#{session_name}: #{pane_title}"),
    ("-gwq", "allow-rename", "off"),
    ("-gwq", "automatic-rename", "off"),
    ("-gq", "status-style", "bg=colour236,fg=colour250"),
    ("-gq", "status-left-length", "60"),
    ("-gq", "status-left", " #{session_name} "),
    ("-gq", "status-right-length", "60"),
    ("-gq", "status-right", " Ctrl-b d leaves, and Claude keeps running "),
)
