# shellcheck shell=sh
# hook.sh: what the hooks of this folder share. They are called around a snapshot by an agent of a hypervisor or cloud;
# `quiesce begin` and `quiesce end` are what they come to. /etc/default/quiesce may set:
#
#   QUIESCE_OPTIONS="--hold-limit 120"   more options of `quiesce begin`
#   QUIESCE_LEAST=application            fail if the backup is not at least that: application, filesystem or crash; by
#                                        default crash, that is, if the config allows the backup at all
#
# Nothing is written anywhere while something may be frozen: what begin says is told only if it undid what it began, what
# end says always. Both go to the system's log.
PATH=${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
# shellcheck disable=SC1091 # need not be there
[ ! -r /etc/default/quiesce ] || . /etc/default/quiesce

# Line by line: of a longer message logger(1) takes the first KiB.
tell() {
    printf '%s\n' "$1" | logger -t quiesce 2>/dev/null || printf '%s\n' "$1" >&2
}

# Is a backup of exit status $1 good enough?
suffices() {
    case ${QUIESCE_LEAST:-crash}:$1 in
    crash:0 | crash:10 | crash:11 | filesystem:0 | filesystem:10 | application:0) ;;
    *) false ;;
    esac
}

# Where it is another agent that freezes.
freeze_nothing() {
    QUIESCE_OPTIONS="--scripts-only ${QUIESCE_OPTIONS-}"
}

# On success the snapshot may be taken; else all is undone, and we fail, as the snapshot must.
begin_backup() {
    case ${QUIESCE_LEAST:-crash} in
    application | filesystem | crash) ;;
    *)
        tell "QUIESCE_LEAST: found $QUIESCE_LEAST, allowed: application, filesystem or crash; nothing was begun"
        return 1
        ;;
    esac
    # shellcheck disable=SC2086 # options are words
    told=$("${QUIESCE:-quiesce}" begin ${QUIESCE_OPTIONS-} 2>&1)
    status=$?
    if suffices "$status"; then return; fi
    case $status in
    10 | 11) end_backup --failed ;; # of no use to whoever asks for more
    *) tell "$told" ;;
    esac
    return 1
}

# end_backup [--failed]: fails if the backup is worth less than it must be.
end_backup() {
    told=$("${QUIESCE:-quiesce}" end "$@" 2>&1)
    status=$?
    tell "$told"
    suffices "$status"
}
