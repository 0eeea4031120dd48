/* sparse.h: copies of disks' images. */
#ifndef QUIESCE_SIM_SPARSE_H
#define QUIESCE_SIM_SPARSE_H

#include <stdbool.h>

/* Copies an open file without its holes; `dig`: blocks of zeros become holes, too. 0 or an errno. */
int sparse_copy(int from, int to, bool dig);

#endif
