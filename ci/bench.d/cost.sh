# shellcheck shell=bash
# What does a run cost beside its bare parts, how soon does it thaw, how big is it? One ext4 volume, idle.
#
# One right after a process has ended, as a pre-script has, is dearer than a lone freeze: so the parts are done bare in the
# same order.

ask_cost() {
    PANEL=ext4
    X=1
    volumes_open 1 ext4 64M disk
    VOLUME=${VOLUMES[0]}
    WRITERS=(--pace 100)
    RUN=("$QUIESCE" run --expedite never --config "$WORK/config.json" --volume "$VOLUME" --format json)
    local round
    "${RUN[@]}" -- true >/dev/null 2>&1 # what is read from disk for the first time is not what is measured
    for ((round = 0; round < ROUNDS; round++)); do
        measure_parts
        measure_fsfreeze
        measure_run
        measure_thaw
        ((round % 5 > 0)) || measure_kill
    done
    strip -o "$WORK/stripped" "$QUIESCE"
    note_cost quiesce binary "$(stat -c %s "$WORK/stripped")"
    volumes_close
}

note_cost() { note "$PANEL" "$1" "$X" "$2" "$3"; }

measure_parts() {
    local window
    "$STOPWATCH" parts "$MEMORY/parts" "$VOLUME" "$WORK/pre.sh" true "$WORK/post.sh"
    read -r PARTS window PAIR <"$MEMORY/parts"
    note_cost bare run "$PARTS"
    note_cost bare window "$window"
    note_cost bare pair "$PAIR"
    pause
}

measure_fsfreeze() {
    local freeze thaw
    freeze=$("$STOPWATCH" run /dev/null fsfreeze --freeze "$VOLUME")
    thaw=$("$STOPWATCH" run /dev/null fsfreeze --unfreeze "$VOLUME")
    note_cost fsfreeze window "$((freeze + thaw))"
    pause
}

measure_run() {
    local took window calls
    took=$("$STOPWATCH" run "$MEMORY/report.json" "${RUN[@]}" -- true 2>"$WORK/log") || die "$(tail -n 1 "$WORK/log")"
    read -r window calls < <(jq -r '"\(.freeze.window_us) \(.freeze.volumes[0] | .freeze_us + .thaw_us)"' "$MEMORY/report.json")
    note_cost quiesce run "$took"
    note_cost quiesce window "$window"
    note_cost quiesce added "$((took - PARTS))"
    note_cost quiesce added_outside "$((took - calls - (PARTS - PAIR)))"
    pause
}

# From the end of the snapshot command until a writer goes on, less the FITHAW itself.
measure_thaw() {
    local resumed
    tool_command quiesce "$VOLUME"
    watch_writers || die "$(tail -n 1 "$WORK/log")"
    resumed=$(awk '$1 == "resumed" { print $2 }' "$MEMORY/seen")
    [[ -z $resumed ]] || note_cost quiesce to_thaw "$((resumed - $(jq '.freeze.volumes[0].thaw_us' "$MEMORY/report.json")))"
    pause
}

# Kills the agent while it holds; its guardian thaws and runs the post-script.
measure_kill() {
    hold "$VOLUME"
    note_cost quiesce agent_resident "$(resident "$STARTED")"
    note_cost quiesce guardian_resident "$(resident "$(guardian_of "$STARTED")")"
    note_cost quiesce kill "$("$STOPWATCH" kill "$STARTED" "$VOLUME")"
    hold_end
    pause
}
