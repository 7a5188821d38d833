/* SPDX-License-Identifier: Apache-2.0
 *
 * What `policy explain` answers, as data: facts, rules in the order in which they are asked,
 * layers, and what the workload sees. Filled by explain_*.c, printed as text or JSON by
 * explanation.c.
 */
#ifndef LAZ_CLI_EXPLANATION_H
#define LAZ_CLI_EXPLANATION_H

#include "cli/loaded.h"

/* Ceiling of one text; a condition of 64 values is 2 KiB. */
#define LAZ_EXPLANATION_TEXT_MAX     ((size_t)64 * 1024)
#define LAZ_EXPLANATION_DECISION_MAX 128 /* one sentence, of words known here */

/* One line. */
struct laz_line {
    const char *key; /* static */
    bool has_verdict;
    struct laz_verdict verdict;    /* rules only */
    char where[LAZ_CLI_WHERE_MAX]; /* "" if nowhere in particular */
    struct laz_buf text;
};

struct laz_lines {
    size_t n;
    struct laz_line *items; /* owned */
    struct laz_buf dead;    /* takes what is said after memory ran out; overflow says so */
};

struct laz_explanation {
    const char *kind;     /* "system-call", "path", "port", "capability", "policy"; static */
    const char *subject;  /* borrowed */
    const char *decision; /* NULL for a whole policy; static, or decision_text */
    char decision_text[LAZ_EXPLANATION_DECISION_MAX];
    struct laz_lines facts;  /* lines with the same key, one after the other, are a list */
    struct laz_lines rules;  /* the first that applies decides */
    struct laz_lines layers; /* in the order in which the kernel asks them */
    struct laz_buf sees;     /* what the workload sees */
};

/* Add a line and return its text to append to; valid until the next line is added. A text that
 * fails is found by laz_explanation_print. pos may be {0}. */
struct laz_buf *laz_lines_add(struct laz_lines *lines, const struct laz_policy *policy,
        const char *key, struct laz_pos pos);
/* The same for a rule. */
struct laz_buf *laz_lines_add_rule(struct laz_lines *lines, const struct laz_policy *policy,
        const char *key, struct laz_verdict verdict);

void laz_explanation_init(struct laz_explanation *explanation);
void laz_explanation_done(struct laz_explanation *explanation);
#define laz_cleanup_explanation __attribute__((cleanup(laz_explanation_done)))

/* Print; returns an exit code. */
int laz_explanation_print(const struct laz_explanation *explanation, bool json);

/* Fill an explanation. */
LAZ_MUST_CHECK int laz_explain_call(const struct laz_policy *policy, enum laz_arch arch,
        const struct laz_syscall *call, struct laz_explanation *ret, struct laz_err *err);
void laz_explain_path(
        const struct laz_policy *policy, const char *path, struct laz_explanation *ret);

/* What is asked about a TCP port. */
enum laz_port_use {
    LAZ_PORT_BOTH,
    LAZ_PORT_BIND,
    LAZ_PORT_CONNECT,
};

void laz_explain_port(const struct laz_policy *policy, enum laz_port_use use, uint16_t port,
        const char *operand, struct laz_explanation *ret);
void laz_explain_capability(
        const struct laz_policy *policy, int capability, struct laz_explanation *ret);
void laz_explain_policy(
        const struct laz_policy *policy, enum laz_arch arch, struct laz_explanation *ret);

/* What the policy says to the host; in explain_host.c. */
void laz_host_explain(const struct laz_policy *policy, struct laz_explanation *ret);

#endif
