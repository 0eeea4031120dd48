# shellcheck shell=bash
# How everything is measured: in turns, by the stopwatch, every single value into $SAMPLES.

QUIESCE=$ROOT/build/release-gcc/core/quiesce
# shellcheck disable=SC2034 # the question about the harness
QUIESCE_SIM=$ROOT/build/release-gcc/sim/quiesce-sim

# The stopwatch, a place in memory, and a run's config with scripts that do nothing.
measure_open() {
    MEMORY=$WORK/memory
    SAMPLES=$WORK/samples.tsv
    STOPWATCH=$WORK/stopwatch
    export SNAPSHOT=$WORK/snapshot
    mkdir "$MEMORY"
    mount -t tmpfs tmpfs "$MEMORY"
    : >"$SAMPLES"
    gcc -std=c17 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o "$STOPWATCH" "$BENCH"/*.c -lpthread
    ln -s stopwatch "$SNAPSHOT"
    local role
    for role in pre post; do
        printf '#!/bin/sh\nexit 0\n' >"$WORK/$role.sh"
        chmod 0700 "$WORK/$role.sh"
    done
    cat >"$WORK/config.json" <<CONFIG
{"preScriptLocation": "$WORK/pre.sh", "postScriptLocation": "$WORK/post.sh", "continueBackupOnFailure": false}
CONFIG
    chmod 0600 "$WORK/config.json"
}

# One value: of which panel (a filesystem), which tool, where on the x axis, what, how much (microseconds, bytes, or a number).
# What failed has none.
note() { [[ -z $5 ]] || printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$QUESTION" "$1" "$2" "$3" "$4" "$5" >>"$SAMPLES"; }

pause() { sleep 0.1; }

# ---- Volumes ---------------------------------------------------------------------------------------------------------

# Volumes of a question: $1 of them, filesystem $2, $3 bytes each, their files in directory $4 of $WORK. Sets VOLUMES.
volumes_open() {
    local number
    VOLUMES=()
    mkdir -p "$WORK/$4"
    for ((number = 1; number <= $1; number++)); do
        make_volume "$4/$number" "$3" "$2"
        VOLUMES+=("$WORK/$4/$number")
    done
}

volumes_close() {
    local volume
    for volume in "${VOLUMES[@]}"; do
        umount "$volume"
        rmdir "$volume"
        rm "$volume.img"
    done
}

# ---- Stalls ----------------------------------------------------------------------------------------------------------

# Writers on the volumes $VOLUMES, while $COMMAND freezes them. What was seen (stall, took, resumed) is in the file seen.
watch_writers() {
    start "$STOPWATCH" writers --cut "$MEMORY/cut" "${WRITERS[@]}" "${VOLUMES[@]}" :: "${COMMAND[@]}" >"$MEMORY/seen" 2>"$WORK/log"
    wait "$STARTED"
}

# Does a tool freeze? It also has everything that is read from disk only once. The tool that does not is not measured.
try_tool() {
    tool_command "$1" "${VOLUMES[@]}"
    CUT_MS=100 watch_writers || {
        say "$QUESTION: $1 on ${#VOLUMES[@]} volumes is not measured: $(tail -n 1 "$WORK/log")" >&2
        return 1
    }
    pause
}

measure_tool() {
    local what value window presync
    tool_command "$1" "${VOLUMES[@]}"
    watch_writers || {
        say "$QUESTION: $1 has failed once on ${#VOLUMES[@]} volumes, which is not counted: $(tail -n 1 "$WORK/log")" >&2
        return 0
    }
    while read -r what value; do
        note "$PANEL" "$1" "$X" "$what" "$value"
    done <"$MEMORY/seen"
    case $1 in
        quiesce*)
            read -r window presync < <(jq -r '"\(.freeze.window_us - .snapshot.duration_us) \([.freeze.volumes[].presync_us] | max)"' "$MEMORY/report.json")
            note "$PANEL" "$1" "$X" window "$window"
            note "$PANEL" "$1" "$X" presync "$presync"
            ;;
        bare) note "$PANEL" "$1" "$X" window "$(cut -d ' ' -f 3 "$MEMORY/parts")" ;;
    esac
    pause
}

# All these tools in turns, on $VOLUMES, noted for $PANEL and $X. $WRITERS are the stopwatch's options.
measure_stalls() {
    local round tool sound=() count
    [[ " $* " != *" qemu-ga "* ]] || agent_start "${VOLUMES[@]}"
    for tool; do
        ! try_tool "$tool" || sound+=("$tool")
    done
    count=${#sound[@]}
    for ((round = 0; round < ROUNDS; round++)); do
        for ((number = 0; number < count; number++)); do
            measure_tool "${sound[(round + number) % count]}"
        done
    done
    [[ " $* " != *" qemu-ga "* ]] || agent_end
}

# ---- While it holds --------------------------------------------------------------------------------------------------

# Starts a run that holds these volumes for a while, and waits until they are frozen. Sets $STARTED.
hold() {
    local volume _
    local command=("$QUIESCE" run --config "$WORK/config.json" --hold 20)
    for volume; do command+=(--volume "$volume"); done
    start "${command[@]}" >/dev/null 2>&1
    for _ in {1..1000}; do # the report appears only at the end, so a frozen volume is known by what quiesce itself says
        ! "$QUIESCE" status | grep -qF "${*: -1}" || return 0
        sleep 0.02
    done
    die "quiesce did not freeze ${*: -1}"
}

# When the run that holds was ended: waits until nothing of it is left.
hold_end() {
    wait "$STARTED" 2>/dev/null || true
    while [[ -n $(work_processes) ]]; do sleep 0.05; done
}

resident() { awk '/^VmRSS:/ {print $2 * 1024}' "/proc/$1/status"; }

# The agent's children that run its own program: the guardian.
guardian_of() {
    local child
    for child in $(<"/proc/$1/task/$1/children"); do
        [[ $(readlink "/proc/$child/exe") != "$QUIESCE" ]] || printf '%s\n' "$child"
    done
}
