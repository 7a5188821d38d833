/* SPDX-License-Identifier: Apache-2.0
 *
 * Event records of PID 1, built in a buffer on the stack and written whole or not at all. libc
 * only.
 */
#include "init/pid1/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/tls_words.h"
#include "core/words.h"
#include "init/pid1/helpers.h"
#include "init/pid1/trail_record.h"
#include "policy/tables/sysname.h"

#define LISTS_END 3600 /* lists stop here, so that a start record always fits */

int laz_trail_own_pipe(int fd)
{
    struct stat status;
    char path[32];
    if (fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode)) {
        return -1;
    }
    (void)laz_format(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

int laz_trail_open(const char *where, struct laz_trail *ret, bool *ret_shared, struct laz_err *err)
{
    int fd = -1;
    uint64_t number = STDERR_FILENO;
    bool is_number = where == NULL || laz_parse_u64(where, strlen(where), INT32_MAX, &number);
    if (is_number) {
        fd = laz_trail_own_pipe((int)number);
        fd = fd >= 0 ? fd : fcntl((int)number, F_DUPFD_CLOEXEC, 3);
    } else {
        fd = open(where, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (fd < 0) {
        return laz_err_set(err, LAZ_E_USAGE, errno, "events: %.128s: %s",
                where == NULL ? "stderr" : where, strerror(errno));
    }
    *ret_shared = is_number && number <= STDERR_FILENO;
    ret->fd = fd;
    return 0;
}

/* A pipe that polls writable takes PIPE_BUF (4096) bytes without blocking, pipe(7); our records are
 * no longer. Another writer may come between, so a pipe has a description of its own, on which
 * O_NONBLOCK is: on the one that is shared it would change the stream for everybody. */
static bool write_line(struct laz_trail *trail)
{
    struct pollfd poll_fd = {.fd = trail->fd, .events = POLLOUT};
    if (trail->fd < 0 || poll(&poll_fd, 1, 0) != 1 || (poll_fd.revents & POLLOUT) == 0) {
        return false;
    }
    size_t before = trail->torn ? 0 : 1; /* what is there of another line ends first */
    size_t length = 1 + trail->line.len - before;
    ssize_t n = 0;
    do {
        n = write(trail->fd, trail->memory + before, length);
    } while (n < 0 && errno == EINTR);
    if (n > 0) { /* a disk that is full takes a part */
        trail->torn = (size_t)n < length && trail->memory[before + (size_t)n - 1] != '\n';
    }
    return n == (ssize_t)length;
}

static void begin(struct laz_trail *trail, struct laz_subject who, const char *ev, int severity,
        const char *obj, const char *act)
{
    struct laz_record record = {.ev = ev,
            .severity = severity,
            .seq = trail->seq++,
            .task = "",
            .ctr = trail->ctr,
            .pid = who.pid,
            .exe = who.exe,
            .obj = obj,
            .act = act};
    (void)clock_gettime(CLOCK_REALTIME, &record.when);
    trail->memory[0] = '\n';
    laz_buf_init_fixed(&trail->line, trail->memory + 1, sizeof(trail->memory) - 1);
    laz_record_begin(&trail->json, &trail->line, &record);
}

static bool end(struct laz_trail *trail)
{
    return laz_record_end(&trail->json) && write_line(trail);
}

/* Records that were lost before: said in the stream as soon as it can take something again. */
static void tell_gap(struct laz_trail *trail)
{
    if (trail->lost == 0) {
        return;
    }
    begin(trail, (struct laz_subject){.exe = ""}, "events.gap", 6, "records", "lost");
    laz_json_u64(&trail->json, "lost", trail->lost);
    laz_json_u64(&trail->json, "lost_ever", trail->lost_ever);
    if (end(trail)) {
        trail->lost = 0;
    } else {
        trail->seq--; /* the gap itself is not a loss: it is said again later */
    }
}

struct laz_json *laz_trail_begin_about(struct laz_trail *trail, struct laz_subject who,
        const char *ev, int severity, const char *obj, const char *act)
{
    tell_gap(trail);
    begin(trail, who, ev, severity, obj, act);
    return &trail->json;
}

struct laz_json *laz_trail_begin(
        struct laz_trail *trail, const char *ev, int severity, const char *obj, const char *act)
{
    const struct laz_subject nobody = {.exe = ""};
    return laz_trail_begin_about(trail, nobody, ev, severity, obj, act);
}

struct laz_subject laz_trail_workload(const struct laz_trail *trail)
{
    return (struct laz_subject){.pid = trail->main_pid, .exe = trail->main_exe};
}

void laz_trail_write(struct laz_trail *trail)
{
    if (!end(trail)) {
        trail->lost++;
        trail->lost_ever++;
    }
}

/* Not pointers, each of which would be relocated at every start. */
static const char degradation_names[LAZ_DEGRADATION_COUNT][LAZ_DEGRADATION_NAME_MAX] = {
#define X(id, name, meaning) name,
        LAZ_DEGRADATIONS(X)
#undef X
};

static void hex_member(struct laz_json *json, const char *key, uint64_t value)
{
    uint8_t bytes[sizeof(value)];
    char text[2 * sizeof(bytes) + 1];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
    laz_format_hex(bytes, sizeof(bytes), text);
    laz_json_string(json, key, text);
}

static void digest_member(struct laz_json *json, const char *key, const uint8_t digest[32])
{
    char text[2 * LAZ_SHA256_SIZE + 1];
    laz_format_hex(digest, LAZ_SHA256_SIZE, text);
    laz_json_string(json, key, text);
}

static void strings_member(struct laz_json *json, const char *key, struct laz_strings strings)
{
    const char *cursor = strings.first;
    uint32_t shown = 0;
    laz_json_array(json, key);
    for (; shown < strings.n && json->buf->len < LISTS_END; shown++) {
        laz_json_string(json, NULL, laz_strings_next(&cursor));
    }
    laz_json_array_end(json);
    if (shown < strings.n) {
        laz_json_u64(json, "more", strings.n - shown);
    }
}

/* What was read back from the kernel, and what only the child could see (probed). */
static void attested_member(
        struct laz_json *json, const struct laz_image *image, const struct laz_workload *workload)
{
    const struct laz_process_state *seen = &workload->seen;
    laz_json_object(json, "read");
    laz_json_u64(json, "uid", seen->uid[1]);
    laz_json_u64(json, "gid", seen->gid[1]);
    laz_json_array(json, "groups");
    for (uint32_t i = 0; i < seen->n_groups && i < LAZ_ATTEST_GROUPS_MAX; i++) {
        laz_json_u64(json, NULL, seen->groups[i]);
    }
    laz_json_array_end(json);
    hex_member(json, "cap_inh", seen->cap_inheritable);
    hex_member(json, "cap_prm", seen->cap_permitted);
    hex_member(json, "cap_eff", seen->cap_effective);
    hex_member(json, "cap_bnd", seen->cap_bounding);
    hex_member(json, "cap_amb", seen->cap_ambient);
    laz_json_i64(json, "no_new_privs", seen->no_new_privs);
    laz_json_i64(json, "seccomp", seen->seccomp);
    laz_json_i64(json, "seccomp_filters", seen->seccomp_filters);
    laz_json_u64(json, "limits", image->n_limits);
    laz_json_object_end(json);
    laz_json_object(json, "probed");
    laz_json_i64(json, "landlock_abi", workload->decided.landlock_abi);
    int refused = workload->page->landlock_probe;
    laz_json_string(json, "landlock",
            image->require[LAZ_REQUIRE_LANDLOCK] == LAZ_LEVEL_DISABLED ? "disabled"
                    : workload->decided.landlock_abi == 0              ? "absent"
                    : refused > 0                                      ? laz_err_errno_name(refused)
                                  : "not probed: \"/\" is granted");
    if (image->tls_plain != LAZ_PLAIN_UNSAID) {
        bool is_enforced = image->tls_plain == LAZ_PLAIN_ENFORCE &&
                (workload->decided.degraded & LAZ_DEGRADED_BIT(PLAIN)) == 0;
        laz_json_string(json, "tls_plain", is_enforced ? "enforced" : "detected");
    }
    laz_json_i64(json, "securebits", workload->page->securebits);
    laz_json_i64(json, "write_xor_execute", workload->page->mdwe);
    laz_json_object_end(json);
}

void laz_trail_start(struct laz_trail *trail, const struct laz_image *image,
        const struct laz_workload *workload, laz_degraded degraded,
        const uint8_t filter_digest[LAZ_SHA256_SIZE], uint8_t fips)
{
    static const char fips_words[] = LAZ_FIPS_STATES(LAZ_WORD);
    struct utsname name = {0};
    (void)uname(&name); /* an empty release says that it is unknown */
    struct laz_json *json = laz_trail_begin_about(trail, laz_trail_workload(trail), "init.start",
            degraded == 0 ? 1 : 3, image->name, laz_mode_name(image->mode));
    laz_json_string(json, "version", LAZARET_VERSION);
    laz_json_string(json, "kernel", name.release);
    laz_json_bool(json, "pid1", workload->probe.pid == 1);
    if (trail->has_entered) {
        laz_json_bool(json, "entered", true);
    }
    if (image->also_read_exec != NULL) {
        laz_json_string(json, "read_exec", image->also_read_exec);
    }
    digest_member(json, "policy_sha256", image->source_digest);
    digest_member(json, "filter_sha256", filter_digest);
    laz_json_string(json, "events", workload->listener >= 0 ? "notify" : "errno");
    laz_json_i64(json, "exec_budget", image->exec_budget);
    laz_json_i64(json, "outer_filters", workload->probe.outer_filters);
    attested_member(json, image, workload);
    if (fips != LAZ_FIPS_UNASKED && fips < LAZ_FIPS_STATE_COUNT) {
        laz_json_string(json, "fips", laz_word(fips_words, fips));
    }
    laz_json_array(json, "degraded");
    for (unsigned i = 0; i < LAZ_DEGRADATION_COUNT; i++) {
        if ((degraded >> i & 1) != 0) {
            laz_json_string(json, NULL, degradation_names[i]);
        }
    }
    laz_json_array_end(json);
    strings_member(json, "relaxations", image->relaxations);
    laz_trail_write(trail);
}

void laz_trail_refusal(struct laz_trail *trail, const struct laz_err *err, int exit_code)
{
    struct laz_json *json =
            laz_trail_begin(trail, "init.stop", 8, laz_err_name(err->kind), "refused");
    laz_json_i64(json, "exit", exit_code);
    laz_json_string(json, "message", err->message);
    laz_json_string(json, "errno", err->sys_errno == 0 ? "" : laz_err_errno_name(err->sys_errno));
    laz_trail_write(trail);
}

void laz_trail_helper(struct laz_trail *trail, const struct laz_helper_end *end)
{
    struct laz_json *json = laz_trail_begin_about(trail,
            (struct laz_subject){.pid = end->pid, .exe = ""}, "helper.exit", 6,
            laz_role_name(end->role), end->is_lost ? "lost" : "restarted");
    laz_json_string(json, "error", laz_err_name(end->why->kind));
    laz_json_string(json, "message", end->why->message);
    laz_trail_write(trail);
}

static void tunnel_refused(struct laz_trail *trail, struct laz_fields *fields)
{
    uint32_t count = laz_fields_u32(fields);
    const char *entry = laz_fields_string(fields);
    const char *reason = laz_fields_string(fields);
    const char *peer = laz_fields_string(fields);
    const char *why = laz_fields_string(fields);
    if (!laz_fields_done(fields)) {
        return;
    }
    bool is_grave = strcmp(reason, "no-tls") == 0 || strcmp(reason, "unverified") == 0;
    struct laz_json *json =
            laz_trail_begin(trail, "tunnel.refused", is_grave ? 6 : 4, entry, reason);
    laz_json_string(json, "peer", peer);
    laz_json_string(json, "why", why);
    laz_json_u64(json, "count", count);
    laz_trail_write(trail);
}

static void tunnel_counted(struct laz_trail *trail, struct laz_fields *fields)
{
    static const char names[][12] = {
            "open", "opened", "refused", "broken", "bytes_up", "bytes_down"};
    uint64_t numbers[sizeof(names) / sizeof(names[0])];
    const char *entry = laz_fields_string(fields);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        numbers[i] = laz_fields_u64(fields);
    }
    if (!laz_fields_done(fields)) {
        return;
    }
    struct laz_json *json = laz_trail_begin(trail, "tunnel.stat", 1, entry, "counted");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        laz_json_u64(json, names[i], numbers[i]);
    }
    laz_trail_write(trail);
}

void laz_trail_identity(struct laz_trail *trail, const char *identity, const char *why)
{
    bool is_kept = why[0] != '\0';
    struct laz_json *json = laz_trail_begin(
            trail, "tunnel.identity", is_kept ? 6 : 1, identity, is_kept ? "kept" : "renewed");
    laz_json_string(json, "why", why);
    laz_trail_write(trail);
}

void laz_trail_tunnel(struct laz_trail *trail, const struct laz_message *said)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, said);
    if (said->type == LAZ_MESSAGE_REFUSED) {
        tunnel_refused(trail, &fields);
    } else if (said->type == LAZ_MESSAGE_COUNTED) {
        tunnel_counted(trail, &fields);
    } else if (said->type == LAZ_MESSAGE_RENEWED) {
        const char *identity = laz_fields_string(&fields);
        const char *why = laz_fields_string(&fields);
        if (laz_fields_done(&fields)) {
            laz_trail_identity(trail, identity, why);
        }
    }
}

