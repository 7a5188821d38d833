/* SPDX-License-Identifier: Apache-2.0
 *
 * Errors as values. libc only: linked into PID 1.
 */
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "core/buf.h"
#include "core/format.h"
#include "core/words.h"

int laz_err_set(struct laz_err *err, enum laz_err_kind kind, int sys_errno, const char *format, ...)
{
    if (err->kind != LAZ_E_NONE) {
        return -1;
    }
    err->kind = kind;
    err->sys_errno = sys_errno;
    va_list args;
    va_start(args, format);
    (void)laz_format_v(
            err->message, sizeof(err->message), format, args); /* a long message is cut */
    va_end(args);
    return -1;
}

int laz_err_set_errno(struct laz_err *err, enum laz_err_kind kind, const char *what)
{
    int cause = errno;
    return laz_err_set(err, kind, cause, "%.256s: %s", what, strerror(cause));
}

int laz_err_context(struct laz_err *err, const char *format, ...)
{
    char old[sizeof(err->message)];
    (void)memcpy(old, err->message, sizeof(old));
    struct laz_buf buf;
    laz_buf_init_fixed(&buf, err->message, sizeof(err->message));
    va_list args;
    va_start(args, format);
    int length = laz_format_v(err->message, sizeof(err->message), format, args);
    va_end(args);
    buf.len = length < 0 ? 0 : strlen(err->message);
    laz_buf_str(&buf, ": ");
    size_t room = buf.cap - buf.len - 1;
    laz_buf_put(&buf, old, strnlen(old, room)); /* a long message is cut */
    return -1;
}

static const char names[] = "none\0"
#define LAZ_ERROR(id, name, exit_code, cause, remedy) name "\0"
#include "core/err.def"
#undef LAZ_ERROR
        ;

/* One behind the other, as `names`, and longer than a literal may be. */
static const struct {
    char none[1];
#define LAZ_ERROR(id, name, exit_code, cause, remedy) char of_##id[sizeof(remedy)];
#include "core/err.def"
#undef LAZ_ERROR
} remedies = {
        "",
#define LAZ_ERROR(id, name, exit_code, cause, remedy) remedy,
#include "core/err.def"
#undef LAZ_ERROR
};

static const uint8_t exit_codes[LAZ_E_COUNT] = {
        [LAZ_E_NONE] = 0,
#define LAZ_ERROR(id, name, exit_code, cause, remedy) [LAZ_E_##id] = (exit_code),
#include "core/err.def"
#undef LAZ_ERROR
};

static enum laz_err_kind known(enum laz_err_kind kind)
{
    return kind < LAZ_E_COUNT ? kind : LAZ_E_INTERNAL;
}

const char *laz_err_name(enum laz_err_kind kind)
{
    return laz_word(names, known(kind));
}

const char *laz_err_remedy(enum laz_err_kind kind)
{
    return laz_word((const char *)&remedies, known(kind));
}

int laz_err_exit_code(enum laz_err_kind kind)
{
    return exit_codes[known(kind)];
}

const char *laz_err_errno_name(int sys_errno)
{
    static const uint8_t numbers[] = {
#define LAZ_ERRNO(name) name,
#include "core/errno.def"
#undef LAZ_ERRNO
    };
    static const char errnos[] =
#define LAZ_ERRNO(name) #name "\0"
#include "core/errno.def"
#undef LAZ_ERRNO
            ;
    for (size_t i = 0; i < sizeof(numbers); i++) {
        if (numbers[i] == sys_errno) {
            return laz_word(errnos, i);
        }
    }
    return "E?";
}
