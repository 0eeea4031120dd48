/* One script at a time: attempts, deadlines, whole trees ended. The rules are those of quiesce.conf(5), SCRIPTS. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "run.h"

QZ_TEST(a_sound_run_is_application_consistent) // pre-script, freeze, snapshot, thaw, post-script: in that order, once
{
    struct run *run = run_new(2);
    CHECK_INT(run_quiesce(run, RUN_JSON), QZ_EXIT_APPLICATION);
    CHECK_STRING(run_text(run, "consistency"), "application");
    CHECK_STRING(run_text(run, "code"), "Success");
    CHECK_INT(virtual_start_count(run->world), 3);
    CHECK_STRING(virtual_start_at(run->world, 0)->path, RUN_PRE);
    CHECK_STRING(virtual_start_at(run->world, 1)->path, RUN_SNAP);
    CHECK_STRING(virtual_start_at(run->world, 2)->path, RUN_POST);
    CHECK_STRING(run_text(run, "freeze.volumes.1.outcome"), "thawed");
    run_free(run);
}
