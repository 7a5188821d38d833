/* SPDX-License-Identifier: Apache-2.0
 *
 * Launching the workload. Runs in PID 1 before the workload exists; parses nothing but PATH. libc
 * only.
 */
#include "init/pid1/workload.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "init/pid1/secrets.h"

void laz_workload_init(struct laz_workload *workload)
{
    *workload = (struct laz_workload){.gate = -1, .listener = -1};
}

bool laz_workload_part(void)
{
    return laz_sys_close_range(STDIN_FILENO, STDOUT_FILENO, LAZ_CLOSE_RANGE_UNSHARE) == 0;
}

/* The workload's environment: only pointers; the child reads them after the fork. */
struct environment {
    char **items;
    size_t n;
};

static void pick_environment(
        struct environment *picked, const struct laz_image *image, char *const *own)
{
    const char *cursor = image->env_pass.first;
    for (uint32_t i = 0; i < image->env_pass.n; i++) {
        const char *name = laz_strings_next(&cursor);
        for (char *const *entry = own; *entry != NULL; entry++) {
            if (laz_environment_value(*entry, name) != NULL) {
                picked->items[picked->n++] = *entry;
                break;
            }
        }
    }
    cursor = image->env_set.first;
    for (uint32_t i = 0; i < image->env_set.n; i++) {
        picked->items[picked->n++] = laz_unconst(laz_strings_next(&cursor));
    }
    picked->items[picked->n] = NULL;
}

/* Variables that are secrets. */
struct exposed {
    struct laz_confine_value values[LAZ_IMAGE_FETCHED_MAX];
    size_t n;
    size_t bytes; /* of all of them, with their names */
};

/* Of the values, nothing but how long they are. */
static int find_exposed(const struct laz_secrets *secrets, struct exposed *ret, struct laz_err *err)
{
    struct laz_image_delivery delivery;
    const uint8_t *cursor = secrets == NULL ? NULL : secrets->image->deliveries;
    unsigned n = 0;
    while (secrets != NULL && laz_secrets_next(secrets, &cursor, &n, &delivery)) {
        struct stat status;
        int fd = secrets->items[delivery.item].value;
        if (delivery.fd != LAZ_IMAGE_FD_VARIABLE) {
            continue;
        }
        if (ret->n == LAZ_IMAGE_FETCHED_MAX || fstat(fd, &status) < 0) {
            return laz_err_set(err, LAZ_E_DELIVERY, errno, "%s: no variable", delivery.path);
        }
        ret->values[ret->n++] = (struct laz_confine_value){
                .name = delivery.path, .fd = fd, .length = (size_t)status.st_size};
        ret->bytes += strlen(delivery.path) + (size_t)status.st_size + 2; /* "=" and NUL */
    }
    return 0;
}

/* Their names, with room for the values behind each. */
static void name_exposed(struct exposed *exposed, char *at, struct environment *picked)
{
    for (size_t i = 0; i < exposed->n; i++) {
        struct laz_confine_value *value = &exposed->values[i];
        size_t length = strlen(value->name);
        picked->items[picked->n++] = at;
        (void)memcpy(at, value->name, length);
        at[length] = '=';
        value->at = at + length + 1;
        at = value->at + value->length + 1;
    }
    picked->items[picked->n] = NULL;
}

/* `set` comes after `pass`: the last entry of a name is the one that counts for us. */
static const char *path_of(const struct environment *environment)
{
    const char *path = LAZ_WORKLOAD_PATH;
    for (size_t i = 0; i < environment->n; i++) {
        const char *value = laz_environment_value(environment->items[i], "PATH");
        path = value != NULL ? value : path;
    }
    return path;
}

/* 0 executable; an errno otherwise. Permission to execute is finally the kernel's to judge, as the
 * workload's user. */
static int judge(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0) {
        return errno;
    }
    if (S_ISDIR(status.st_mode)) {
        return EISDIR;
    }
    return (status.st_mode & 0111) != 0 ? 0 : EACCES;
}

/* directory/name, relative directories being below cwd. false if it is too long. */
static bool join(char *ret, size_t size, const char *cwd, const char *directory, size_t length,
        const char *name)
{
    int n = 0;
    if (length > 0 && directory[0] == '/') {
        n = laz_format(ret, size, "%.*s/%s", (int)length, directory, name);
    } else if (length > 0) {
        n = laz_format(ret, size, "%s/%.*s/%s", cwd, (int)length, directory, name);
    } else {
        n = laz_format(ret, size, "%s/%s", cwd, name);
    }
    return n > 0 && (size_t)n < size;
}

