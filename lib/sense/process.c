/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads /proc/PID/status and /proc/PID/stat. proc(5).
 */
#include "sense/process.h"

#include <string.h>

#include "sense/proc_text.h"

#define START_FIELD 22 /* of stat, counted from 1 */

static bool take_u32(struct laz_proc_text *text, uint32_t *ret)
{
    uint64_t value = 0;
    laz_proc_text_skip_blanks(text);
    if (!laz_proc_text_number(text, LAZ_DIGITS_10, UINT32_MAX, &value)) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

static bool is_done(struct laz_proc_text *text)
{
    laz_proc_text_skip_blanks(text);
    return text->at == text->end;
}

/* ---- The lines of status ---- */

static bool read_four(struct laz_proc_text value, uint32_t ret[4])
{
    for (unsigned i = 0; i < 4; i++) {
        if (!take_u32(&value, &ret[i])) {
            return false;
        }
    }
    return is_done(&value);
}

static bool read_groups(struct laz_proc_text value, struct laz_process_status *ret)
{
    ret->n_groups = 0;
    while (!is_done(&value)) {
        uint32_t group = 0;
        if (!take_u32(&value, &group)) {
            return false;
        }
        if (ret->n_groups < LAZ_PROCESS_GROUPS_MAX) {
            ret->groups[ret->n_groups] = group;
        }
        ret->n_groups++;
    }
    return true;
}

static bool read_set(struct laz_proc_text value, uint64_t *ret)
{
    laz_proc_text_skip_blanks(&value);
    return laz_proc_text_number(&value, LAZ_DIGITS_16, UINT64_MAX, ret) && is_done(&value);
}

static bool read_pid(struct laz_proc_text value, pid_t *ret)
{
    uint32_t number = 0;
    if (!take_u32(&value, &number) || number > INT32_MAX || !is_done(&value)) {
        return false;
    }
    *ret = (pid_t)number;
    return true;
}

static bool read_small(struct laz_proc_text value, int *ret)
{
    uint32_t number = 0;
    if (!take_u32(&value, &number) || number > 9 || !is_done(&value)) {
        return false;
    }
    *ret = (int)number;
    return true;
}

static bool read_threads(struct laz_proc_text value, uint32_t *ret)
{
    return take_u32(&value, ret) && is_done(&value);
}

static bool read_name(struct laz_proc_text value, struct laz_process_status *ret)
{
    size_t length = 0;
    if (value.at < value.end && *value.at == '\t') {
        value.at++;
    }
    length = (size_t)(value.end - value.at);
    if (length >= sizeof(ret->name) || memchr(value.at, '\0', length) != NULL) {
        return false;
    }
    (void)memcpy(ret->name, value.at, length);
    ret->name[length] = '\0';
    return true;
}

static bool read_state(struct laz_proc_text value, struct laz_process_status *ret)
{
    laz_proc_text_skip_blanks(&value);
    if (value.at == value.end) {
        return false;
    }
    ret->is_zombie = *value.at == 'Z' || *value.at == 'X';
    return true;
}

/* X(ENUM, "key", must it be there, how it is read) */
#define LINES(X)                                                                                   \
    X(NAME, "Name", true, read_name(value, ret))                                                   \
    X(STATE, "State", true, read_state(value, ret))                                                \
    X(PID, "Pid", true, read_pid(value, &ret->pid))                                                \
    X(PARENT, "PPid", true, read_pid(value, &ret->parent))                                         \
    X(UID, "Uid", true, read_four(value, ret->uid))                                                \
    X(GID, "Gid", true, read_four(value, ret->gid))                                                \
    X(GROUPS, "Groups", true, read_groups(value, ret))                                             \
    X(CAP_INH, "CapInh", true, read_set(value, &ret->cap_inh))                                     \
    X(CAP_PRM, "CapPrm", true, read_set(value, &ret->cap_prm))                                     \
    X(CAP_EFF, "CapEff", true, read_set(value, &ret->cap_eff))                                     \
    X(CAP_BND, "CapBnd", true, read_set(value, &ret->cap_bnd))                                     \
    X(CAP_AMB, "CapAmb", true, read_set(value, &ret->cap_amb))                                     \
    X(NO_NEW_PRIVS, "NoNewPrivs", false, read_small(value, &ret->no_new_privs))                    \
    X(SECCOMP, "Seccomp", false, read_small(value, &ret->seccomp))                                 \
    X(THREADS, "Threads", true, read_threads(value, &ret->threads))

enum line {
#define X(id, key, must, read) LINE_##id,
    LINES(X)
#undef X
    LINE_COUNT
};

static bool is_needed(enum line line)
{
    static const bool needed[] = {
#define X(id, key, must, read) must,
            LINES(X)
#undef X
    };
    return needed[line];
}

/* LINE_COUNT: it is none of ours. */
static enum line find_line(const char *key, size_t length)
{
    static const char *const keys[] = {
#define X(id, key, must, read) key,
            LINES(X)
#undef X
    };
    unsigned i = 0;
    while (i < LINE_COUNT && (strlen(keys[i]) != length || memcmp(keys[i], key, length) != 0)) {
        i++;
    }
    return (enum line)i;
}

static bool read_line(enum line line, struct laz_proc_text value, struct laz_process_status *ret)
{
    switch (line) {
#define X(id, key, must, read)                                                                     \
    case LINE_##id:                                                                                \
        return read;
        LINES(X)
#undef X
    case LINE_COUNT:
        break;
    }
    return true;
}

void laz_status_add(struct laz_status_text *text, const char *piece, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        text->line = piece[i] == '\n' ? 0 : text->line + 1;
        if (text->line <= LAZ_STATUS_LINE_MAX && text->length < sizeof(text->bytes)) {
            text->bytes[text->length++] = piece[i];
        }
    }
}

