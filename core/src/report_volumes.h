/* report_volumes.h: the volumes of a result as tables for people. */
#ifndef QUIESCE_REPORT_VOLUMES_H
#define QUIESCE_REPORT_VOLUMES_H

#include "quiesce/report.h"
#include "text.h"

/* For `check`: every volume with its decision, freeze order and reason. */
void qz_report_volume_decisions(const struct qz_result *result, struct qz_text *text);

/* After a run: what happened to each volume that was to be frozen, and how long it took. Volumes that the choice
 * passed over are only counted, unless they were asked for. */
void qz_report_volume_times(const struct qz_result *result, struct qz_text *text);

#endif
