"""The log, written by a real process: where it goes, who may read it, what it never holds."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"
SET_UP = f"""
import logging, sys
from pathlib import Path
from core.redaction import Redactor
from logs import set_up_logs
import os
set_up_logs(Path(sys.argv[1]), dict(os.environ), Redactor([{TOKEN!r}, 'say "hi"']))
log = logging.getLogger("bridge")
"""


def run(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SET_UP + code, str(folder)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "bridge.log").read_text().splitlines()]


def test_a_record_is_one_json_object_a_line(tmp_path: Path) -> None:
    run(tmp_path, "log.warning('two\\nlines %s', 'é'); log.debug('not this')")
    (line,) = lines(tmp_path)
    assert line.pop("at")
    assert line == {"level": "warning", "from": "bridge", "message": "two\nlines é"}


def test_the_file_is_its_owners_alone_even_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "bridge.log").touch(mode=0o644)
    (tmp_path / "bridge.log").chmod(0o644)
    run(tmp_path, "log.info('x'); open(sys.argv[1] + '/later', 'w')")
    for name in ("bridge.log", "later"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "code",
    [
        f"log.warning('at %s', 'http://x/bot{TOKEN}/getMe')",
        f"log.warning('token {TOKEN}')",
        f"try: raise ValueError('{TOKEN}')\nexcept ValueError: log.exception('no')",
        "log.warning('said %s', 'say \"hi\"')",
        "log.warning('-----BEGIN PRIVATE KEY-----\\nabc')",
        "log.warning('see http://x'); log.info('a@b')",
    ],
)
def test_no_secret_is_written_and_every_line_stays_json(tmp_path: Path, code: str) -> None:
    said = run(tmp_path, code)
    assert lines(tmp_path)
    whole = (tmp_path / "bridge.log").read_text() + said.stderr
    assert TOKEN not in whole
    assert "abc" not in whole
    assert 'say "hi"' not in whole.replace("\\", "")


def test_a_full_log_goes_on_in_a_new_file_and_the_oldest_goes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("bridge.log", *(f"bridge.log.{n}" for n in (1, 2, 3)))]
    for number, path in enumerate(reversed(paths)):
        path.write_text(json.dumps({"message": f"{number}".ljust((2 << 20) - 1000)}) + "\n")
    run(tmp_path, "for number in range(4, 8): log.info('%d %s', number, 'words ' * 50)")
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    found = []
    for path in reversed(paths):
        assert path.stat().st_size <= 2 << 20
        kept = [json.loads(line)["message"] for line in path.read_text().splitlines()]
        found.append([int(message.split()[0]) for message in kept])
    assert found == [[1], [2], [3, 4, 5], [6, 7]]
    assert stat.S_IMODE(paths[0].stat().st_mode) == 0o600


def test_a_name_that_is_no_text_can_be_logged(tmp_path: Path) -> None:
    said = run(tmp_path, "log.warning('file %s', os.fsdecode(b'caf\\xe9'))")
    assert lines(tmp_path)[0]["message"].startswith("file caf")
    assert said.stderr == ""


def test_the_libraries_addresses_are_not_logged(tmp_path: Path) -> None:
    run(tmp_path, "logging.getLogger('httpx').info('GET http://x'); log.info('kept')")
    assert [line["message"] for line in lines(tmp_path)] == ["kept"]


def test_under_systemd_the_log_goes_to_standard_error(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as journal:
        status = os.fstat(journal.fileno())
        subprocess.run(
            [sys.executable, "-c", f"{SET_UP}log.info('x')", str(tmp_path)],
            cwd=ROOT,
            env={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
            stderr=journal,
            check=True,
        )
    assert json.loads((tmp_path / "journal").read_text())["message"] == "x"
    assert not (tmp_path / "bridge.log").exists()


def test_a_variable_inherited_from_a_desktop_loses_no_log(tmp_path: Path) -> None:
    run(tmp_path, "log.info('x')", JOURNAL_STREAM="8:12345")
    assert [line["message"] for line in lines(tmp_path)] == ["x"]
