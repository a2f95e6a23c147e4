"""Every benchmark, one after the other: `python -m benchmarks`."""

from __future__ import annotations

import sys

from benchmarks import histories, install, latency, page, sessions, store, turn

if __name__ == "__main__":
    every = (store, sessions, histories, latency, turn, page, install)
    sys.exit(max(benchmark.main() for benchmark in every))
