/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a process's state back from /proc and compares it with the policy. libc only: linked into
 * PID 1. The text comes from the kernel, proc(5), yet every number in it is parsed with bounds.
 */
#include "confine/attest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "confine/listed.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"

#define THREADS_MAX 512  /* that are looked at: each takes some 20 us */
#define STATUS_MAX  4096 /* a status file is about 1.5 KiB; 64 groups add 700 bytes */

static int read_proc(pid_t pid, const char *name, char *ret, size_t size, size_t *ret_length,
        struct laz_err *err)
{
    char path[64];
    if (pid == 0) {
        (void)laz_format(path, sizeof(path), "/proc/self/%s", name);
    } else {
        (void)laz_format(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    }
    laz_cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return laz_err_set_errno(err, LAZ_E_ENVIRONMENT, path);
    }
    struct laz_err inner = {0};
    if (laz_fd_read_all(fd, ret, size - 1, ret_length, &inner) < 0) {
        return laz_err_set(err, LAZ_E_ENVIRONMENT, inner.sys_errno, "%s: %s", path, inner.message);
    }
    ret[*ret_length] = '\0';
    return 0;
}

/* A cursor over one line of numbers. */
struct line {
    const char *at;
    const char *end;
};

static bool next_word(struct line *line, const char **ret_word, size_t *ret_length)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t')) {
        line->at++;
    }
    *ret_word = line->at;
    while (line->at < line->end && *line->at != ' ' && *line->at != '\t') {
        line->at++;
    }
    *ret_length = (size_t)(line->at - *ret_word);
    return *ret_length > 0;
}

static bool next_number(struct line *line, uint64_t max, uint64_t *ret)
{
    const char *word = NULL;
    size_t length = 0;
    return next_word(line, &word, &length) && laz_parse_u64(word, length, max, ret);
}

static bool parse_mask(struct line line, uint64_t *ret)
{
    const char *word = NULL;
    size_t length = 0;
    uint8_t bytes[8];
    if (!next_word(&line, &word, &length) || !laz_parse_hex(word, length, bytes, sizeof(bytes))) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        value = value << 8 | bytes[i];
    }
    *ret = value;
    return true;
}

static bool parse_ids(struct line line, uint32_t ret[4])
{
    for (size_t i = 0; i < 4; i++) {
        uint64_t id = 0;
        if (!next_number(&line, UINT32_MAX, &id)) {
            return false;
        }
        ret[i] = (uint32_t)id;
    }
    return true;
}

static bool parse_groups(struct line line, struct laz_process_state *state)
{
    const char *word = NULL;
    size_t length = 0;
    state->n_groups = 0;
    while (next_word(&line, &word, &length)) {
        uint64_t id = 0;
        if (!laz_parse_u64(word, length, UINT32_MAX, &id)) {
            return false;
        }
        if (state->n_groups < LAZ_ATTEST_GROUPS_MAX) {
            state->groups[state->n_groups] = (uint32_t)id;
        }
        state->n_groups++;
    }
    return true;
}

static bool parse_int(struct line line, int *ret)
{
    uint64_t value = 0;
    if (!next_number(&line, INT32_MAX, &value)) {
        return false;
    }
    *ret = (int)value;
    return true;
}

static bool parse_octal(struct line line, int *ret)
{
    const char *word = NULL;
    size_t length = 0;
    int value = 0;
    bool is = next_word(&line, &word, &length) && length <= 4;
    for (size_t i = 0; is && i < length; i++) {
        is = word[i] >= '0' && word[i] <= '7';
        value = 8 * value + word[i] - '0';
    }
    *ret = value;
    return is;
}

/* The lines that are wanted; one bit each, so that a missing one is noticed. */
enum {
    SEEN_UID,
    SEEN_GID,
    SEEN_GROUPS,
    SEEN_INH,
    SEEN_PRM,
    SEEN_EFF,
    SEEN_BND,
    SEEN_AMB,
    SEEN_NNP,
    SEEN_SECCOMP,
    SEEN_BLOCK,
    SEEN_IGNORE,
    SEEN_CATCH,
    SEEN_ALL
};

static bool key_is(const char *key, size_t length, const char *wanted)
{
    return length > 0 && key[0] == wanted[0] && length == strlen(wanted) &&
            memcmp(key, wanted, length) == 0;
}

