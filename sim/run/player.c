/* player.c: one case, played and judged in this process. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "put.h"
#include "running.h"

int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* FNV-1a, a number at a time. */
static void mix(uint64_t *hash, uint64_t number)
{
    *hash = (*hash ^ number) * UINT64_C(1099511628211);
}

static void mix_text(uint64_t *hash, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++)
        mix(hash, (unsigned char)*c);
    mix(hash, text ? 256 : 257);
}

uint64_t player_trace_hash(const struct trace *trace)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_event *event = &trace->events[i];
        const int64_t numbers[] = {event->at_us,  event->step,    event->role,  event->what,   event->op,
                                   event->ordinal, event->value, event->target, event->disk_writes};
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
            mix(&hash, (uint64_t)numbers[k]);
        mix_text(&hash, event->plugin);
        mix_text(&hash, event->volume);
        mix_text(&hash, event->text);
    }
    return hash;
}

static void judge(const struct running *running, struct report_case *it)
{
    judge_invariants(it->scenario, &it->outcome, &it->findings);
    judge_expectations(it->scenario, &it->outcome, &it->findings);
    judge_missed(it->scenario, &it->outcome, &it->findings);
    if (!running->options.update)
        golden_judge(it->scenario, &it->outcome, &it->findings);
}

enum verdict player_play(const struct running *running, struct report_case *it, size_t index)
{
    const struct places *places = &running->places;
    char work[PATH_MAX + 32];
    char calls[PATH_MAX + 48];
    snprintf(work, sizeof work, "%s/%zu", places->work, index);
    snprintf(calls, sizeof calls, "%s.calls", work);
    struct world_settings settings = {
        .seed = running->report.seed,
        .quiesce = places->quiesce[0] ? places->quiesce : NULL,
        .self = places->self,
        .ledger = places->ledger[0] ? places->ledger : NULL,
        .cache = places->cache,
        .work = work,
        .calls = running->records ? calls : NULL,
        .keep = running->options.keep,
        .timeout_us = running->options.timeout_us,
        .crash_images = running->options.crash_images,
    };
    it->world->play(it->scenario, &settings, &it->outcome);
    if (it->outcome.broken) {
        it->why = must(strdup(it->outcome.broken));
        return VERDICT_BROKEN;
    }
    if (running->judge)
        return running->judge(it);
    judge(running, it);
    return it->findings.count > 0 ? VERDICT_FAILED : VERDICT_PASSED;
}
