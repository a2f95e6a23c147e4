#!/bin/sh
# Installs the bridge, runs its tests, or removes it: see usage() below.
# Plain sh, for Linux and macOS. All but the virtual environment is left to installer.py.
set -eu

# With a trap, the shell waits for what Ctrl-C ends, and then ends too.
trap 'printf "\nStopped. ./install.sh goes on from here.\n" >&2; exit 130' INT

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=$here/.venv
# There while something is put into it: what was cut off then is made anew.
unfinished=$here/.venv.unfinished

usage() {
    cat <<'TEXT'
Claude Code in your pocket: chats drive the Claude Code sessions on this machine.

  ./install.sh                install or update, and start the bridge; safe to run again
  ./install.sh --web          the same with the page in a browser, and a link that opens it
  ./install.sh --telegram     the same with a Telegram bot, whose token it asks for
  ./install.sh --pair         print a new pairing code for your phone
  ./install.sh --uninstall    stop and remove the service; your data stays
  ./install.sh --test [-- …]  run the tests; what follows -- goes to pytest
  ./install.sh --help         this text

The settings are in ~/.config/claude-telegram/config.toml. The README has the table.
TEXT
}

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

# A secret is nobody's business but the installer's.
without_token() {
    (
        unset TELEGRAM_BOT_TOKEN
        exec "$@"
    )
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        path=$(command -v "$name") || continue
        if is_new_enough "$path"; then
            printf '%s\n' "$path"
            return
        fi
    done
    case $(uname -s) in
    Darwin) how="brew install python" ;;
    *) how="the package manager of this system, or https://www.python.org/downloads" ;;
    esac
    fail "Python 3.11 or newer is missing. Get it with: $how"
}

make_venv() {
    if [ ! -e "$unfinished" ] && is_new_enough "$venv/bin/python" &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        fail "Python's venv module is missing. Get it with: sudo apt install python3-venv"
    fi
    printf 'Making the virtual environment with %s …\n' "$("$python" --version)"
    : >"$unfinished" || fail "$here can't be written to."
    said=$("$python" -m venv --clear "$venv" 2>&1) ||
        fail "The virtual environment could not be made in $venv: $(printf '%s' "$said" | tail -n 1)"
    rm -f "$unfinished"
}

# Only if the list changed since the last time: $1 is the list, the rest are all files it is made of.
install_packages() {
    list=$1
    shift
    stamp=$venv/.$list.stamp
    wanted=$(cat "$@" | cksum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return
    fi
    printf 'Installing the Python packages of %s …\n' "$list"
    : >"$unfinished" || fail "$here can't be written to."
    if ! without_token "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$here/$list"; then
        rm -f "$unfinished" # by itself pip leaves what was there
        fail "The Python packages could not be installed. Check the network, then run this again."
    fi
    printf '%s\n' "$wanted" >"$stamp"
    rm -f "$unfinished"
}

# Scripts are off, and the one that matters is run by hand: npm 11 may hold it back, npm 10 doesn't.
install_claude_cli() {
    folder=$here/tests/claude-cli
    version=$(sed -n 's/.*claude-code": "\(.*\)".*/\1/p' "$folder/package.json")
    case $("$folder/node_modules/.bin/claude" --version 2>/dev/null) in
    "$version "*) return ;;
    esac
    if ! command -v npm >/dev/null; then
        echo "npm is missing: tests that need the real Claude Code are skipped."
        return
    fi
    printf 'Installing Claude Code %s for the tests …\n' "$version"
    if ! (
        cd "$folder"
        without_token npm ci --ignore-scripts --include=optional --loglevel=error >/dev/null &&
            without_token node node_modules/@anthropic-ai/claude-code/install.cjs &&
            node_modules/.bin/claude --version >/dev/null
    ); then
        echo "Claude Code could not be installed: tests that need the real one are skipped."
    fi
}

# What looks for that which keeps people from using the page; it has no scripts of its own.
install_axe() {
    folder=$here/tests/axe
    if [ -f "$folder/node_modules/axe-core/axe.min.js" ] || ! command -v npm >/dev/null; then
        return
    fi
    if ! (cd "$folder" && without_token npm ci --ignore-scripts --loglevel=error >/dev/null); then
        echo "axe-core could not be installed: the test of accessibility is skipped."
    fi
}

run_tests() {
    make_venv
    install_packages requirements-dev.txt "$here/requirements.txt" "$here/requirements-dev.txt"
    install_claude_cli
    install_axe
    cd "$here"
    unset TELEGRAM_BOT_TOKEN
    exec "$venv/bin/python" -m pytest "$@"
}

case ${1-} in
-h | --help)
    usage
    ;;
--test)
    shift
    if [ "${1-}" = -- ]; then shift; fi
    run_tests "$@"
    ;;
'' | --web | --telegram | --pair | --uninstall)
    make_venv
    install_packages requirements.txt "$here/requirements.txt"
    exec "$venv/bin/python" "$here/installer_start.py" "$@"
    ;;
*)
    printf 'There is no option %s. ./install.sh --help shows what there is.\n' "$1" >&2
    exit 2
    ;;
esac