static bool parse_line(const char *key, size_t length, struct line value,
        struct laz_process_state *state, unsigned *seen)
{
    struct {
        const char *key;
        uint64_t *mask;
        int bit;
    } masks[] = {
            {"CapInh", &state->cap_inheritable, SEEN_INH},
            {"CapPrm", &state->cap_permitted, SEEN_PRM},
            {"CapEff", &state->cap_effective, SEEN_EFF},
            {"CapBnd", &state->cap_bounding, SEEN_BND},
            {"CapAmb", &state->cap_ambient, SEEN_AMB},
            {"SigBlk", &state->sig_block, SEEN_BLOCK},
            {"SigIgn", &state->sig_ignore, SEEN_IGNORE},
            {"SigCgt", &state->sig_catch, SEEN_CATCH},
    };
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        if (key_is(key, length, masks[i].key)) {
            *seen |= 1U << masks[i].bit;
            return parse_mask(value, masks[i].mask);
        }
    }
    if (key_is(key, length, "Name")) {
        const char *word = NULL;
        size_t n = 0;
        bool some = next_word(&value, &word, &n);
        (void)laz_format(state->name, sizeof(state->name), "%.*s", (int)n, some ? word : "");
        return true;
    }
    if (key_is(key, length, "Tgid")) {
        int tgid = 0;
        bool read = parse_int(value, &tgid);
        state->tgid = tgid;
        return read;
    }
    if (key_is(key, length, "Uid")) {
        *seen |= 1U << SEEN_UID;
        return parse_ids(value, state->uid);
    }
    if (key_is(key, length, "Gid")) {
        *seen |= 1U << SEEN_GID;
        return parse_ids(value, state->gid);
    }
    if (key_is(key, length, "Groups")) {
        *seen |= 1U << SEEN_GROUPS;
        return parse_groups(value, state);
    }
    if (key_is(key, length, "Umask")) {
        return parse_octal(value, &state->umask);
    }
    if (key_is(key, length, "NoNewPrivs")) {
        *seen |= 1U << SEEN_NNP;
        return parse_int(value, &state->no_new_privs);
    }
    if (key_is(key, length, "Seccomp")) {
        *seen |= 1U << SEEN_SECCOMP;
        return parse_int(value, &state->seccomp);
    }
    if (key_is(key, length, "Seccomp_filters")) {
        return parse_int(value, &state->seccomp_filters);
    }
    return true;
}

int laz_attest_parse(
        const char *text, size_t length, struct laz_process_state *ret, struct laz_err *err)
{
    struct laz_process_state state = {.umask = -1, .seccomp_filters = -1};
    unsigned seen = 0;
    const char *at = text;
    const char *end = text + length;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline == NULL ? end : newline;
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        if (colon != NULL) {
            struct line value = {.at = colon + 1, .end = line_end};
            if (!parse_line(at, (size_t)(colon - at), value, &state, &seen)) {
                return laz_err_set(err, LAZ_E_ENVIRONMENT, 0, "status: cannot read the line %.*s",
                        (int)(colon - at < 40 ? colon - at : 40), at);
            }
        }
        at = line_end + 1;
    }
    if (seen != (1U << SEEN_ALL) - 1) {
        return laz_err_set(err, LAZ_E_ENVIRONMENT, 0, "status: lines are missing (seen %#x)", seen);
    }
    *ret = state;
    return 0;
}

int laz_attest_read(pid_t pid, struct laz_process_state *ret, struct laz_err *err)
{
    char text[STATUS_MAX];
    size_t length = 0;
    if (read_proc(pid, "status", text, sizeof(text), &length, err) < 0) {
        return -1;
    }
    return laz_attest_parse(text, length, ret, err);
}

struct held {
    int signal_number;
    unsigned left; /* threads that may still be looked at */
};

/* A thread has a folder below /proc by its own number, though none lists it. */
static int look_at_thread(int tid, int folder, void *context)
{
    struct held *held = context;
    struct laz_process_state state = {0};
    struct laz_err ignored = {0};
    (void)folder;
    if (held->left == 0 || laz_attest_read(tid, &state, &ignored) < 0) {
        return -1;
    }
    held->left--;
    return (state.sig_block >> (held->signal_number - 1) & 1) != 0 ? 0 : -1;
}

bool laz_attest_holds_back(pid_t pid, int signal_number)
{
    char path[64];
    struct held held = {.signal_number = signal_number, .left = THREADS_MAX};
    (void)laz_format(path, sizeof(path), "/proc/%d/task", (int)pid);
    return laz_listed_each(path, look_at_thread, &held) == 0 && held.left < THREADS_MAX;
}

static int differs(struct laz_err *err, const char *field, uint64_t seen, uint64_t wanted)
{
    return laz_err_set(err, LAZ_E_ATTEST, 0, "%s is %#llx, the policy wants %#llx", field,
            (unsigned long long)seen, (unsigned long long)wanted);
}

static int check_ids(const struct laz_process_state *state, const struct laz_image *image,
        const struct laz_decided *decided, struct laz_err *err)
{
    for (size_t i = 0; i < 4; i++) {
        if (state->uid[i] != image->uid) {
            return differs(err, "Uid", state->uid[i], image->uid);
        }
        if (state->gid[i] != image->gid) {
            return differs(err, "Gid", state->gid[i], image->gid);
        }
    }
    if (!decided->change_user) {
        return 0; /* inherited, and reported as such */
    }
    if (state->n_groups != image->n_groups) {
        return differs(err, "the number of Groups", state->n_groups, image->n_groups);
    }
    for (uint32_t i = 0; i < image->n_groups; i++) { /* both are sorted: the kernel sorts its own */
        if (state->groups[i] != image->groups[i]) {
            return differs(err, "Groups", state->groups[i], image->groups[i]);
        }
    }
    return 0;
}

