#include <stdlib.h>

#include "session_state.h"

static void end_left_behind(struct qz_session *session, atomic_int *progress, int slot)
{
    if (*progress != QZ_SCRIPT_RUNNING)
        return;
    int signal_number = 0;
    if (!qz_runner_end_tree(session->os, slot, &signal_number))
        qz_say(session->os, "a process that the dead agent had started could not be ended");
    *progress = QZ_SCRIPT_FAILED;
}

void qz_session_take_over(struct qz_os *os, void *argument)
{
    struct qz_session *session = argument;
    struct qz_progress *progress = session->progress;
    int count = (int)session->sound_count;
    session->os = os;
    qz_say(os, "the agent died; what it had frozen is thawed, its post-scripts are run now");
    end_left_behind(session, &progress->snapshot, 2 * count);
    for (int k = 0; k < count; k++) {
        end_left_behind(session, &progress->pre[k], k);
        bool halfway = progress->post[k] == QZ_SCRIPT_RUNNING;
        end_left_behind(session, &progress->post[k], count + k);
        if (halfway)
            progress->post[k] = QZ_SCRIPT_IDLE; /* a post-script that was cut short is run again */
    }
    qz_session_post(session);
    if (session->snapshot.tmpdir)
        os->ops->remove(os, session->snapshot.tmpdir);
    qz_journal_clear(os);
    qz_say(os, "done for the dead agent; there is no usable backup");
}
