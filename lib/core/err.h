/* SPDX-License-Identifier: Apache-2.0
 *
 * The one error type: caller-owned, fixed size, no heap. First cause wins; a caller adds context
 * only when it says something new. Used in every process, PID 1 included. Never prints.
 */
#ifndef LAZ_CORE_ERR_H
#define LAZ_CORE_ERR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LAZ_MUST_CHECK __attribute__((warn_unused_result))
/* An ignored result, said aloud: gcc does not take a cast to void for an answer. */
static inline void laz_ignore(int result)
{
    (void)result;
}

/* For interfaces that take a pointer to something that they only read, and do not say so. */
static inline void *laz_unconst(const void *pointer)
{
    void *result = NULL;
    (void)memcpy(&result, &pointer, sizeof(result));
    return result;
}

#define LAZ_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Which error: see err.def. LAZ_E_NONE is zero. */
enum laz_err_kind {
    LAZ_E_NONE,
#define LAZ_ERROR(id, name, exit_code, cause, remedy) LAZ_E_##id,
#include "core/err.def"
#undef LAZ_ERROR
    LAZ_E_COUNT
};

#define LAZ_ERR_MESSAGE_MAX 480 /* a path, a position and a sentence; longer ones are cut */

struct laz_err {
    enum laz_err_kind kind;
    int sys_errno; /* 0 if no system call is to blame */
    char message[LAZ_ERR_MESSAGE_MAX];
};

/* Record an error and return -1, so that a function can `return laz_err_set(...)`.
 * An error that is already recorded stays: the first cause wins. */
int laz_err_set(struct laz_err *err, enum laz_err_kind kind, int sys_errno, const char *format, ...)
        LAZ_PRINTF(4, 5);

/* The same of a system call that has just failed: "what: " and the words for errno. Of `what`, 256
 * bytes are told. */
int laz_err_set_errno(struct laz_err *err, enum laz_err_kind kind, const char *what);

/* Put "context: " before the message. Returns -1. */
int laz_err_context(struct laz_err *err, const char *format, ...) LAZ_PRINTF(2, 3);

/* Static strings of the catalogue; "none" and 0 for LAZ_E_NONE. */
const char *laz_err_name(enum laz_err_kind kind);
const char *laz_err_cause(enum laz_err_kind kind);
const char *laz_err_remedy(enum laz_err_kind kind);
int laz_err_exit_code(enum laz_err_kind kind);

/* "EPERM" for 1; static; "E?" for a number that nobody knows. libc's strerrorname_np is glibc's
 * alone. */
const char *laz_err_errno_name(int sys_errno);

#endif
