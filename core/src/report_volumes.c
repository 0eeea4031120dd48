#include "report_volumes.h"

#include "table.h"

static void add_name(struct qz_table *table, const struct qz_volume *volume)
{
    qz_table_add_visible(table, volume->mount);
    qz_table_add_visible(table, volume->fstype);
    qz_table_add_visible(table, volume->device);
}

static void add_headings(struct qz_table *table, const char *const *headings)
{
    for (size_t i = 0; i < table->columns; i++)
        qz_table_add(table, headings[i]);
}

void qz_report_volume_decisions(const struct qz_result *result, struct qz_text *text)
{
    static const char *const headings[] = {"order", "decision", "mount point", "type", "device", "reason"};
    struct qz_table table = {.columns = 6, .right = 1 << 0};
    add_headings(&table, headings);
    for (size_t i = 0; i < result->volume_count; i++) {
        const struct qz_volume *volume = &result->volumes[i];
        if (volume->order < 0)
            qz_table_add(&table, "-");
        else
            qz_text_add_number(qz_table_cell(&table), volume->order + 1);
        bool refused = volume->error->code != QZ_E_SUCCESS;
        qz_table_add(&table, refused                                  ? qz_error_name(volume->error->code)
                             : volume->decision == QZ_DECISION_FREEZE ? "freeze"
                                                                      : "skip");
        add_name(&table, volume);
        qz_table_add_visible(&table, volume->reason);
    }
    qz_table_print(&table, text);
}

static const char *outcome_in_words(const struct qz_volume *volume)
{
    static const char *const words[] = {[QZ_VOLUME_UNTOUCHED] = "not frozen",
                                        [QZ_VOLUME_THAWED] = "frozen, thawed",
                                        [QZ_VOLUME_FAILED] = "freeze failed",
                                        [QZ_VOLUME_LOST] = "freeze lost",
                                        [QZ_VOLUME_STUCK] = "freeze stuck",
                                        [QZ_VOLUME_THAW_FAILED] = "thaw failed"};
    return words[volume->outcome];
}

void qz_report_volume_times(const struct qz_result *result, struct qz_text *text)
{
    static const char *const headings[] = {"mount point", "type",   "device", "outcome",
                                           "pre-sync",    "freeze", "frozen", "thaw"};
    struct qz_table table = {.columns = 8, .right = 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7};
    size_t passed_over = 0;
    add_headings(&table, headings);
    for (size_t i = 0; i < result->volume_count; i++) {
        const struct qz_volume *volume = &result->volumes[i];
        bool of_interest = volume->named || volume->error->code != QZ_E_SUCCESS;
        if (volume->decision == QZ_DECISION_SKIP && !of_interest) {
            passed_over++;
            continue;
        }
        add_name(&table, volume);
        qz_table_add(&table, outcome_in_words(volume));
        qz_text_add_duration(qz_table_cell(&table), volume->presync_us);
        qz_text_add_duration(qz_table_cell(&table), volume->freeze_us);
        qz_text_add_duration(qz_table_cell(&table), volume->frozen_us);
        qz_text_add_duration(qz_table_cell(&table), volume->thaw_us);
    }
    qz_table_print(&table, text);
    if (passed_over > 0)
        qz_text_add(text, "  %zu other filesystem%s passed over; `quiesce check` tells why.\n", passed_over,
                    passed_over == 1 ? " was" : "s were");
}
