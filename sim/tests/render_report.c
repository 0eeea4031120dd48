/* render_report.c: writes the fixed report of report_cases.h as a page, for html_in_browser. */
#include "report_cases.h"

int main(void)
{
    struct report report = report_cases();
    report_html(&report, stdout);
    report_free(&report);
    return 0;
}
