#include "settings.h"

/* The mark in place of `value`, or `value` itself where that is not to be touched. */
static int marked(enum qz_setting setting, int value)
{
    if (setting == QZ_SETTING_RCU_EXPEDITED)
        return value == 0 ? QZ_MARK_EXPEDITED : value;
    bool usual = value >= QZ_MARK_PERIOD_UNIT && value <= QZ_MARK_PERIOD_MAX && value % QZ_MARK_PERIOD_UNIT == 0;
    return usual ? value + QZ_MARK_PERIOD : value;
}

/* What stood there before the mark, or `value` itself where that is none. */
static int unmarked(enum qz_setting setting, int value)
{
    int before = setting == QZ_SETTING_RCU_EXPEDITED ? 0 : value - QZ_MARK_PERIOD;
    return value != before && marked(setting, before) == value ? before : value;
}

bool qz_setting_mark(struct qz_os *os, enum qz_setting setting)
{
    int value = 0;
    if (os->ops->setting_get(os, setting, &value) != 0)
        return false;
    int mark = marked(setting, value);
    return mark != value && os->ops->setting_set(os, setting, mark) == 0;
}

int qz_setting_restore(struct qz_os *os, enum qz_setting setting)
{
    int value = 0; /* where it cannot be read: no mark */
    os->ops->setting_get(os, setting, &value);
    int before = unmarked(setting, value);
    return before == value ? 0 : os->ops->setting_set(os, setting, before);
}

void qz_settings_restore(struct qz_os *os)
{
    for (int i = 0; i < QZ_SETTINGS; i++)
        qz_setting_restore(os, (enum qz_setting)i);
}
