/* SPDX-License-Identifier: Apache-2.0
 *
 * How the parts of the loader say what is wrong: a node of the YAML or a position, a kind, a
 * sentence. Keeps the diagnostics sorted; never prints, never stops the caller.
 */
#ifndef LAZ_POLICY_REPORT_H
#define LAZ_POLICY_REPORT_H

#include "policy/diagnostic.h"
#include "policy/yaml.h"

struct laz_file;

/* files: where names and source lines come from; borrowed, and may grow during the load. */
struct laz_report {
    struct laz_diagnostics *diagnostics; /* borrowed */
    const struct laz_file *files;        /* borrowed */
};

void laz_report_at(struct laz_report *report, enum laz_err_kind kind, struct laz_pos pos,
        const char *format, ...) LAZ_PRINTF(4, 5);

/* The message is preceded by the node's path ("syscalls.allow[3]: "), the position is the node's
 * own, and the node and those above it are marked: whoever comes later does not build on them. */
void laz_report_node(struct laz_report *report, enum laz_err_kind kind, struct laz_node *node,
        const char *format, ...) LAZ_PRINTF(4, 5);
/* The same at the position of the node's key in its mapping. */
void laz_report_key(struct laz_report *report, enum laz_err_kind kind, struct laz_node *node,
        const char *format, ...) LAZ_PRINTF(4, 5);
void laz_report_warning(struct laz_report *report, const struct laz_node *node, const char *format,
        ...) LAZ_PRINTF(3, 4);
void laz_report_warning_at(struct laz_report *report, struct laz_pos pos, const char *format, ...)
        LAZ_PRINTF(3, 4);

/* The first error, as an error: always -1. */
int laz_report_first(const struct laz_report *report, struct laz_err *err);

/* Mark a node bad for a reason that is already reported. */
void laz_node_mark_bad(struct laz_node *node);

/* The user's text in quotes, escaped, at most 64 bytes of it; valid until the caller's `ret` goes.
 */
#define LAZ_QUOTED_MAX 288 /* 64 bytes, each as \xNN, quotes, dots */
struct laz_quoted {
    char text[LAZ_QUOTED_MAX];
};
const char *laz_quote(struct laz_quoted *ret, const char *text, size_t length);
/* " (did you mean "x"?)", or "" if there is no suggestion. */
const char *laz_quote_suggestion(struct laz_quoted *ret, const char *suggestion);

#endif
