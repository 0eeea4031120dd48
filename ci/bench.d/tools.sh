# shellcheck shell=bash
# The tools that are compared. Each is a command that gets mount points, freezes them, runs the program $SNAPSHOT when all
# are frozen, thaws them, and exits with 0 if all of that worked; README says it to those who bring one of their own.

OURS=(quiesce quiesce-expedited)
declare -A PEERS=() # what --peer brings
PEER_NAMES=()

peer_add() {
    [[ $1 =~ ^([a-z0-9._-]+)=(.+)$ ]] || wrong "--peer: \"$1\" is not NAME=COMMAND, NAME of a-z, 0-9, \".\", \"_\" and \"-\""
    [[ ! " quiesce quiesce-expedited fsfreeze qemu-ga " == *" ${BASH_REMATCH[1]} "* ]] ||
        wrong "--peer: ${BASH_REMATCH[1]} is measured anyway; choose another name"
    PEERS[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]}
    PEER_NAMES+=("${BASH_REMATCH[1]}")
}

# All tools, ours first; and, where there is one volume, what they all consist of.
tools() { printf '%s\n' "${OURS[@]}" $( ((X > 1)) || echo bare) fsfreeze qemu-ga ${PEER_NAMES[@]+"${PEER_NAMES[@]}"}; }

# Sets COMMAND to what runs a tool on these volumes.
tool_command() {
    local volume
    case $1 in
        quiesce*)
            COMMAND=("$QUIESCE" run --config "$WORK/config.json" --format json --report "$MEMORY/report.json")
            case $1 in *-expedited) COMMAND+=(--expedite always) ;; *) COMMAND+=(--expedite never) ;; esac
            for volume in "${@:2}"; do COMMAND+=(--volume "$volume"); done
            COMMAND+=(-- "$SNAPSHOT")
            ;;
        bare) COMMAND=("$STOPWATCH" parts "$MEMORY/parts" "$2" "$WORK/pre.sh" "$SNAPSHOT" "$WORK/post.sh") ;;
        fsfreeze) COMMAND=(sh "$BENCH/peer-fsfreeze" "${@:2}") ;;
        qemu-ga) COMMAND=("$STOPWATCH" qemu-ga "/proc/$AGENT/root/run/agent.sock" "$(($# - 1))" "$SNAPSHOT") ;;
        *) COMMAND=(sh -c "${PEERS[$1]} \"\$@\"" "$@") ;;
    esac
}

# A guest agent that sees these volumes and nothing else that can be frozen. Sets AGENT.
agent_start() {
    start unshare --mount "$BENCH/peer-qemu-ga" "$WORK/agent" "$@" >"$WORK/agent.log" 2>&1
    AGENT=$STARTED
    local _
    for _ in {1..400}; do
        [[ ! -S /proc/$AGENT/root/run/agent.sock ]] || break
        sleep 0.05
    done
    [[ -S /proc/$AGENT/root/run/agent.sock ]] || die "qemu-ga did not start: $(<"$WORK/agent.log")"
    agent_check $#
}

# It freezes whatever mount it sees, so before it is asked to: only file systems of ours, on loop devices, so many.
agent_check() {
    local stray
    stray=$(awk -v expected="$1" '
        { dash = 0; for (i = 7; i <= NF; i++) if ($i == "-") { dash = i; break }
          fstype = $(dash + 1); source = $(dash + 2) }
        fstype == "proc" || fstype == "tmpfs" { next }
        $5 ~ "^/volumes/[0-9]+$" && source ~ "^/dev/loop[0-9]+$" { seen++; next }
        { print $5 }
        END { if (seen != expected) print seen + 0 " volumes in place of " expected }' "/proc/$AGENT/mountinfo")
    [[ -z $stray ]] || die "qemu-ga would freeze what it must not: $stray"
}

agent_end() {
    kill "$AGENT"
    wait "$AGENT" || true
}
