/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes: who was put into the container from outside, and who of the workload is no longer
 * confined as it should be. Reads /proc from time to time; who comes and goes in between is not
 * seen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fd.h"
#include "core/num.h"
#include "init/sense/sense.h"
#include "sense/credentials.h"

#define STAT_BYTES 2048
/* A child of init's that is on its way to what it will be: root at first, and not confined. */
#define PATIENCE_NS UINT64_C(5000000000)
#define START_NS    UINT64_C(600000000000) /* the longest that audit.start-wait may be */
#define STAGE_NS    UINT64_C(1000000000)
/* Users that are init's helpers' and, by the policy, never the workload's. */
#define HELPER_FIRST 65311
#define SHIP         HELPER_FIRST
#define FETCH        65313
#define HELPER_LAST  65315
#define ANCESTORS    64 /* beyond which nobody looks */
#define NO_PARENT    (-1)

/* One look. */
struct look {
    struct laz_sense *sense;
    const struct laz_sense_processes *before;
    struct laz_sense_processes *after;
    uint64_t now_ns;
    pid_t parents[LAZ_SENSE_PROCESSES_MAX];     /* of after->items */
    uint32_t drifts[LAZ_SENSE_PROCESSES_MAX];   /* likewise, of all threads */
    uint32_t helper[LAZ_SENSE_PROCESSES_MAX];   /* which of init's it seems to be; 0: none */
    bool is_illegible[LAZ_SENSE_PROCESSES_MAX]; /* it is there, and nobody knows what it is */
};

static bool read_start(int proc, pid_t pid, uint64_t *ret)
{
    char path[48];
    char text[STAT_BYTES];
    (void)snprintf(path, sizeof(path), "%d/stat", (int)pid);
    size_t length = laz_sense_read_text(proc, path, text, sizeof(text));
    return laz_stat_parse_start(text, length, ret);
}

static int compare_pids(const void *a, const void *b)
{
    const int32_t *x = a;
    const struct laz_sense_known *y = b;
    return *x < y->pid ? -1 : *x > y->pid ? 1 : 0;
}

static struct laz_sense_known *find_pid(const struct laz_sense_processes *list, int32_t pid)
{
    return bsearch(&pid, list->items, list->n, sizeof(list->items[0]), compare_pids);
}

/* ---- Who is who ---- */

enum laz_sense_owner laz_sense_judge_owner(const struct laz_sense *sense, pid_t pid, uint32_t uid)
{
    const struct laz_sense_known *known =
            find_pid(&sense->state->processes[sense->state->processes_at & 1U], pid);
    bool have_users = geteuid() == LAZ_SENSE_UID; /* of their own */
    bool is_helper = have_users && uid >= HELPER_FIRST && uid <= HELPER_LAST;
    if (is_helper || (known != NULL && (known->flags & LAZ_SENSE_OURS) != 0)) {
        return LAZ_SENSE_OWNER_OURS;
    }
    bool is_user = have_users && uid == sense->config.uid;
    return known != NULL || is_user ? LAZ_SENSE_OWNER_WORKLOAD : LAZ_SENSE_OWNER_UNKNOWN;
}

static bool is_one_user(const uint32_t uid[4], uint32_t first, uint32_t last)
{
    return uid[0] >= first && uid[0] <= last && uid[1] == uid[0] && uid[2] == uid[0] &&
            uid[3] == uid[0];
}

/* Where init is root each has a user that nobody else has. Elsewhere there is its name, which
 * others may take. */
static uint32_t helper_of(const struct laz_sense *sense, const struct laz_process_status *status)
{
    if (status->parent != sense->init) {
        return 0;
    }
    if (geteuid() != LAZ_SENSE_UID) {
        return strcmp(status->name, "lazaret-ship") == 0     ? SHIP
                : strcmp(status->name, "lazaret-fetch") == 0 ? FETCH
                                                             : 0;
    }
    return is_one_user(status->uid, HELPER_FIRST, HELPER_LAST) ? status->uid[0] : 0;
}