void laz_trail_signal(struct laz_trail *trail, const struct laz_signal_note *note)
{
    char name[24];
    (void)laz_format(name, sizeof(name), "signal %d", note->number);
    struct laz_json *json =
            laz_trail_begin_about(trail, (struct laz_subject){.pid = note->sender, .exe = ""},
                    note->ev, note->severity, name, note->act);
    laz_json_i64(json, "sender_pid", note->sender);
    laz_json_u64(json, "sender_uid", note->sender_uid);
    laz_trail_write(trail);
}

/* Who it is about: the path that we launched for the main process, otherwise its own word for
 * itself. */
struct subject {
    struct laz_subject who;
    bool untrusted;
    struct laz_process_state state;
};

static void identify(const struct laz_trail *trail, pid_t thread, struct subject *ret)
{
    struct laz_err ignored = {0};
    *ret = (struct subject){.who = {.pid = thread, .exe = ""}};
    if (laz_attest_read(thread, &ret->state, &ignored) == 0 && ret->state.tgid > 0) {
        ret->who = (struct laz_subject){.pid = ret->state.tgid, .exe = ret->state.name};
        ret->untrusted = true;
    }
    if (ret->who.pid == trail->main_pid) {
        ret->who = laz_trail_workload(trail);
        ret->untrusted = false;
    }
}

