/* SPDX-License-Identifier: Apache-2.0
 *
 * /etc/lazaret/runtime.yaml, and no other place: neither a variable nor an option names one.
 */
#include "shim/configuration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/rooted.h"
#include "shim/program.h"

#define KEY       "runtime:"
#define ROOM_SIZE 4096 /* more than nearly all such files have */

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

struct text {
    char room[ROOM_SIZE];
    char *owned; /* instead, where the file is larger */
    const char *at;
    size_t length;
};

/* Behind what has been read of it. */
static int read_large(int fd, struct text *ret, struct laz_err *err)
{
    size_t rest = 0;
    ret->owned = malloc(LAZ_POLICY_FILE_MAX);
    if (ret->owned == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory");
    }
    (void)memcpy(ret->owned, ret->room, ROOM_SIZE);
    ret->at = ret->owned;
    int result = laz_fd_read_all(
            fd, ret->owned + ROOM_SIZE, LAZ_POLICY_FILE_MAX - ROOM_SIZE, &rest, err);
    ret->length = ROOM_SIZE + rest;
    return result;
}

static int read_file(struct laz_ask *ask, struct text *ret, struct laz_err *err)
{
    laz_cleanup_fd int fd = -1;
    if (laz_rooted_open_known(&ask->folders, LAZ_RUNTIME_FILE, &fd, err) < 0) {
        return -1;
    }
    ssize_t n = read(fd, ret->room, ROOM_SIZE); /* of a file it is short at its end alone */
    if (n < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, LAZ_RUNTIME_FILE ": %s", strerror(errno));
    }
    ret->at = ret->room;
    ret->length = (size_t)n;
    return n == ROOM_SIZE ? read_large(fd, ret, err) : 0;
}

/* Whether its line says what the whole file would: no other names, also by no escape. A value that
 * goes on in another line is refused, and so leaves its line too. */
static bool is_plain(const struct text *text)
{
    static const char other[] = "by-name";
    return memchr(text->at, '\\', text->length) == NULL &&
            memmem(text->at, text->length, other, strlen(other)) == NULL;
}

void laz_configuration_done(struct laz_configuration *configuration)
{
    free(configuration->runtime);
    configuration->runtime = NULL;
    laz_prepared_done(&configuration->from);
}

static bool take_prepared(struct laz_ask *ask, struct laz_configuration *ret)
{
    if (!laz_prepared_open(&ask->folders, LAZ_PREPARED_RUNTIME, &ret->from)) {
        return false;
    }
    ret->runtime = malloc(sizeof(*ret->runtime));
    if (ret->runtime != NULL) {
        laz_runtime_take(&ret->from.body, ret->runtime);
    }
    if (ret->runtime == NULL || ret->from.body.wrong != NULL) {
        laz_configuration_done(ret);
        return false;
    }
    return true;
}

static int take_program(const char *argv0, struct laz_configuration *ret, struct laz_err *err)
{
    const char *program = laz_runtime_program(ret->runtime, argv0);
    if (strlen(program) >= LAZ_PROGRAM_MAX) {
        return laz_err_set(
                err, LAZ_E_RUNTIME, 0, "%s has more than %d bytes", program, LAZ_PROGRAM_MAX - 1);
    }
    (void)memcpy(ret->program, program, strlen(program) + 1);
    return 0;
}

static bool salvage(const struct text *text, struct laz_configuration *ret)
{
    return laz_configuration_salvage(text->at, text->length, ret->program);
}

/* The program, by what has been made of the file or by what is left of it; "": neither says. */
static int take_by(struct laz_ask *ask, bool acts, struct text *text, struct laz_configuration *ret,
        struct laz_err *err)
{
    if (!acts) { /* all else costs as much as the rest of such a call */
        if (read_file(ask, text, &ret->why) < 0 || (is_plain(text) && salvage(text, ret))) {
            return 0;
        }
    }
    if (take_prepared(ask, ret)) {
        return take_program(ask->argc > 0 ? ask->argv[0] : "", ret, err);
    }
    if (acts && read_file(ask, text, &ret->why) < 0) {
        return 0;
    }
    if (is_plain(text) && salvage(text, ret) &&
            laz_program_check(&ask->folders, ret->program, &ret->why) < 0) {
        return 0; /* the caller finds the same, or it was for a moment */
    }
    if (acts || ask->round == 0) {
        laz_ignore(laz_ask(ask, LAZ_PREPARED_RUNTIME, &ret->why));
    }
    laz_ignore(salvage(text, ret)); /* "" where it is not */
    return 0;
}

static int take(struct laz_ask *ask, bool acts, struct laz_configuration *ret, struct laz_err *err)
{
    struct text text;
    text.owned = NULL;
    *ret = (struct laz_configuration){.runtime = NULL};
    int result = take_by(ask, acts, &text, ret, err);
    free(text.owned);
    return result;
}

int laz_configuration_read(
        struct laz_ask *ask, bool acts, struct laz_configuration *ret, struct laz_err *err)
{
    const char *program = NULL;
    if (take(ask, acts, ret, err) < 0) {
        return -1;
    }
    if (ret->program[0] != '\0') {
        if (laz_program_check(&ask->folders, ret->program, err) == 0) {
            return 0;
        }
        if (!acts) { /* the whole file says where refusals are logged */
            if (!take_prepared(ask, ret) && ask->round == 0) {
                laz_ignore(laz_ask(ask, LAZ_PREPARED_RUNTIME, &ret->why));
            }
        }
        return -1;
    }
    if (laz_program_find(&ask->folders, &program, err) < 0) {
        return -1;
    }
    (void)memcpy(ret->program, program, strlen(program) + 1);
    return 0;
}
