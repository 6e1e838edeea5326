#!/bin/sh
# Brings what KEMER needs on Debian or Ubuntu: system packages where they are missing (with root or
# sudo), a virtual environment in .venv, and the pinned Python packages. `make` runs it when needed.
# `sh setup.sh browser` brings a Chromium for the tests of the demo's page, and nothing else.
set -eu

PYTHON="${PYTHON:-python3}"

install_system() {
    if [ "$(id -u)" -eq 0 ]; then
        as_root=""
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo"
    else
        echo "set-up: these system packages are missing and installing them needs root: run \`apt-get install $*\` as root, then try again" >&2
        exit 1
    fi
    echo "set-up: installing $*"
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq "$@" >/dev/null
}

if [ "${1:-}" = browser ]; then
    # Ubuntu's package of Chromium is a snap, which a container has not: there Playwright brings it.
    if grep -q '^ID=ubuntu' /etc/os-release; then
        exec .venv/bin/python -m playwright install --with-deps chromium
    fi
    install_system chromium
    exit
fi

if ! command -v "$PYTHON" >/dev/null 2>&1; then
    echo "set-up: \`$PYTHON\` was not found; install Python 3.10 or later, or name it: make PYTHON=..." >&2
    exit 1
fi
if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    echo "set-up: \`$PYTHON\` is $("$PYTHON" -V 2>&1); Python 3.10 or later is needed: make PYTHON=python3.11" >&2
    exit 1
fi

missing=""
command -v ffmpeg >/dev/null 2>&1 || missing="$missing ffmpeg"
command -v espeak-ng >/dev/null 2>&1 || missing="$missing espeak-ng"
"$PYTHON" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
# shellcheck disable=SC2086 (a list of packages)
[ -z "$missing" ] || install_system $missing

# An environment whose making was interrupted has a Python and no pip: it is made again.
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$PYTHON" -m venv --clear .venv
echo "set-up: installing Python packages into .venv (about 5 GB)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[dev]'