/* What the caller saw. */
static const char *answer_name(const struct laz_refused *refused)
{
    return refused->errno_value == 0 ? "observed" : laz_err_errno_name(refused->errno_value);
}

void laz_trail_denied(struct laz_trail *trail, const struct laz_refused *refused)
{
    struct subject subject;
    identify(trail, refused->pid, &subject);
    bool native = refused->native;
    const char *known = native ? laz_sysname(refused->nr) : NULL;
    char number[32];
    (void)laz_format(number, sizeof(number), "%s%u", native ? "syscall_" : "foreign_", refused->nr);
    struct laz_json *json = laz_trail_begin_about(trail, subject.who, "seccomp.deny",
            native ? 6 : 7, known != NULL ? known : number, answer_name(refused));
    laz_json_i64(json, "tid", refused->pid);
    laz_json_bool(json, "exe_untrusted", subject.untrusted);
    laz_json_u64(json, "nr", refused->nr);
    hex_member(json, "arch", refused->audit_arch);
    laz_json_array(json, "args");
    for (size_t i = 0; i < 6; i++) {
        hex_member(json, NULL, refused->args[i]);
    }
    laz_json_array_end(json);
    hex_member(json, "ip", refused->ip);
    laz_json_u64(json, "count", refused->count);
    laz_trail_write(trail);
}

