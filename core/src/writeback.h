/* writeback.h: what is dirty written out before it is flushed, by the kernel's own threads for that.
 *
 * syncfs begins to commit the filesystem's journal as soon as all data is on its way to the disk. On one with a long queue,
 * or a slow one, who writes to the filesystem then waits until all of that queue is written (ext4 in its usual mode, a third
 * of a second for 256 MiB at 100 MB/s). The flusher threads commit nothing. They write out what is dirty on every
 * filesystem, and nobody waits for them; so syncfs finds little left to do. They are woken by a change of
 * vm.dirty_writeback_centisecs, which is put back at once (settings.h).
 *
 * Only where much is dirty, and waited for until nothing is being written to our disks any more. To disks at work something
 * always is: those are done at the latest when they have written more than was dirty on the whole machine. */
#ifndef QUIESCE_WRITEBACK_H
#define QUIESCE_WRITEBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "quiesce/os.h"

#define QZ_WRITEBACK_WORTH_BYTES (4 << 20) /* less is not worth a round */
#define QZ_WRITEBACK_ROUNDS_MAX 4
#define QZ_WRITEBACK_LOOK_US 10000 /* between two looks */
#define QZ_WRITEBACK_IDLE_LOOKS 2  /* in a row that see nothing being written */
#define QZ_WRITEBACK_COPIES 2      /* what is mirrored is written so often */

/* All zero: it has not begun. */
struct qz_writeback {
    bool under_way;
    int rounds; /* begun */
    int idle;   /* looks in a row that saw nothing being written to our disks */
    int64_t until_us; /* no longer, whatever is left */
    int64_t look_us;  /* when to look again */
    int64_t dirty_bytes;   /* on the whole machine, as this round was begun */
    int64_t written_bytes; /* to our disks until then */
    int64_t before_bytes;  /* written in the round before */
};

/* Begins, if it is worth it and possible. Allocates nothing. */
void qz_writeback_begin(struct qz_writeback *writeback, struct qz_os *os, int64_t now_us, int64_t until_us);

/* While it is under way, at `look_us`: looks, and goes on to the next round, or ends. */
void qz_writeback_look(struct qz_writeback *writeback, struct qz_os *os, int64_t now_us);

#endif
