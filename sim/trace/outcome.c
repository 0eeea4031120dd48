#include <stdlib.h>

#include "world.h"

void outcome_free(struct outcome *outcome)
{
    trace_free(&outcome->trace);
    for (size_t i = 0; i < outcome->step_count; i++) {
        free(outcome->steps[i].out);
        free(outcome->steps[i].err);
        cJSON_Delete(outcome->steps[i].result);
        free(outcome->steps[i].frozen);
    }
    for (size_t i = 0; i < outcome->left_count; i++)
        free(outcome->left[i]);
    free(outcome->steps);
    free(outcome->snapshots);
    free(outcome->crashes);
    free(outcome->left);
    free(outcome->call_matches);
    free(outcome->blows_struck);
    free(outcome->refused);
    free(outcome->unsafe);
    free(outcome->broken);
    *outcome = (struct outcome){.broken = NULL};
}
