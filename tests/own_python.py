"""The Python that has what the tests need, for who starts a test file with another one."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

PYTHON = Path(__file__).resolve().parent.parent / ".venv" / "bin" / "python"


def use_own_python() -> None:
    """Begin anew with the checkout's own Python, where this one lacks packages."""
    if all(find_spec(name) for name in ("pytest", "pytest_mock", "msgspec", "filelock")):
        return
    if not PYTHON.exists():
        sys.exit("The tests need some packages. Get them with: ./install.sh --test")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])
