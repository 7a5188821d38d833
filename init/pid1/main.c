/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-init: arms itself before anything else, puts its descriptors in order, reads its options,
 * and hands over to the loop. Manual: lazaret-init(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/descriptors.h"
#include "confine/sys.h"
#include "core/fd.h"
#include "init/pid1/pid1.h"
#include "init/pid1/probe.h"

/* The first thing of all: a PID 1 with default dispositions loses every signal that comes before
 * this. An inherited SIGCHLD that is ignored would make the kernel reap for us and lose the exit
 * code. */
static bool arm(void)
{
    const uint64_t all = UINT64_MAX;
    const uint64_t never = UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1);
    uint64_t seen = 0;
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all)) < 0 ||
            syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &seen, sizeof(seen)) < 0) {
        return false;
    }
    errno = EPROTO; /* an outer filter answers in the kernel's place */
    return (seen | never) == UINT64_MAX && laz_sys_default_action(SIGCHLD, SA_NOCLDSTOP) == 0;
}

/* No memory of ours in a core, and nobody of our uid may look into us. coredump_filter first: it is
 * inherited by everything that we start, and after dumpable 0 the file is root's. */
static laz_degraded hide(void)
{
    laz_degraded degraded = 0;
    laz_cleanup_fd int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    bool no_cores = fd < 0 && errno == ENOENT; /* a kernel without CONFIG_ELF_CORE */
    struct laz_err ignored = {0};
    if (!no_cores && (fd < 0 || laz_fd_write_all(fd, "0", 1, &ignored) < 0)) {
        degraded |= LAZ_DEGRADED_BIT(CORE_FILTER);
    }
    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0) {
        degraded |= LAZ_DEGRADED_BIT(DUMPABLE);
    }
    return degraded;
}

/* A closed 0, 1 or 2 would be the next descriptor that we open, and then the workload's. */
static void fill_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* meant to be inherited, both */
            int opened = open("/dev/null", O_RDWR); /* NOLINT(android-cloexec-open) */
            if (opened < 0) {
                /* without /dev: useless, but taken */
                opened = open("/", O_PATH); /* NOLINT(android-cloexec-open) */
            }
            (void)opened; /* the lowest free number is fd itself */
        }
    }
}

static int print(const char *text)
{
    struct laz_err ignored = {0};
    return laz_fd_write_all(STDOUT_FILENO, text, strlen(text), &ignored) < 0 ? 109 : 0;
}

/* Zero-initialised and never on the heap; most of its pages are never touched. */
static struct laz_pid1 pid1;

/* What is not 0 from the start. */
static void begin(char **argv, char **environment)
{
    pid1.is_pid1 = getpid() == 1;
    pid1.parent = getppid();
    pid1.argv = argv;
    pid1.environment = environment;
    pid1.terminal_fd = -1;
    pid1.signal_fd = -1;
    pid1.children_fd = -1;
    pid1.oom_fd = -1;
    pid1.setup_fd = -1;
    pid1.trail.fd = -1;
    pid1.trail.ctr = "";
    pid1.listener.fd = -1;
    laz_workload_init(&pid1.workload);
    laz_helpers_init(&pid1.helpers);
}

int main(int argc, char **argv, char **environment)
{
    if (argc > 1 && strcmp(argv[1], "probe") == 0) {
        return laz_probe_health(argv + 2);
    }
    if (!arm()) {
        (void)laz_err_set(&pid1.refusal, LAZ_E_ENVIRONMENT, errno,
                "signals cannot be blocked (%s): a stop request could be lost", strerror(errno));
    }
    pid1.degraded = hide();
    fill_standard();
    begin(argv, environment);
    bool shared = true;
    if (pid1.refusal.kind != LAZ_E_NONE ||
            laz_probe_open_files(&pid1.workload.probe, &pid1.refusal) < 0) {
        shared = false; /* refused below */
    } else if (laz_options_parse(argv, environment, &pid1.options, &pid1.refusal) == 0) {
        if (pid1.options.say != NULL) {
            return print(pid1.options.say);
        }
        laz_ignore(laz_trail_open(
                pid1.options.events, &pid1.trail, &shared, &pid1.refusal)); /* refusal tells */
    }
    if (!laz_descriptors_close(pid1.trail.fd)) {
        pid1.degraded |= LAZ_DEGRADED_BIT(CLOSE_RANGE);
    }
    int own = laz_trail_own_pipe(STDERR_FILENO);
    pid1.said_fd = own >= 0 ? own : STDERR_FILENO;
    pid1.degraded |= shared ? LAZ_DEGRADED_BIT(SHARED_STREAM) : 0;
    (void)umask(077);
    if (pid1.refusal.kind != LAZ_E_NONE) {
        laz_pid1_refuse(&pid1, 0);
        return pid1.exit_code;
    }
    return laz_pid1_run(&pid1);
}