void laz_trail_exec_budget(struct laz_trail *trail, const struct laz_refused *refused,
        uint64_t attempts, int32_t budget)
{
    struct subject subject;
    identify(trail, refused->pid, &subject);
    struct laz_json *json = laz_trail_begin_about(
            trail, subject.who, "exec.budget", 7, "execve", answer_name(refused));
    laz_json_i64(json, "tid", refused->pid);
    laz_json_bool(json, "exe_untrusted", subject.untrusted);
    laz_json_u64(json, "attempts", attempts);
    laz_json_i64(json, "budget", budget);
    laz_trail_write(trail);
}

static int64_t milliseconds(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_usec / 1000;
}

void laz_trail_exit(struct laz_trail *trail, const struct laz_exit_note *note)
{
    bool by_signal = WIFSIGNALED(note->status);
    struct laz_json *json = laz_trail_begin_about(trail, laz_trail_workload(trail), "proc.exit",
            by_signal && !note->as_asked ? 5 : 1, "workload", by_signal ? "killed" : "exited");
    laz_json_i64(json, by_signal ? "signal" : "status",
            by_signal ? WTERMSIG(note->status) : WEXITSTATUS(note->status));
    laz_json_bool(json, "core", by_signal && WCOREDUMP(note->status));
    laz_json_bool(json, "forced", note->forced);
    laz_json_u64(json, "ran_ms", note->ran_ms);
    laz_json_i64(json, "user_ms", milliseconds(note->usage.ru_utime));
    laz_json_i64(json, "system_ms", milliseconds(note->usage.ru_stime));
    laz_json_i64(json, "max_rss_kib", note->usage.ru_maxrss);
    laz_json_i64(json, "oom_kills", note->oom_kills);
    laz_trail_write(trail);
}

void laz_trail_stop(
        struct laz_trail *trail, int exit_code, const char *cause, const struct laz_totals *totals)
{
    struct laz_json *json = laz_trail_begin(trail, "init.stop", 1, cause, "stopped");
    laz_json_i64(json, "exit", exit_code);
    laz_json_u64(json, "denied", totals->denied);
    laz_json_u64(json, "held", totals->held);
    laz_json_u64(json, "reaped", totals->reaped);
    laz_json_u64(json, "lost", trail->lost_ever);
    laz_trail_write(trail);
}
