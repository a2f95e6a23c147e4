"""Take the figures, print the table, write docs/reliability.md.

python -m tests.chaos            the short form
python -m tests.chaos --long     the full sizes; takes hours
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tests.chaos.experiments import EXPERIMENTS, SEED
from tests.chaos.report import Row, make_row, render_table, write_report


def main() -> int:
    """Returns 1 when a figure is not met."""
    options = _parse_options()
    logging.disable(logging.CRITICAL)  # the damage that is done here is expected
    form = "long" if options.long else "short"
    rows: list[Row] = []
    for experiment in EXPERIMENTS:
        if options.only and experiment.key not in options.only:
            continue
        size = options.size or (experiment.long if options.long else experiment.short)
        with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
            figure = experiment.take(size, options.seed, Path(folder) / "w")
        rows.append(make_row(experiment, form, size, options.seed, figure))
        is_met = "met" if figure.is_met else "NOT MET"
        print(f"{experiment.key}: {is_met}, {figure.seconds:.0f} s: {figure.measured}", flush=True)
        if options.size is None:
            write_report(rows, EXPERIMENTS)
    print(render_table(rows))
    return 0 if all(row.figure.is_met for row in rows) else 1


def _parse_options() -> argparse.Namespace:
    keys = [experiment.key for experiment in EXPERIMENTS]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the full sizes")
    parser.add_argument("--only", nargs="+", choices=keys, help="only these")
    parser.add_argument("--seed", type=int, default=SEED, help="what is drawn by lot")
    parser.add_argument("--size", type=int, help="another size, which is not written down")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
