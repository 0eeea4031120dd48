# shellcheck shell=bash
# The same on disks whose speed is exact: files of the fake filesystem, attached as loop devices. The writer appends.

ask_slow() {
    mkdir "$WORK/fakefs"
    start "$QUIESCE_SIM" fakefs "$WORK/fakefs" >"$WORK/fakefs.log" 2>&1
    local server=$STARTED _
    for _ in {1..100}; do
        ! mountpoint -q "$WORK/fakefs" || break
        sleep 0.05
    done
    X=1
    WRITERS=(--append --pace 1000)
    measure_slow "100 MB/s, 256 MiB dirty" 256 '"bytes_per_s":100000000'
    measure_slow "20 ms a write, 8 MiB dirty" 8 '"delay_us":20000'
    kill "$server"
    wait "$server" || true
}

# On one volume, of which so many MiB are dirty, on a disk with this rule.
measure_slow() {
    PANEL=$1
    make_volume slow 1G ext4 "$WORK/fakefs/disk"
    VOLUMES=("$WORK/slow")
    ask_fakefs "{\"do\":\"rule\",\"operation\":\"write\",$3}"
    mapfile -t tools < <(tools)
    WRITERS+=(--dirty "$2")
    measure_stalls "${tools[@]}"
    ask_fakefs '{"do":"clear"}'
    umount "$WORK/slow"
    rmdir "$WORK/slow"
    rm "$WORK/fakefs/disk"
}

ask_fakefs() { "$QUIESCE_SIM" fakefs --ask "$1" "$WORK/fakefs" >"$WORK/fakefs.answer" || die "fakefs: $(<"$WORK/fakefs.answer")"; }
