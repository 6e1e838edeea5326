"""What the set-up says where it cannot go on; installing itself is what ran before these tests."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def write_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs as its user's whole PATH: Python, and an `id` that is not root."""
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(programs, "python3", f'exec {sys.executable} "$@"')
    write_program(programs, "id", "echo 1000")
    (programs / "sh").symlink_to(shutil.which("sh"))
    return programs


def set_up(
    programs: Path, cwd: Path, *words: str, python: str = "python3"
) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["/bin/sh", str(ROOT / "setup.sh"), *words],
        cwd=cwd,
        env={"PATH": str(programs), "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_root_it_names_the_missing_packages(machine: Path, tmp_path: Path) -> None:
    done = set_up(machine, tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "`apt-get install ffmpeg espeak-ng`" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_package_that_is_there_is_not_asked_for(machine: Path, tmp_path: Path) -> None:
    write_program(machine, "ffmpeg", "true")
    assert "`apt-get install espeak-ng`" in set_up(machine, tmp_path).stderr


def test_a_browser_is_asked_for_by_itself(machine: Path, tmp_path: Path) -> None:
    (machine / "grep").symlink_to(shutil.which("false"))  # not Ubuntu
    done = set_up(machine, tmp_path, "browser")
    assert done.returncode == 1 and "`apt-get install chromium`" in done.stderr
    write_program(machine, "id", "echo 0")
    write_program(machine, "apt-get", f'echo "$@" >> {tmp_path}/asked')
    done = set_up(machine, tmp_path, "browser")
    assert done.returncode == 0 and done.stdout == "set-up: installing chromium\n"
    assert (tmp_path / "asked").read_text().splitlines()[-1] == "install -y -qq chromium"
    assert not (tmp_path / ".venv").exists()


def test_an_old_python_is_refused(machine: Path, tmp_path: Path) -> None:
    write_program(machine, "old", '[ "$1" = -V ] && echo Python 3.8.1 || exit 1')
    done = set_up(machine, tmp_path, python="old")
    assert done.returncode == 1
    assert "Python 3.8.1" in done.stderr and "3.10" in done.stderr


def test_a_missing_python_is_named(machine: Path, tmp_path: Path) -> None:
    done = set_up(machine, tmp_path, python="python9")
    assert done.returncode == 1
    assert "`python9` was not found" in done.stderr


def test_what_is_installed_is_not_installed_again(tmp_path: Path) -> None:
    for name in ("Makefile", "setup.cfg", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    installed = tmp_path / ".venv" / ".installed"
    installed.parent.mkdir()
    installed.touch()
    command = ["make", "--dry-run", "setup"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "setup.sh" not in done.stdout
    (tmp_path / "constraints.txt").write_text("changed")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "setup.sh" in done.stdout
