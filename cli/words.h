/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts, conditions and calls in words, as `explain` and `test` print them.
 */
#ifndef LAZ_CLI_WORDS_H
#define LAZ_CLI_WORDS_H

#include "core/buf.h"
#include "policy/policy.h"

#define LAZ_WORDS_ACTION_MAX 32 /* "notify EPROTONOSUPPORT" is the longest */

/* "notify EPERM", "allow" */
void laz_words_action(struct laz_verdict verdict, char ret[LAZ_WORDS_ACTION_MAX]);

/* "refused with EPERM and an event" */
void laz_words_verdict(struct laz_buf *buf, struct laz_verdict verdict);

/* "domain is AF_UNIX and type & 0xf is one of SOCK_STREAM, SOCK_DGRAM" */
void laz_words_clause(
        struct laz_buf *buf, const struct laz_syscall *call, const struct laz_clause *clause);

/* "socket(domain, type, protocol)" */
void laz_words_call(struct laz_buf *buf, const struct laz_syscall *call);

/* The call of a test with those of its arguments that are not 0. */
void laz_words_test(struct laz_buf *buf, const struct laz_policy_test *test);

/* The name of the ABI as `tests:` writes it; static. */
const char *laz_words_abi(enum laz_abi abi);

bool laz_words_is_refusal(enum laz_action action);
bool laz_words_has_errno(enum laz_action action);

#endif