static int check_capabilities(const struct laz_process_state *state, const struct laz_image *image,
        const struct laz_decided *decided, struct laz_err *err)
{
    uint64_t keep = image->keep_capabilities;
    struct {
        const char *field;
        uint64_t seen;
    } sets[] = {
            {"CapInh", state->cap_inheritable},
            {"CapPrm", state->cap_permitted},
            {"CapEff", state->cap_effective},
            {"CapAmb", state->cap_ambient},
            {"CapBnd", decided->drop_bounding ? state->cap_bounding : keep},
    };
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (sets[i].seen != keep) {
            return differs(err, sets[i].field, sets[i].seen, keep);
        }
    }
    return 0;
}

int laz_attest_check(const struct laz_process_state *state, const struct laz_image *image,
        const struct laz_probe *probe, const struct laz_decided *decided, struct laz_err *err)
{
    if (check_ids(state, image, decided, err) < 0 ||
            check_capabilities(state, image, decided, err) < 0) {
        return -1;
    }
    if (state->umask >= 0 && (uint32_t)state->umask != image->umask) {
        return differs(err, "Umask", (uint64_t)state->umask, image->umask);
    }
    if (state->sig_block != 0) {
        return differs(err, "SigBlk", state->sig_block, 0);
    }
    if (state->sig_ignore != 0) {
        return differs(err, "SigIgn", state->sig_ignore, 0);
    }
    if (state->no_new_privs != 1) {
        return differs(err, "NoNewPrivs", (uint64_t)state->no_new_privs, 1);
    }
    if (state->seccomp != 2) {
        return differs(err, "Seccomp", (uint64_t)state->seccomp, 2);
    }
    /* a kernel before 5.9 shows no count (-1): a named degradation */
    if (probe->outer_filters >= 0 && state->seccomp_filters >= 0 &&
            state->seccomp_filters != probe->outer_filters + 1) {
        return differs(err, "Seccomp_filters", (uint64_t)(int64_t)state->seccomp_filters,
                (uint64_t)probe->outer_filters + 1);
    }
    return 0;
}

/* The names that /proc/PID/limits uses, by RLIMIT_*; proc(5). */
static const char limit_lines[LAZ_LIMIT_COUNT][24] = {
        [RLIMIT_CPU] = "Max cpu time",
        [RLIMIT_FSIZE] = "Max file size",
        [RLIMIT_DATA] = "Max data size",
        [RLIMIT_STACK] = "Max stack size",
        [RLIMIT_CORE] = "Max core file size",
        [RLIMIT_RSS] = "Max resident set",
        [RLIMIT_NPROC] = "Max processes",
        [RLIMIT_NOFILE] = "Max open files",
        [RLIMIT_MEMLOCK] = "Max locked memory",
        [RLIMIT_AS] = "Max address space",
        [RLIMIT_LOCKS] = "Max file locks",
        [RLIMIT_SIGPENDING] = "Max pending signals",
        [RLIMIT_MSGQUEUE] = "Max msgqueue size",
        [RLIMIT_NICE] = "Max nice priority",
        [RLIMIT_RTPRIO] = "Max realtime priority",
        [RLIMIT_RTTIME] = "Max realtime timeout",
};

static int check_limit(const char *text, uint32_t resource, uint64_t wanted, struct laz_err *err)
{
    const char *name = limit_lines[resource % LAZ_LIMIT_COUNT];
    const char *found = text;
    while (found != NULL && strncmp(found, name, strlen(name)) != 0) {
        found = strchr(found, '\n');
        found = found == NULL ? NULL : found + 1;
    }
    if (found == NULL) {
        return laz_err_set(err, LAZ_E_ATTEST, 0, "limits: no line \"%s\"", name);
    }
    const char *newline = strchr(found, '\n');
    struct line line = {
            .at = found + strlen(name), .end = newline == NULL ? found + strlen(found) : newline};
    uint64_t soft = 0;
    uint64_t hard = 0;
    if (!next_number(&line, UINT64_MAX, &soft) || !next_number(&line, UINT64_MAX, &hard)) {
        return laz_err_set(err, LAZ_E_ATTEST, 0, "limits: \"%s\" is unlimited or unreadable", name);
    }
    if (soft != wanted) {
        return differs(err, name, soft, wanted);
    }
    if (hard != wanted) {
        return differs(err, name, hard, wanted);
    }
    return 0;
}

int laz_attest_limits(pid_t pid, const struct laz_image *image, const struct laz_decided *decided,
        struct laz_err *err)
{
    if (image->n_limits == 0) {
        return 0;
    }
    char text[STATUS_MAX];
    size_t length = 0;
    if (read_proc(pid, "limits", text, sizeof(text), &length, err) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < image->n_limits; i++) {
        if (check_limit(text, image->limits[i].resource, decided->limits[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}