/* At the first look there is nobody else; if there is, we are late, and it is the workload. */
static bool is_inits_own(const struct laz_sense *sense, const struct laz_process_status *status)
{
    bool may_be = geteuid() != LAZ_SENSE_UID || status->uid[0] == 0 ||
            is_one_user(status->uid, HELPER_FIRST, HELPER_LAST);
    return status->parent == sense->init && may_be &&
            strncmp(status->name, "lazaret-", strlen("lazaret-")) == 0 &&
            strcmp(status->name, "lazaret-init") != 0;
}

/* /proc lists by ascending numbers, so the list is in order. */
static void add(struct look *look, const struct laz_sense_process *process, uint64_t start,
        bool is_illegible)
{
    struct laz_sense_processes *after = look->after;
    const struct laz_process_status *status = &process->status;
    if (after->n == LAZ_SENSE_PROCESSES_MAX ||
            (after->n > 0 && after->items[after->n - 1].pid >= status->pid)) {
        laz_sense_tell_limit(
                look->sense, LAZ_DETECTOR_FOREIGN, "processes", LAZ_SENSE_PROCESSES_MAX);
        return;
    }
    const struct laz_sense_known *known = find_pid(look->before, status->pid);
    struct laz_sense_known *item = &after->items[after->n];
    if (known != NULL && known->start == start) {
        *item = *known;
    } else {
        *item = (struct laz_sense_known){
                .pid = status->pid, .start = start, .first_ns = look->now_ns};
    }
    look->parents[after->n] = status->parent;
    look->is_illegible[after->n] = is_illegible;
    look->drifts[after->n] = process->drifts;
    look->helper[after->n] = helper_of(look->sense, status);
    item->flags &= ~(uint32_t)LAZ_SENSE_HEADLESS;
    item->flags |= process->is_headless ? LAZ_SENSE_HEADLESS : 0U;
    if (look->sense->is_first && is_inits_own(look->sense, status)) {
        item->flags |= LAZ_SENSE_OURS;
    }
    after->n++;
}

static void read_all(struct look *look)
{
    struct laz_sense *sense = look->sense;
    int fd = openat(sense->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        laz_fd_close(&fd);
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        uint64_t number = 0;
        uint64_t start = 0;
        if (!laz_parse_u64(entry->d_name, strlen(entry->d_name), INT32_MAX, &number) ||
                !read_start(sense->proc, (pid_t)number, &start)) {
            continue;
        }
        struct laz_sense_process process;
        enum laz_sense_status how = laz_sense_read_process(sense, (pid_t)number, 0, &process);
        if (how == LAZ_SENSE_STATUS_ILLEGIBLE) {
            process = (struct laz_sense_process){
                    .status = {.pid = (pid_t)number, .parent = NO_PARENT}};
        }
        if (how != LAZ_SENSE_STATUS_NONE) {
            add(look, &process, start, how == LAZ_SENSE_STATUS_ILLEGIBLE);
        }
    }
    (void)closedir(folder);
}

enum ancestry {
    OF_NOBODY, /* of another container's, where the PID namespace is shared */
    OF_INIT,
    OF_OUTSIDE,
    OF_WHOM, /* a parent is not in the list, or there are too many */
};

/* Whose descendant is it? What was found to be foreign stays so when its parent is gone. */
static enum ancestry ancestry_of(const struct look *look, pid_t pid)
{
    for (unsigned i = 0; i < ANCESTORS; i++) {
        const struct laz_sense_known *known = find_pid(look->after, pid);
        if (pid == look->sense->init) {
            return OF_INIT;
        }
        if (pid == 0) {
            return OF_NOBODY;
        }
        if (known == NULL) {
            return OF_WHOM;
        }
        if ((known->flags & LAZ_SENSE_FOREIGN) != 0) {
            return OF_OUTSIDE;
        }
        pid = look->parents[known - look->after->items];
    }
    return OF_WHOM;
}

/* A parent may end between two lines of one look; at the next one there is another. */
static enum ancestry judge_ancestry(const struct look *look, struct laz_sense_known *known)
{
    enum ancestry ancestry = ancestry_of(look, known->pid);
    bool was_stray = (known->flags & LAZ_SENSE_STRAY) != 0;
    known->flags &= ~(uint32_t)LAZ_SENSE_STRAY;
    if (ancestry == OF_WHOM) {
        known->flags |= LAZ_SENSE_STRAY;
        return was_stray ? OF_INIT : OF_NOBODY;
    }
    return ancestry;
}