static int found(const char *path, int why, const char *name, struct laz_err *err)
{
    if (why == 0) {
        return 0;
    }
    if (why == ENOENT) {
        return laz_err_set(
                err, LAZ_E_COMMAND_NOT_FOUND, why, "%.256s: not found", path != NULL ? path : name);
    }
    if (why == EAGAIN) {
        return laz_err_set(err, LAZ_E_COMMAND_NOT_RUN, why,
                "%.256s: too many processes of this user; limits.processes counts all that the "
                "user has on this machine, in other containers too",
                path);
    }
    return laz_err_set(err, LAZ_E_COMMAND_NOT_RUN, why, "%.256s: %s", path, strerror(why));
}

static int resolve(struct laz_workload *workload, const struct laz_image *image, const char *name,
        const char *search, struct laz_err *err)
{
    const char *cwd = strcmp(image->cwd, "/") == 0 ? "" : image->cwd;
    if (name[0] == '\0') {
        return found("(an empty word)", ENOENT, name, err);
    }
    if (strchr(name, '/') != NULL) {
        bool absolute = name[0] == '/';
        int n = laz_format(workload->path, sizeof(workload->path), "%s%s%s", absolute ? "" : cwd,
                absolute ? "" : "/", name);
        int why =
                n > 0 && (size_t)n < sizeof(workload->path) ? judge(workload->path) : ENAMETOOLONG;
        return found(name, why, name, err);
    }
    int worst = ENOENT;
    char refused[LAZ_SAID_PATH_MAX] = "";
    for (const char *at = search;; at++) {
        const char *end = strchrnul(at, ':');
        if (join(workload->path, sizeof(workload->path), cwd, at, (size_t)(end - at), name)) {
            int why = judge(workload->path);
            if (why == 0) {
                return 0;
            }
            if (why != ENOENT && why != ENOTDIR && worst == ENOENT) {
                worst = why;
                (void)laz_format(
                        refused, sizeof(refused), "%.*s", LAZ_SAID_PATH_MAX - 1, workload->path);
            }
        }
        at = end;
        if (*at == '\0') {
            break;
        }
    }
    return found(refused[0] == '\0' ? NULL : refused, worst, name, err);
}

/* fork(2) with a shared descriptor table: see struct laz_confine. */
static pid_t fork_sharing_descriptors(void)
{
    return (pid_t)syscall(SYS_clone, (unsigned long)(CLONE_FILES | SIGCHLD), 0UL, 0UL, 0UL, 0UL);
}

static int fork_child(struct laz_workload *workload, const struct laz_image *image,
        char *const *command, char *const *environment, const struct exposed *exposed,
        struct laz_err *err)
{
    workload->gate = eventfd(0, EFD_CLOEXEC);
    if (workload->gate < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "eventfd");
    }
    const struct laz_confine confine = {
            .image = image,
            .decided = &workload->decided,
            .page = workload->page,
            .parent = workload->probe.pid,
            .set_death_signal = workload->probe.pid != 1,
            .gate = workload->gate,
            .fds = workload->fds,
            .n_fds = workload->n_fds,
            .path = workload->path,
            .argv = command,
            .envp = environment,
            .values = exposed->values,
            .n_values = exposed->n,
    };
    pid_t pid = fork_sharing_descriptors();
    if (pid == 0) {
        laz_confine_in_child(&confine);
    }
    if (pid < 0) {
        return laz_err_set_errno(err, LAZ_E_SYSTEM, "fork");
    }
    workload->pid = pid;
    (void)setpgid(pid, pid); /* the child does the same; EACCES once it has exec'd */
    return 0;
}

int laz_workload_fork(struct laz_workload *workload, const struct laz_image *image,
        char *const *command, char **environment, struct laz_err *err)
{
    void *page = mmap(NULL, sizeof(*workload->page), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct exposed exposed = {.n = 0};
    if (find_exposed(workload->secrets, &exposed, err) < 0) {
        return -1;
    }
    size_t n = (size_t)image->env_pass.n + image->env_set.n + exposed.n + 1;
    size_t size = n * sizeof(char *) + exposed.bytes;
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || arena == MAP_FAILED) {
        return laz_err_set_errno(err, LAZ_E_MEMORY, "mmap");
    }
    workload->page = page;
    workload->page->listener = -1;
    workload->page->securebits = -1;
    workload->page->landlock_probe = -1;
    workload->page->mdwe = -1;
    struct environment picked = {.items = arena};
    pick_environment(&picked, image, environment);
    name_exposed(&exposed, (char *)arena + n * sizeof(char *), &picked);
    int result = resolve(workload, image, command[0], path_of(&picked), err);
    if (result == 0) {
        result = fork_child(workload, image, command, picked.items, &exposed, err);
    }
    (void)munmap(arena, size);
    laz_environment_wipe(environment);
    return result;
}

