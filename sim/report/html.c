/* html.c: the page: page/report.html, with a part for each line that is "@NAME@". */
#include <string.h>

#include "page.h"
#include "report.h"

static void put_part(FILE *out, const struct report *report, const char *name, size_t length)
{
    static const struct {
        const char *name;
        const char *text; /* NULL: the data */
    } PARTS[] = {
        {"@STYLE@", page_report_css}, {"@TIMELINE@", page_timeline_js}, {"@SCRIPT@", page_report_js}, {"@DATA@", NULL}};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        if (strlen(PARTS[i].name) != length || strncmp(PARTS[i].name, name, length) != 0)
            continue;
        if (PARTS[i].text)
            fputs(PARTS[i].text, out);
        else
            report_json(report, out);
        return;
    }
    fprintf(out, "%.*s\n", (int)length, name);
}

void report_html(const struct report *report, FILE *out)
{
    for (const char *line = page_report_html; *line;) {
        size_t length = strcspn(line, "\n");
        put_part(out, report, line, length);
        line += length + (line[length] == '\n');
    }
}
