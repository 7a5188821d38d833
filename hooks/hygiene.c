/* SPDX-License-Identifier: Apache-2.0
 *
 * A clean start. Static, so that nothing of the environment counted before main() either.
 */
#include "hooks/hygiene.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/environment.h"

#define FIRST_STRAY 3
#define SIGNALS     64 /* the kernel's, realtime ones too */

static int fail(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", what, laz_err_errno_name(errno));
}

/* Whoever began without one of the three would have a file of ours there. */
static int open_missing(struct laz_err *err)
{
    for (int fd = 0; fd < FIRST_STRAY; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC) != fd) {
            return fail(err, "/dev/null");
        }
    }
    return 0;
}

/* Those that libc keeps to itself and the two that nobody changes are refused, and are as they were
 * made by exec: nobody handles them. */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number <= SIGNALS; number++) {
        laz_ignore(sigaction(number, &action, NULL));
    }
    (void)sigemptyset(&none);
    laz_ignore(sigprocmask(SIG_SETMASK, &none, NULL));
}

/* Where nobody reads what we say, the second alarm ends us without a word. */
static void be_late(int number)
{
    static const char words[] = "lazaret-hook: error: hook-late: not done within 8 s\n";
    (void)number;
    (void)alarm(1);
    if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0) {
        _exit(EXIT_FAILURE);
    }
    _exit(EXIT_FAILURE);
}

static void set_deadline(void)
{
    struct sigaction action = {.sa_handler = be_late, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
    laz_ignore(sigaction(SIGALRM, &action, NULL));
    (void)alarm(LAZ_HOOK_DEADLINE_S);
}

int laz_hook_clean(struct laz_err *err)
{
    const struct rlimit none = {0};
    laz_environment_wipe(environ); /* nor does /proc show it */
    if (clearenv() != 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, 0, "clearenv");
    }
    if (chdir("/") < 0) {
        return fail(err, "chdir /");
    }
    (void)umask(S_IRWXG | S_IRWXO);
    if (laz_sys_close_range(FIRST_STRAY, UINT_MAX, 0) < 0) {
        return fail(err, "close_range");
    }
    if (open_missing(err) < 0) {
        return -1;
    }
    reset_signals();
    set_deadline();
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) < 0) {
        return fail(err, "no core");
    }
    return 0;
}