/* ---- Finds ---- */

static bool is_expected_name(const struct laz_sense_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->n_foreign; i++) {
        if (strcmp(config->foreign[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The first word of its command line, and no more: arguments may be secrets. */
static void read_command(
        const struct laz_sense *sense, const struct laz_sense_known *known, char *ret, size_t size)
{
    char path[LAZ_SENSE_PROC_PATH];
    laz_sense_path(sense, known, "cmdline", path, sizeof(path));
    size_t length = laz_sense_read_text(sense->proc, path, ret, size - 1);
    ret[length] = '\0';
    size_t word = strlen(ret);
    (void)memset(ret + word, 0, size - word);
}

/* Who is allowed by init's own name has to be called as the health command is: a shell of that name
 * is not meant. Who ends just now has no command line any more. */
static bool is_expected(const struct look *look, const struct laz_sense_known *known,
        const struct laz_process_status *status)
{
    char path[LAZ_SENSE_PROC_PATH];
    char command[LAZ_SENSE_PATH_MAX];
    if (!is_expected_name(&look->sense->config, status->name)) {
        return false;
    }
    if (strcmp(status->name, "lazaret-init") != 0) {
        return true;
    }
    laz_sense_path(look->sense, known, "cmdline", path, sizeof(path));
    size_t length = laz_sense_read_text(look->sense->proc, path, command, sizeof(command));
    return length == 0 || laz_process_is_probe(command, length);
}

static void tell_foreign(struct look *look, const struct laz_sense_known *known,
        const struct laz_process_status *status)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    char command[LAZ_SENSE_PATH_MAX];
    laz_sense_find(&find, LAZ_SENSE_EVENT_EXEC_FOREIGN, &json, &detail);
    find.pid = status->pid;
    (void)snprintf(find.exe, sizeof(find.exe), "%s", status->name);
    read_command(look->sense, known, command, sizeof(command));
    if (!laz_find_name(&find, command)) {
        laz_json_bool(&json, "cut", true);
    }
    (void)snprintf(find.act, sizeof(find.act), "injected");
    laz_json_bool(&json, "exe_untrusted", true);
    laz_json_u64(&json, "uid", status->uid[1]);
    laz_json_u64(&json, "gid", status->gid[1]);
    char set[24];
    (void)snprintf(set, sizeof(set), "%016llx", (unsigned long long)status->cap_eff);
    laz_json_string(&json, "cap_eff", set);
    laz_json_i64(&json, "no_new_privs", status->no_new_privs);
    laz_json_i64(&json, "seccomp", status->seccomp);
    laz_sense_tell(look->sense, &find, &detail);
}

/* A runtime's own stage on the way into the container: it will be somebody else at the next look,
 * or, on a machine that is busy, soon. */
static bool is_stage(const struct look *look, const struct laz_sense_known *known,
        const struct laz_process_status *status)
{
    return strncmp(status->name, "runc:[", strlen("runc:[")) == 0 &&
            (known->first_ns == look->now_ns || look->now_ns - known->first_ns < STAGE_NS);
}

static void judge_foreign(struct look *look, struct laz_sense_known *known)
{
    struct laz_sense_process process;
    known->flags |= LAZ_SENSE_FOREIGN;
    if (look->sense->is_first) {
        known->flags |= LAZ_SENSE_TOLD; /* there before us: not put in while we watch */
    }
    if ((known->flags & LAZ_SENSE_TOLD) != 0 ||
            !laz_sense_is_on(look->sense, LAZ_DETECTOR_FOREIGN) ||
            laz_sense_read_process(look->sense, known->pid, 0, &process) != LAZ_SENSE_STATUS_READ) {
        return;
    }
    if (is_stage(look, known, &process.status)) {
        return;
    }
    known->flags |= LAZ_SENSE_TOLD;
    if (!is_expected(look, known, &process.status)) {
        tell_foreign(look, known, &process.status);
    }
}

static void tell_drift(struct look *look, const struct laz_sense_process *process, uint32_t drifts)
{
    const struct laz_process_status *status = &process->status;
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    struct laz_buf obj;
    laz_sense_find(&find, LAZ_SENSE_EVENT_CRED_CHANGE, &json, &detail);
    find.pid = status->pid;
    (void)snprintf(find.exe, sizeof(find.exe), "%s", status->name);
    laz_buf_init_fixed(&obj, find.obj, sizeof(find.obj));
    laz_credentials_name(drifts, &obj);
    (void)snprintf(find.act, sizeof(find.act), "drifted");
    laz_json_bool(&json, "exe_untrusted", true);
    laz_json_i64(&json, "parent", status->parent);
    if (process->thread != status->pid) {
        laz_json_i64(&json, "thread", process->thread);
    }
    laz_credentials_put(drifts, status, &look->sense->config, &json);
    laz_sense_tell(look->sense, &find, &detail);
}

/* The kernel shows it, and not what it is: that is no reason to be silent about it. */
static void judge_illegible(struct look *look, struct laz_sense_known *known)
{
    struct laz_find find;
    struct laz_json json;
    struct laz_buf detail;
    if ((known->flags & LAZ_SENSE_ILLEGIBLE) != 0 || look->sense->is_first ||
            !laz_sense_is_on(look->sense, LAZ_DETECTOR_CREDENTIALS)) {
        return;
    }
    known->flags |= LAZ_SENSE_ILLEGIBLE;
    laz_sense_find(&find, LAZ_SENSE_EVENT_CRED_CHANGE, &json, &detail);
    find.pid = known->pid;
    (void)snprintf(find.obj, sizeof(find.obj), "status");
    (void)snprintf(find.act, sizeof(find.act), "unreadable");
    laz_sense_tell(look->sense, &find, &detail);
}

/* There is one ship. While it is there, nobody is on the way to become it. */
static bool has_ship(const struct look *look)
{
    bool has = false;
    for (size_t i = 0; i < look->after->n && !has; i++) {
        has = look->helper[i] == SHIP;
    }
    return has;
}

/* Init's own child that is not yet what it will be: `launch` has just made it. That is the main
 * process, once, or a new ship. Whoever else has init as its parent has lost another one. */
static bool may_become_good(
        const struct look *look, const struct laz_sense_known *known, pid_t parent)
{
    const struct laz_sense_state *state = look->sense->state;
    bool has_main = state->main_is_good != 0 || look->now_ns - state->main_ns >= PATIENCE_NS;
    return parent == look->sense->init && (known->flags & LAZ_SENSE_GOOD) == 0 &&
            look->now_ns - known->first_ns < PATIENCE_NS && (!has_main || !has_ship(look));
}

/* The first child of init that is none of its helpers is the main process. */
static void note_main(struct look *look, size_t i)
{
    struct laz_sense_state *state = look->sense->state;
    if (look->parents[i] != look->sense->init || state->main_is_good != 0) {
        return;
    }
    state->main_ns = state->main_ns == 0 ? look->now_ns : state->main_ns;
    state->main_is_good = look->drifts[i] == 0 ? 1 : 0;
}

static void judge_credentials(struct look *look, struct laz_sense_known *known, size_t i)
{
    struct laz_sense_process process;
    uint32_t drifts = look->drifts[i];
    known->flags |= drifts == 0 ? LAZ_SENSE_GOOD : 0U;
    known->drifts &= drifts; /* what has gone and comes again is said again */
    if (drifts == known->drifts || !laz_sense_is_on(look->sense, LAZ_DETECTOR_CREDENTIALS) ||
            may_become_good(look, known, look->parents[i]) ||
            laz_sense_read_process(look->sense, known->pid, known->drifts, &process) !=
                    LAZ_SENSE_STATUS_READ) {
        return;
    }
    drifts = laz_credentials_compare(&process.status, &look->sense->config);
    if ((drifts & ~known->drifts) != 0) { /* of another thread, at the next look */
        tell_drift(look, &process, drifts);
        known->drifts |= drifts;
    }
}

/* Until it executes, the main process calls itself what init does. */
static bool is_named_as_init(const struct laz_sense *sense, pid_t pid)
{
    char paths[2][48];
    char names[2][LAZ_PROCESS_NAME_MAX] = {"", ""};
    size_t lengths[2];
    (void)snprintf(paths[0], sizeof(paths[0]), "%d/comm", (int)sense->init);
    (void)snprintf(paths[1], sizeof(paths[1]), "%d/comm", (int)pid);
    for (unsigned i = 0; i < 2; i++) {
        lengths[i] = laz_sense_read_text(sense->proc, paths[i], names[i], sizeof(names[i]));
    }
    return lengths[0] > 0 && lengths[0] == lengths[1] &&
            memcmp(names[0], names[1], lengths[0]) == 0;
}

/* The main process waits for its leave to execute, at most as long as a start may, and nobody sees
 * into it until then. Nobody else waits, and whoever hides is not given a moment that its children
 * could renew. */
static bool may_be_hidden(const struct look *look, size_t i)
{
    const struct laz_sense_state *state = look->sense->state;
    uint64_t past_ns = look->now_ns - state->main_ns;
    return look->parents[i] == look->sense->init && state->main_runs == 0 &&
            (past_ns < PATIENCE_NS ||
                    (past_ns < START_NS &&
                            is_named_as_init(look->sense, look->after->items[i].pid)));
}

static void judge_program(struct look *look, struct laz_sense_known *known, size_t i)
{
    if (!look->sense->sees_programs || may_become_good(look, known, look->parents[i])) {
        return;
    }
    laz_sense_look_at_program(look->sense, known, may_be_hidden(look, i));
    if (look->parents[i] == look->sense->init && known->program != 0) {
        look->sense->state->main_runs = 1;
    }
}

/* ---- One process ---- */

/* There is one of each: a second is not ours. */
static bool is_only_helper(const struct look *look, size_t i)
{
    bool is_only = look->helper[i] != 0;
    for (size_t k = 0; k < i && is_only; k++) {
        is_only = look->helper[k] != look->helper[i];
    }
    return is_only;
}

static bool is_ours(const struct look *look, struct laz_sense_known *known, size_t i)
{
    if (known->pid == getpid() || known->pid == look->sense->init) {
        known->flags |= LAZ_SENSE_OURS;
    }
    return (known->flags & LAZ_SENSE_OURS) != 0 || is_only_helper(look, i);
}

static void judge(struct look *look, size_t i)
{
    struct laz_sense_known *known = &look->after->items[i];
    if (known->pid == 1 || is_ours(look, known, i)) {
        return;
    }
    if (look->is_illegible[i]) {
        judge_illegible(look, known);
        return;
    }
    if (look->parents[i] == 0) {
        judge_foreign(look, known);
        return;
    }
    enum ancestry ancestry = judge_ancestry(look, known);
    if (ancestry == OF_OUTSIDE) {
        known->flags |= LAZ_SENSE_FOREIGN | LAZ_SENSE_TOLD;
    } else if (ancestry == OF_INIT && look->sense->is_first) {
        look->sense->is_late = true;
    } else if (ancestry == OF_INIT) {
        note_main(look, i);
        judge_credentials(look, known, i);
        judge_program(look, known, i);
    }
}

void laz_sense_look_at_processes(struct laz_sense *sense)
{
    struct laz_sense_state *state = sense->state;
    struct look *look = calloc(1, sizeof(*look));
    if (look == NULL) {
        return; /* at the next turn */
    }
    uint32_t at = state->processes_at & 1U;
    look->sense = sense;
    look->before = &state->processes[at];
    look->after = &state->processes[1 - at];
    look->after->n = 0;
    look->now_ns = laz_sense_now_ns();
    sense->threads_left = LAZ_SENSE_THREADS_MAX;
    read_all(look);
    /* Foreign ones first: their children are theirs. */
    for (size_t i = 0; i < look->after->n; i++) {
        if (look->parents[i] == 0 && look->after->items[i].pid != 1 &&
                look->after->items[i].pid != sense->init) {
            look->after->items[i].flags |= LAZ_SENSE_FOREIGN;
        }
    }
    for (size_t i = 0; i < look->after->n; i++) {
        judge(look, i);
    }
    state->processes_at = 1 - at;
    free(look);
}
