# shellcheck shell=bash
# How many scenarios a second does quiesce-sim play? In the virtual world all of them, on one processor; in the real ones
# those of a folder in which nothing waits on purpose. And how long does half an hour take in the virtual one?

ask_harness() {
    local round
    PANEL=quiesce-sim
    for ((round = 0; round < ROUNDS; round++)); do
        note "$PANEL" virtual 1 rate "$(virtual_rate 40)"
        note "$PANEL" virtual 1 half_an_hour "$(virtual_rate 1000 --filter timeouts/half-an-hour | awk '{ print 1e6 / $1 }')"
        measure_real fake
        measure_real loop
    done
    [[ -z $QUICK ]] || return 0
    ! play || note "$PANEL" all 16 suite "$(jq .duration_us "$MEMORY/played.json")"
}

# What is measured has to pass.
play() {
    start "$QUIESCE_SIM" run --json "$MEMORY/played.json" "$@" >"$WORK/log" 2>&1
    wait "$STARTED" || {
        say "$QUESTION: not counted, as scenarios failed: $(tail -n 5 "$WORK/log")" >&2
        return 1
    }
}

# By what scenarios cost a processor, played and judged: the difference that so many repetitions more make, so that reading
# the files does not count, and what is busy beside does not either.
virtual_rate() {
    { virtual_cpu 5 "${@:2}" && virtual_cpu $((5 + $1)) "${@:2}"; } |
        awk '{ count[NR] = $1; cpu[NR] = $2 + $3 } END { print (count[2] - count[1]) / (cpu[2] - cpu[1]) }'
}

# How many were played, in how much time of a processor.
virtual_cpu() {
    local TIMEFORMAT='%U %S' cpu
    cpu=$({ time "$QUIESCE_SIM" run --world virtual --jobs 1 --seed 1 --repeat "$1" "${@:2}" >"$WORK/virtual"; } 2>&1)
    printf '%s %s\n' "$(awk '/ passed in / { print $1 }' "$WORK/virtual")" "$cpu"
}

measure_real() {
    ! play --world "$1" --jobs 32 --repeat 4 scenarios/verdict ||
        note "$PANEL" "$1" 32 rate "$(jq '.counts.passed * 1e6 / .duration_us' "$MEMORY/played.json")"
}
