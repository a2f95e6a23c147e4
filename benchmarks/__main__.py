"""Every benchmark, one after the other: `python -m benchmarks`."""

from __future__ import annotations

import sys

from benchmarks import histories, latency, sessions, store, turn

if __name__ == "__main__":
    sys.exit(max(store.main(), sessions.main(), histories.main(), latency.main(), turn.main()))
