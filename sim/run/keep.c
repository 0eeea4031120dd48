/* keep.c: what --keep leaves beside the world's own files: how to play it again, and what was seen. */
#include <stdlib.h>
#include <sys/stat.h>

#include "failure.h"
#include "put.h"
#include "running.h"

/* Opens a file of the folder for writing; NULL: it can't be had. */
static FILE *create(const char *folder, const char *name, mode_t mode)
{
    char *path = must_format("%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (file)
        chmod(path, mode);
    free(path);
    return file;
}

static void write_text(const char *folder, const char *name, const char *text)
{
    FILE *file = text ? create(folder, name, 0600) : NULL;
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void write_repro(const struct running *running, const struct report_case *it)
{
    char *repeat = report_repeat(&running->report, it);
    FILE *file = create(it->kept, "repro.sh", 0700);
    if (file) {
        fprintf(file, "#!/bin/sh\n# Plays again what left this folder.\n%s \"$@\"\n", repeat);
        fclose(file);
    }
    free(repeat);
}

void keep_case(struct running *running, size_t index)
{
    struct report_case *it = &running->report.cases[index];
    it->kept = must_format("%s/%zu", running->places.work, index);
    mkdir(it->kept, 0700); /* a world that needs none has made none */
    write_repro(running, it);
    FILE *trace = create(it->kept, "trace.txt", 0600);
    if (trace) {
        put_trace(trace, &it->outcome.trace);
        fclose(trace);
    }
    for (size_t i = 0; i < it->outcome.step_count; i++) {
        const struct outcome_step *step = &it->outcome.steps[i];
        char name[48];
        char *result = step->result ? cJSON_Print(step->result) : NULL;
        snprintf(name, sizeof name, "stdout.%zu", i + 1);
        write_text(it->kept, name, step->out);
        snprintf(name, sizeof name, "stderr.%zu", i + 1);
        write_text(it->kept, name, step->err);
        snprintf(name, sizeof name, "result.%zu.json", i + 1);
        write_text(it->kept, name, result);
        cJSON_free(result);
    }
}
