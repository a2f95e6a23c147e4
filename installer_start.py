"""Starts the installer, so that Ctrl-C before it can say anything just ends it."""

from __future__ import annotations

import signal
import sys
from importlib import import_module

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # it takes a moment to load
    sys.exit(import_module("installer").main(sys.argv[1:]))
