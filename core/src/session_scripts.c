#include "session_state.h"

static const char *snapshot_word(const struct qz_session *session)
{
    switch ((enum qz_script_progress)(int)session->progress->snapshot) {
    case QZ_SCRIPT_SUCCEEDED:
        return "taken";
    case QZ_SCRIPT_RUNNING:
    case QZ_SCRIPT_FAILED:
        return "failed";
    case QZ_SCRIPT_IDLE:
    case QZ_SCRIPT_WAITING:
        break;
    }
    return "none";
}

static struct qz_job make_job(struct qz_session *session, size_t k, enum qz_phase role)
{
    const struct qz_plugin *plugin = session->sound[k];
    bool pre = role == QZ_PHASE_PRE;
    size_t place = pre ? k : session->sound_count + k;
    return (struct qz_job){
        .slot = (int)place,
        .script = pre ? &plugin->config.pre : &plugin->config.post,
        .config = &plugin->config,
        .facts = pre ? &plugin->pre_facts : &plugin->post_facts,
        .plugin = plugin->name,
        .snapshot = pre ? NULL : snapshot_word(session),
        .progress = pre ? &session->progress->pre[k] : &session->progress->post[k],
        .result = &session->result->scripts[place],
    };
}

/* Runs jobs, then takes their failures into errors and facts. */
static void run_jobs(struct qz_session *session, struct qz_job *jobs, size_t count, bool interruptible)
{
    int64_t host_timeout_us = session->plan->host.timeout_s * QZ_US_PER_S;
    int signal_number =
        qz_runner_run(session->os, session->result->run_id, jobs, count, host_timeout_us, interruptible);
    qz_session_note_signal(session, signal_number);
    for (size_t i = 0; i < count; i++) {
        if (!jobs[i].result->failed)
            continue;
        session->facts.scripts_failed = true;
        if (!jobs[i].config->continue_on_failure)
            session->facts.failed_scripts_continue = false;
        if (jobs[i].result->error.code != QZ_E_SUCCESS)
            qz_error_list_add(&session->result->errors, &jobs[i].result->error);
    }
}

void qz_session_announce_pre(struct qz_session *session)
{
    for (size_t k = 0; k < session->sound_count; k++)
        if (session->sound[k]->runnable)
            session->progress->pre[k] = QZ_SCRIPT_RUNNING;
}

void qz_session_pre(struct qz_session *session)
{
    struct qz_job jobs[QZ_PLUGINS_MAX];
    size_t count = 0, idle = 0;
    for (size_t k = 0; k < session->sound_count; k++)
        if (session->progress->pre[k] != QZ_SCRIPT_IDLE)
            jobs[count++] = make_job(session, k, QZ_PHASE_PRE);
    if (count == 0)
        return;
    qz_session_phase_begin(session, "pre");
    run_jobs(session, jobs, count, true);
    qz_session_phase_end(session);
    for (size_t i = 0; i < count; i++)
        idle += *jobs[i].progress == QZ_SCRIPT_IDLE;
    if (idle > 0)
        qz_session_journal(session, false); /* it names post-scripts that are not owed; if this fails, so be it */
}

void qz_session_post(struct qz_session *session)
{
    struct qz_job jobs[QZ_PLUGINS_MAX];
    size_t count = 0;
    for (size_t k = 0; k < session->sound_count; k++)
        if (session->progress->pre[k] != QZ_SCRIPT_IDLE && session->progress->post[k] == QZ_SCRIPT_IDLE)
            jobs[count++] = make_job(session, k, QZ_PHASE_POST);
    if (count == 0)
        return;
    qz_session_phase_begin(session, "post");
    run_jobs(session, jobs, count, false);
    qz_session_phase_end(session);
}

bool qz_session_left_alive(const struct qz_session *session)
{
    for (size_t i = 0; i < session->result->script_count; i++)
        if (session->result->scripts[i].left_alive)
            return true;
    return false;
}
