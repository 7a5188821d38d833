/* SPDX-License-Identifier: Apache-2.0
 *
 * The doctor's experiments. Each *_in_child function runs in a process of its own, does what
 * lazaret-init or its workload would do, and looks whether it took effect.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "cli/attempt.h"
#include "cli/doctor.h"
#include "confine/sys.h"
#include "core/fd.h"

#define MARK      EDOM /* an errno that getppid never has */
#define ANSWER_MS 2000

/* ---- In the child ---- */

static int no_new_privs_in_child(void)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0) {
        return errno;
    }
    return prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) == 1 ? 0 : -1;
}

/* A filter that answers getppid with `action` and lets everything else through. Descriptor or 0;
 * -1. */
static int load_in_child(uint32_t action, unsigned flags)
{
    struct sock_filter insns[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, action),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(insns) / sizeof(insns[0]), .filter = insns};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0) {
        return -1;
    }
    return laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

static bool is_marked_in_child(void)
{
    return syscall(SYS_getppid) < 0 && errno == MARK;
}

static int filter_in_child(void)
{
    if (load_in_child(SECCOMP_RET_ERRNO | MARK, 0) < 0) {
        return errno;
    }
    return is_marked_in_child() ? 0 : -1;
}

/* The kernel fills its own, possibly longer structs: these leave room. */
union notification {
    struct seccomp_notif call;
    char room[4 * sizeof(struct seccomp_notif)];
};

union answer {
    struct seccomp_notif_resp response;
    char room[4 * sizeof(struct seccomp_notif_resp)];
};

static int answer_in_child(int listener)
{
    struct pollfd ready = {.fd = listener, .events = POLLIN};
    if (poll(&ready, 1, ANSWER_MS) != 1) {
        return ETIMEDOUT;
    }
    union notification notification;
    union answer answer;
    (void)memset(&notification, 0, sizeof(notification));
    (void)memset(&answer, 0, sizeof(answer));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0) {
        return errno;
    }
    answer.response.id = notification.call.id;
    answer.response.error = -MARK;
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 ? errno : 0;
}