static int check_page(const struct laz_workload *workload, struct laz_err *err)
{
    const struct laz_confine_page *page = workload->page;
    if (workload->decided.landlock_abi > 0 && page->landlock_probe == 0) {
        return laz_err_set(
                err, LAZ_E_ATTEST, 0, "Landlock: \"/\" could be listed, no rule grants it");
    }
    /* NOROOT, NO_SETUID_FIXUP, NO_CAP_AMBIENT_RAISE and their locks, KEEP_CAPS locked and off */
    if (workload->decided.drop_bounding && page->securebits != 0xef) {
        return laz_err_set(err, LAZ_E_ATTEST, 0, "securebits are %#x, the policy wants 0xef",
                (unsigned)page->securebits);
    }
    if (workload->decided.write_xor_execute && page->mdwe != 1) {
        return laz_err_set(err, LAZ_E_ATTEST, 0, "write-xor-execute reads back as %d", page->mdwe);
    }
    return 0;
}

int laz_workload_attest(
        struct laz_workload *workload, const struct laz_image *image, struct laz_err *err)
{
    if (laz_attest_read(workload->pid, &workload->seen, err) < 0 ||
            laz_attest_check(&workload->seen, image, &workload->probe, &workload->decided, err) <
                    0 ||
            laz_attest_limits(workload->pid, image, &workload->decided, err) < 0 ||
            check_page(workload, err) < 0) {
        return -1;
    }
    return 0;
}

static const char *advice_on_path(int why)
{
    return why == ENOENT   ? " (filesystem.optional is for paths that may be missing)"
            : why == ELOOP ? " (a part of it is a link, of /proc or where the workload may write: "
                             "name what is meant)"
                           : "";
}

int laz_workload_failure(const struct laz_workload *workload, int wait_status, struct laz_err *err)
{
    const struct laz_confine_page *page = workload->page;
    int why = page->sys_errno;
    if (page->failed == 0) {
        (void)laz_err_set(err, LAZ_E_ENFORCE, 0,
                "the child ended by %s %d; the last step was \"%s\"",
                WIFSIGNALED(wait_status) ? "signal" : "exit",
                WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status),
                laz_confine_step_name((enum laz_confine_step)page->step));
    } else if (page->step == LAZ_STEP_EXEC) {
        (void)found(workload->path, why, workload->path, err);
    } else if (page->step == LAZ_STEP_SECCOMP && workload->decided.events_required &&
            (why == EBUSY || why == EINVAL || why == ENOSYS)) {
        (void)laz_err_set(err, LAZ_E_REQUIRED_ABSENT, why, "seccomp notifications: %s%s",
                strerror(why), why == EBUSY ? " (the platform listens already)" : "");
    } else {
        (void)laz_err_set(err, LAZ_E_ENFORCE, why, "step \"%s\"%s%s: %s%s",
                laz_confine_step_name((enum laz_confine_step)page->step),
                page->detail[0] == '\0' ? "" : " at ", page->detail, strerror(why),
                page->step == LAZ_STEP_LANDLOCK_BUILD ? advice_on_path(why) : "");
    }
    return laz_err_exit_code(err->kind);
}

laz_degraded laz_workload_degraded(const struct laz_workload *workload)
{
    laz_degraded degraded = workload->decided.degraded;
    if (workload->listener < 0 && workload->decided.events) {
        degraded |= LAZ_DEGRADED_BIT(EVENTS) | LAZ_DEGRADED_BIT(EXEC_BUDGET);
    }
    if (workload->listener >= 0 && workload->page->wait_killable == 0) {
        degraded |= LAZ_DEGRADED_BIT(WAIT_KILLABLE);
    }
    if (workload->seen.seccomp_filters < 0) {
        degraded |= LAZ_DEGRADED_BIT(FILTER_COUNT);
    }
    return degraded;
}
