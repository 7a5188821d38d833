/* SPDX-License-Identifier: Apache-2.0
 *
 * /etc/lazaret/runtime.yaml, and no other place: neither a variable nor an option names one.
 */
#include "shim/configuration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fd.h"
#include "core/rooted.h"
#include "policy/diagnostic.h"
#include "policy/runtime.h"
#include "shim/program.h"

#define KEY "runtime:"

/* No quotes and no escapes: then it is the same path to YAML and to us. */
static size_t path_length(const char *text, size_t length)
{
    static const char letters[] =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-";
    size_t n = 0;
    while (n < length && text[n] != '\0' && strchr(letters, text[n]) != NULL) {
        n++;
    }
    return n;
}

static bool take_path(const char *line, size_t length, char ret[LAZ_PROGRAM_MAX])
{
    size_t at = strlen(KEY);
    while (at < length && line[at] == ' ') {
        at++;
    }
    size_t n = path_length(line + at, length - at);
    size_t end = at + n;
    while (end < length && line[end] == ' ') {
        end++;
    }
    bool is_comment = end > at + n && end < length && line[end] == '#';
    if (at == strlen(KEY) || n == 0 || n >= LAZ_PROGRAM_MAX || line[at] != '/' ||
            (end < length && !is_comment)) {
        return false;
    }
    (void)memcpy(ret, line + at, n);
    ret[n] = '\0';
    return true;
}

bool laz_configuration_salvage(const char *text, size_t length, char ret[LAZ_PROGRAM_MAX])
{
    unsigned n_lines = 0;
    bool is_path = false;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line = end == NULL ? length - at : (size_t)(end - (text + at));
        if (line >= strlen(KEY) && memcmp(text + at, KEY, strlen(KEY)) == 0) {
            n_lines++;
            is_path = take_path(text + at, line, ret);
        }
        at += line + 1;
    }
    if (n_lines != 1 || !is_path) {
        ret[0] = '\0';
        return false;
    }
    return true;
}

/* ---- the file ---- */

static int read_file(char *text, size_t *ret_length, struct laz_err *err)
{
    laz_cleanup_fd int fd = -1;
    if (laz_rooted_open(LAZ_RUNTIME_FILE, &fd, err) < 0) {
        return -1;
    }
    return laz_fd_read_all(fd, text, LAZ_POLICY_FILE_MAX, ret_length, err);
}

static int load(const char *text, size_t length, struct laz_configuration *ret)
{
    const struct laz_policy_source source = {
            .path = LAZ_RUNTIME_FILE, .text = text, .text_length = length};
    struct laz_diagnostics *diagnostics = malloc(sizeof(*diagnostics));
    if (diagnostics == NULL) {
        return laz_err_set(&ret->why, LAZ_E_MEMORY, errno, "no memory");
    }
    int result = laz_runtime_load(&source, diagnostics, &ret->runtime, &ret->why);
    free(diagnostics);
    return result;
}

/* Whether its line says what the whole file would: no other names, also by no escape. A value that
 * goes on in another line is refused, and so leaves its line too. */
static bool is_plain(const char *text, size_t length)
{
    static const char other[] = "by-name";
    return memchr(text, '\\', length) == NULL && memmem(text, length, other, strlen(other)) == NULL;
}

/* The program, by the file or by what is left of it; "": neither says. */
static int take_program(const char *argv0, bool acts, char *text, struct laz_configuration *ret,
        struct laz_err *err)
{
    size_t length = 0;
    if (read_file(text, &length, &ret->why) < 0) {
        return 0;
    }
    if (!acts && is_plain(text, length) && laz_configuration_salvage(text, length, ret->program)) {
        return 0; /* the parser costs as much as the rest of such a call */
    }
    if (load(text, length, ret) < 0) {
        laz_ignore(laz_configuration_salvage(text, length, ret->program)); /* "" where it is not */
        return 0;
    }
    const char *program = laz_runtime_program(ret->runtime, argv0);
    if (strlen(program) >= LAZ_PROGRAM_MAX) {
        return laz_err_set(
                err, LAZ_E_RUNTIME, 0, "%s has more than %d bytes", program, LAZ_PROGRAM_MAX - 1);
    }
    (void)memcpy(ret->program, program, strlen(program) + 1);
    return 0;
}

static int take(const char *argv0, bool acts, struct laz_configuration *ret, struct laz_err *err)
{
    char *text = malloc(LAZ_POLICY_FILE_MAX);
    *ret = (struct laz_configuration){0};
    if (text == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory");
    }
    int result = take_program(argv0, acts, text, ret, err);
    free(text);
    return result;
}

int laz_configuration_read(
        const char *argv0, bool acts, struct laz_configuration *ret, struct laz_err *err)
{
    const char *program = NULL;
    if (take(argv0, acts, ret, err) < 0) {
        return -1;
    }
    if (ret->program[0] != '\0') {
        if (laz_program_check(ret->program, err) == 0) {
            return 0;
        }
        if (acts) {
            return -1;
        }
        laz_runtime_free(ret->runtime); /* the whole file says where refusals are logged */
        return take(argv0, true, ret, err) == 0 && ret->program[0] != '\0'
                ? laz_program_check(ret->program, err)
                : -1;
    }
    if (laz_program_find(&program, err) < 0) {
        return -1;
    }
    (void)memcpy(ret->program, program, strlen(program) + 1);
    return 0;
}
