# shellcheck shell=bash
# The questions about freezing: the whole command, and how long a writer stands still meanwhile.

# How long does the whole take when there is nothing to do? Four idle volumes, scripts that do nothing.

ask_trivial() {
    PANEL=ext4
    X=4
    note "$PANEL" "Azure (given)" "$X" took 17000000 # its own polls and sleeps; from its source, not measured here
    volumes_open 4 ext4 16M memory
    agent_start "${VOLUMES[@]}"
    local tool round
    export CUT=$MEMORY/cut
    mapfile -t tools < <(tools)
    for ((round = -1; round < ROUNDS; round++)); do # the first one reads from disk what is read only once
        for tool in "${tools[@]}"; do
            tool_command "$tool" "${VOLUMES[@]}"
            took=$("$STOPWATCH" run "$MEMORY/output" "${COMMAND[@]}" 2>"$WORK/log") ||
                die "$tool has failed: $(tail -n 1 "$WORK/log") $(head -c 300 "$MEMORY/output")"
            ((round < 0)) || note "$PANEL" "$tool" "$X" took "$took"
            pause
        done
    done
    agent_end
    volumes_close
}

# How long does a writer stand still, by how many volumes there are? Nothing is dirty but what the writers write, and
# the disks are memory: what is left is the freeze itself.

ask_volumes() {
    local counts=(1 4 16 32) many=(128 512) fstypes=(ext4 xfs btrfs)
    [[ -z $QUICK ]] || { counts=(1 32) many=() fstypes=(ext4); }
    for PANEL in "${fstypes[@]}"; do
        volumes_open "${counts[-1]}" "$PANEL" "$(smallest "$PANEL")" memory
        local all=("${VOLUMES[@]}")
        for X in "${counts[@]}"; do
            VOLUMES=("${all[@]:0:X}")
            WRITERS=(--pace $((X * 100)))
            mapfile -t tools < <(tools)
            measure_stalls "${tools[@]}"
        done
        VOLUMES=("${all[@]}")
        volumes_close
    done
    PANEL=ext4
    for X in ${many[@]+"${many[@]}"}; do
        volumes_open "$X" ext4 "$(smallest ext4)" memory
        WRITERS=(--pace $((X * 100)))
        measure_stalls "${OURS[@]}"
        measure_resident
        volumes_close
    done
}

smallest() { case $1 in ext4) echo 16M ;; xfs) echo 320M ;; btrfs) echo 128M ;; esac }

# Agent and guardian, while they hold all of $VOLUMES.
measure_resident() {
    hold "${VOLUMES[@]}"
    note "$PANEL" agent "$X" resident "$(resident "$STARTED")"
    note "$PANEL" guardian "$X" resident "$(resident "$(guardian_of "$STARTED")")"
    kill "$STARTED"
    hold_end
}

# The same for writers that wait for their data to be on the disk, as databases do.

ask_fsync() {
    local counts=(1 4 16 32)
    [[ -z $QUICK ]] || counts=(1 32)
    PANEL=ext4
    volumes_open "${counts[-1]}" ext4 16M memory
    local all=("${VOLUMES[@]}")
    for X in "${counts[@]}"; do
        VOLUMES=("${all[@]:0:X}")
        WRITERS=(--fsync --pace $((X * 1000)))
        mapfile -t tools < <(tools)
        measure_stalls "${tools[@]}"
    done
    VOLUMES=("${all[@]}")
    volumes_close
}

# How long does a writer stand still when there is much to be flushed? On this machine's own disk. One that appends, and one
# that rewrites the same pages: it may have to wait for a page that is being flushed, whoever flushes.

ask_dirty() {
    local sizes=(64 256) fstypes=(ext4 xfs btrfs) fstype
    [[ -z $QUICK ]] || { sizes=(64) fstypes=(ext4); }
    for fstype in "${fstypes[@]}"; do
        volumes_open 4 "$fstype" 2G disk
        for X in "${sizes[@]}"; do
            PANEL=$fstype
            WRITERS=(--append --pace 400 --dirty "$X")
            mapfile -t tools < <(tools)
            measure_stalls "${tools[@]}"
        done
        PANEL="$fstype, rewriting"
        WRITERS=(--pace 400 --dirty "$X")
        measure_stalls "${tools[@]}"
        volumes_close
    done
}
