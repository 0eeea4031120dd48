# shellcheck shell=bash
# What the scripts of this folder share. Source it; it changes to the top of the repository.

set -euo pipefail
export LC_ALL=C.UTF-8
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Refuses the command line.
wrong() { printf '%s: %s; --help tells more\n' "${0##*/}" "$*" >&2; exit 2; }
# What stands at the script's head.
usage() { printf 'Usage: ' && sed -n '2,/^[^#]/s/^# \{0,1\}//p' "ci/${0##*/}"; }
# Says that, if it is all that is asked for.
answer_help() { [[ ${1-} != --help ]] || { usage && exit; }; }

need_root() { ((EUID == 0)) || die "this freezes a filesystem on a loop device, which only root can: sudo ci/${0##*/}"; }

# Runs a command; shows its output only if it fails.
quietly() {
    local output status=0
    output=$("$@" 2>&1) || status=$?
    ((status == 0)) || printf '%s\n' "$output" >&2
    return "$status"
}

# ---- A place to freeze things in, with nothing left behind -----------------------------------------------------------
# Everything lives under the directory $WORK: what is mounted there, what loop devices hold files of it, and which
# processes carry it in their environment (see start) is all that sweep needs to know, so it can be called at any moment.

# Makes $WORK and sees to its end, however this script ends. Nothing in it stays frozen after $1 seconds.
work_open() {
    WORK=$(mktemp -d "/var/tmp/quiesce-${0##*/}.XXXXXX")
    trap work_close EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    watch_over "$1" &
    WATCH=$!
}

work_close() {
    local status=$?
    trap '' HUP INT PIPE TERM
    sweep
    kill "$WATCH" 2>/dev/null || true # a signal to all of us has ended it already
    wait "$WATCH" || true
    ((status <= 128)) || say "${0##*/}: interrupted; nothing is left behind" >&2
    exit "$status"
}

# The independent thaw: when the time is over, and also when this script was killed and could not clean up.
watch_over() {
    trap '' HUP INT PIPE
    local nothing deadline=$((SECONDS + $1))
    exec {nothing}<> <(:)
    while kill -0 $$ 2>/dev/null; do
        ((SECONDS < deadline)) || thaw_all
        read -rt 0.2 -u "$nothing" || true
    done
    sweep
}

# Starts a command that a Ctrl-C does not reach and sweep finds. Sets $STARTED to its process number.
start() {
    CI_WORK=$WORK setsid "$@" &
    # shellcheck disable=SC2034 # read by those who source this
    STARTED=$!
}

# A filesystem $WORK/$1, of $2 bytes; ext4 or what $3 says, in the file $WORK/$1.img or $4. Nothing is left for the kernel
# to initialize later.
make_volume() {
    local options=() image=${4-$WORK/$1.img}
    [[ ${3-ext4} != ext4 ]] || options=(-E "lazy_itable_init=0,lazy_journal_init=0")
    mkdir "$WORK/$1"
    truncate -s "$2" "$image"
    quietly "mkfs.${3-ext4}" -q "${options[@]}" "$image"
    mount_loop "$image" "$WORK/$1" || die "no filesystem on a loop device can be had here; is there /dev/loop-control?"
}

# Whoever looks for a free loop device at the same moment may have been given the same one, and was first.
mount_loop() {
    local _
    for _ in {1..5}; do
        ! mount -o loop "$@" 2>/dev/null || return 0
        sleep 0.1
    done
    mount -o loop "$@"
}

work_mounts() { awk -v work="$WORK/" 'index($5, work) == 1 {print $5}' /proc/self/mountinfo | tac; }
work_loops() { losetup --noheadings --output NAME,BACK-FILE | awk -v work="$WORK/" 'index($2, work) == 1 {print $1}'; }
work_processes() { { grep -lzsFx "CI_WORK=$WORK" /proc/[0-9]*/environ || true; } | cut -d/ -f3; }

# Thaws what is frozen; what is not, says so, and that is as well.
thaw_all() {
    local mount
    for mount in $(work_mounts); do timeout 5 fsfreeze --unfreeze "$mount" 2>/dev/null || true; done
}

# Ends, thaws, unmounts, detaches, removes. quiesce thaws by itself when it is ended; if it has not after two seconds,
# we do: a process that waits in a frozen filesystem ends only then.
sweep() {
    local round signal pids path
    for round in {0..99}; do
        pids=$(work_processes)
        [[ -n $pids ]] || break
        case $round in 0) signal=TERM ;; 50) signal=KILL ;; *) signal=0 ;; esac
        # shellcheck disable=SC2086 # a list of numbers
        kill -s "$signal" $pids 2>/dev/null || true
        ((round < 20)) || thaw_all
        sleep 0.1
    done
    thaw_all
    for path in $(work_mounts); do umount "$path" || umount --lazy "$path"; done
    for path in $(work_loops); do losetup --detach "$path" || true; done
    rm -rf "$WORK"
}