bool laz_status_parse(const char *text, size_t length, struct laz_process_status *ret)
{
    struct laz_process_status status = {.no_new_privs = -1, .seccomp = -1};
    struct laz_proc_text rest = {.at = text, .end = text + length};
    unsigned seen = 0;
    while (rest.at < rest.end) {
        size_t left = (size_t)(rest.end - rest.at);
        const char *newline = memchr(rest.at, '\n', left);
        const char *end = newline == NULL ? rest.end : newline;
        const char *colon = memchr(rest.at, ':', (size_t)(end - rest.at));
        if (colon == NULL || newline == NULL) {
            return false;
        }
        enum line line = find_line(rest.at, (size_t)(colon - rest.at));
        if (line != LINE_COUNT && (seen >> line & 1U) != 0) {
            return false;
        }
        if (!read_line(line, (struct laz_proc_text){.at = colon + 1, .end = end}, &status)) {
            return false;
        }
        seen |= line == LINE_COUNT ? 0 : 1U << line;
        rest.at = end + 1;
    }
    for (unsigned i = 0; i < LINE_COUNT; i++) {
        if (is_needed((enum line)i) && (seen >> i & 1U) == 0) {
            return false;
        }
    }
    *ret = status;
    return true;
}

bool laz_stat_parse_start(const char *text, size_t length, uint64_t *ret)
{
    const char *bracket = memrchr(text, ')', length);
    if (bracket == NULL) {
        return false;
    }
    struct laz_proc_text rest = {.at = bracket + 1, .end = text + length};
    for (unsigned field = 3; field <= START_FIELD; field++) {
        if (!laz_proc_text_char(&rest, ' ')) {
            return false;
        }
        if (field == START_FIELD) {
            break;
        }
        while (rest.at < rest.end && *rest.at != ' ') {
            rest.at++;
        }
    }
    uint64_t start = 0;
    if (!laz_proc_text_number(&rest, LAZ_DIGITS_10, UINT64_MAX, &start) ||
            !laz_proc_text_char(&rest, ' ')) {
        return false;
    }
    *ret = start;
    return true;
}

bool laz_process_is_probe(const char *text, size_t length)
{
    static const char *const questions[] = {"live", "ready", "startup"};
    const char *words[5] = {NULL};
    size_t n = 0;
    bool is_one = false;
    for (size_t at = 0; at < length; at += strnlen(text + at, length - at) + 1) {
        if (n == sizeof(words) / sizeof(words[0]) || memchr(text + at, '\0', length - at) == NULL) {
            return false;
        }
        words[n++] = text + at;
    }
    for (size_t i = 0; n >= 3 && i < sizeof(questions) / sizeof(questions[0]); i++) {
        is_one = is_one || strcmp(words[2], questions[i]) == 0;
    }
    return is_one && strcmp(words[1], "probe") == 0 &&
            (n == 3 || (n == 5 && strcmp(words[3], "--timeout") == 0));
}
