/* page.h: the page's parts, as page.cmake makes them of the files in page/. NUL-terminated. */
#ifndef QUIESCE_SIM_REPORT_PAGE_H
#define QUIESCE_SIM_REPORT_PAGE_H

extern const char page_report_html[];
extern const char page_report_css[];
extern const char page_report_js[];
extern const char page_timeline_js[];

#endif