static int notifications_in_child(void)
{
    laz_cleanup_fd int listener =
            load_in_child(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (listener < 0) {
        return errno;
    }
    pid_t caller = fork();
    if (caller < 0) {
        return errno;
    }
    if (caller == 0) {
        laz_fd_close(&listener); /* or the last one to close it would be the one that waits */
        (void)alarm(LAZ_ATTEMPT_SECONDS);
        _exit(is_marked_in_child() ? 0 : 1);
    }
    int result = answer_in_child(listener);
    laz_fd_close(&listener); /* a caller that still waits gets ENOSYS now */
    int status = 0;
    while (waitpid(caller, &status, 0) < 0 && errno == EINTR) {
    }
    if (result != 0) {
        return result;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* A signal shall not interrupt a call that waits for its answer. */
static int wait_killable_in_child(void)
{
    laz_cleanup_fd int listener = load_in_child(SECCOMP_RET_USER_NOTIF,
            SECCOMP_FILTER_FLAG_NEW_LISTENER | (unsigned)LAZ_SECCOMP_WAIT_KILLABLE_RECV);
    return listener < 0 ? errno : 0;
}

static int landlock_in_child(void)
{
    const struct laz_ll_ruleset attr = {.handled_fs = LAZ_LL_READ_DIR};
    laz_cleanup_fd int ruleset = laz_sys_landlock_create(&attr, sizeof(attr.handled_fs), 0);
    if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0 ||
            laz_sys_landlock_restrict(ruleset) < 0) {
        return errno;
    }
    laz_cleanup_fd int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root < 0 && errno == EACCES ? 0 : -1;
}

static int write_xor_execute_in_child(void)
{
    if (prctl(LAZ_PR_SET_MDWE, LAZ_PR_MDWE_REFUSE_EXEC_GAIN, 0UL, 0UL, 0UL) < 0) {
        return errno;
    }
    void *memory =
            mmap(NULL, 1, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? 0 : -1;
}

static int bounding_set_in_child(void)
{
    if (prctl(PR_CAPBSET_DROP, (unsigned long)CAP_CHOWN, 0UL, 0UL, 0UL) < 0) {
        return errno;
    }
    return prctl(PR_CAPBSET_READ, (unsigned long)CAP_CHOWN, 0UL, 0UL, 0UL) == 0 ? 0 : -1;
}

static int close_range_in_child(void)
{
    return laz_sys_close_range(~0U, ~0U, LAZ_CLOSE_RANGE_CLOEXEC) < 0 ? errno : 0;
}

static int signalfd_in_child(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    laz_cleanup_fd int fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? errno : 0;
}

static int subreaper_in_child(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) < 0 ? errno : 0;
}

/* ---- What follows from it ---- */

static void say_attempt(
        struct laz_doctor_line *line, const struct laz_attempted *tried, const char *yes)
{
    if (tried->works) {
        laz_doctor_say(line, "%s", yes);
    } else if (tried->signal == SIGALRM) {
        laz_doctor_say(line, "the kernel did not answer within %d seconds", LAZ_ATTEMPT_SECONDS);
    } else if (tried->signal != 0) {
        laz_doctor_say(line, "the child process that tried it was killed by %s",
                tried->signal == SIGSYS ? "SIGSYS: an outer filter forbids it" : "a signal");
    } else if (tried->sys_errno == 0) {
        laz_doctor_say(line, "the kernel said yes and did nothing");
    } else {
        laz_doctor_say(
                line, "%s (%s)", strerror(tried->sys_errno), laz_err_errno_name(tried->sys_errno));
    }
}

static struct laz_doctor_line *add_attempt(struct laz_doctor *doctor, const char *name,
        const struct laz_attempted *tried, const char *yes)
{
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, name, tried->works ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    say_attempt(line, tried, yes);
    return line;
}

/* Things that every policy needs. */
static void try_vital(struct laz_doctor *doctor)
{
    struct laz_attempted tried;
    laz_attempt(no_new_privs_in_child, &tried);
    struct laz_doctor_line *line =
            add_attempt(doctor, "no-new-privileges", &tried, "set, and read back");
    line->is_vital = true;
    line->means = tried.works ? "setuid programs and file capabilities give nothing"
                              : "no policy can start: it is always required";
    line->remedy =
            tried.works ? NULL : "Run on Linux 4.14 or newer, and not under an emulation of it.";

    laz_attempt(filter_in_child, &tried);
    line = add_attempt(
            doctor, "seccomp", &tried, "a filter was loaded, and refused what it should refuse");
    line->is_vital = true;
    line->means = tried.works ? "system calls are refused as the policy says"
                              : "no policy can start: it is always required";
    line->remedy = tried.works ? NULL
                               : "The kernel needs CONFIG_SECCOMP_FILTER, and an outer filter must "
                                 "allow seccomp(2) and prctl(2).";
}

static const char *events_remedy(int sys_errno)
{
    switch (sys_errno) {
    case EBUSY:
        return "An outer filter has the listener, and there can be only one: take it away.";
    case ENOSYS:
    case EPERM:
    case EACCES:
        return "An outer filter forbids seccomp(2): run under the default filter of Docker or "
               "containerd, "
               "or a wider one.";
    default:
        return "Run on Linux 5.0 or newer.";
    }
}

static void try_events(struct laz_doctor *doctor)
{
    struct laz_attempted tried;
    laz_attempt(notifications_in_child, &tried);
    struct laz_doctor_line *line =
            add_attempt(doctor, "events", &tried, "a refused call was received and answered");
    if (tried.works) {
        line->means = "refused calls raise events, the exec budget is enforced, mode observe works";
        return;
    }
    laz_doctor_degrade(line, LAZ_DEGRADED_EVENTS);
    line->means = "refused calls raise no events, the exec budget is not enforced "
                  "(exec-budget-unenforced), and mode observe refuses to start";
    line->remedy = events_remedy(tried.sys_errno);
    doctor->probe.notify_errno = tried.sys_errno == 0 ? ENOSYS : tried.sys_errno;
}

static const char *landlock_remedy(int sys_errno)
{
    switch (sys_errno) {
    case ENOSYS:
        return "The kernel was built without Landlock (5.13, CONFIG_SECURITY_LANDLOCK), or an "
               "outer filter "
               "hides it.";
    case EOPNOTSUPP:
        return "The host's kernel has it switched off: add landlock to lsm= on its command line.";
    case EPERM:
        return "An old outer filter forbids it: Docker 23, containerd 1.6.3 or newer let it "
               "through.";
    default:
        return "Run on Linux 5.13 or newer with landlock among the active security modules.";
    }
}

static void try_landlock(struct laz_doctor *doctor)
{
    static const char *const lacks[] = {
            "", /* there is no ABI 0 */
            "files; not: renames, truncate, TCP ports, ioctl of devices, isolation",
            "files; not: truncate, TCP ports, ioctl of devices, isolation",
            "files; not: TCP ports, ioctl of devices, isolation",
            "files and TCP ports; not: ioctl of devices, isolation",
            "files, TCP ports and ioctl of devices; not: isolation",
            "every filesystem, port and isolation rule is enforced",
    };
    struct laz_attempted tried;
    laz_attempt(landlock_in_child, &tried);
    struct laz_doctor_line *line = add_attempt(doctor, "landlock", &tried, "");
    if (!tried.works) {
        laz_doctor_degrade(line, LAZ_DEGRADED_LANDLOCK);
        line->remedy = landlock_remedy(tried.sys_errno);
        return;
    }
    int abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    laz_doctor_say(line, "ABI %d; a forbidden directory was refused", abi);
    size_t last = sizeof(lacks) / sizeof(lacks[0]) - 1;
    size_t at = abi > 0 && (size_t)abi < last ? (size_t)abi : last;
    line->means = lacks[at];
    line->remedy = at == last ? NULL : "Linux 6.7 has TCP ports too, and 6.12 all of it.";
}

static void try_one(struct laz_doctor *doctor, const char *name, laz_attempt_in_child *attempt,
        enum laz_degradation degradation, const char *const words[3])
{
    struct laz_attempted tried;
    laz_attempt(attempt, &tried);
    struct laz_doctor_line *line = add_attempt(doctor, name, &tried, words[0]);
    line->means = words[1];
    if (!tried.works) {
        laz_doctor_degrade(line, degradation);
        line->remedy = words[2];
    }
}

void laz_doctor_try(struct laz_doctor *doctor)
{
    static const char *const killable[] = {"the kernel takes the flag",
            "a signal cannot interrupt a refused call before its answer",
            "Nothing needs it; Linux 5.19 has it, where notifications are to be had."};
    static const char *const bounding[] = {"a capability left it in a child process",
            "capabilities leave all five sets",
            "Start the container as root with CAP_SETPCAP, which Docker and ECS grant by default."};
    static const char *const mdwe[] = {"writable and executable memory was refused",
            "requires.write-xor-execute can be had", "Run on Linux 6.3 or newer."};
    static const char *const closing[] = {"the call exists", "strays are closed in one call",
            "Nothing needs it; Linux 5.11 has it."};
    static const char *const signals[] = {"the call exists",
            "lazaret-init sleeps until something happens", "Allow signalfd4(2)."};
    static const char *const orphans[] = {"the call works",
            "orphans of the workload come to lazaret-init even where it is not PID 1",
            "Make lazaret-init PID 1 (no initProcessEnabled, no docker run --init)."};
    try_vital(doctor);
    try_events(doctor);
    try_one(doctor, "wait-killable", wait_killable_in_child, LAZ_DEGRADED_WAIT_KILLABLE, killable);
    try_landlock(doctor);
    try_one(doctor, "bounding-set", bounding_set_in_child, LAZ_DEGRADED_BOUNDING_SET, bounding);
    try_one(doctor, "write-xor-execute", write_xor_execute_in_child, LAZ_DEGRADED_WRITE_XOR_EXECUTE,
            mdwe);
    try_one(doctor, "close-range", close_range_in_child, LAZ_DEGRADED_CLOSE_RANGE, closing);
    try_one(doctor, "signalfd", signalfd_in_child, LAZ_DEGRADED_SIGNALFD, signals);
    try_one(doctor, "subreaper", subreaper_in_child, LAZ_DEGRADED_SUBREAPER, orphans);
}
