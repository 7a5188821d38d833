/* SPDX-License-Identifier: Apache-2.0
 *
 * What lazaret-shim must not be: a wrapper with one defect, the one that it is called by. It
 * becomes the stand-in beside itself. Shows that the suite would notice.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNTIME "/opt/runtime"

static int is(const char *defect, const char *name)
{
    return strcmp(defect, name) == 0;
}

static void spoil(const char *defect)
{
    char byte = 0;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;
    const struct rlimit limit = {.rlim_cur = 400, .rlim_max = 500};
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR2);
    if (is(defect, "folder")) {
        (void)chdir("/");
    } else if (is(defect, "umask")) {
        (void)umask(077);
    } else if (is(defect, "mask")) {
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
    } else if (is(defect, "ignore")) {
        (void)sigaction(SIGUSR2, &ignore, NULL);
    } else if (is(defect, "death")) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    } else if (is(defect, "environment")) {
        (void)setenv("ADDED", "1", 1);
    } else if (is(defect, "leaks")) {
        (void)open("/dev/null", O_RDONLY);
    } else if (is(defect, "closes")) {
        (void)close(2);
    } else if (is(defect, "reads")) {
        (void)read(0, &byte, 1);
    } else if (is(defect, "limits")) {
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    } else if (is(defect, "session")) {
        (void)setpgid(0, 0);
    } else if (is(defect, "privileges")) {
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    }
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *defect = slash == NULL ? "" : slash + 1;
    static char runtime[] = RUNTIME;
    int status = 0;
    spoil(defect);
    if (is(defect, "forks") && fork() != 0) {
        (void)wait(&status);
        return WEXITSTATUS(status);
    }
    if (!is(defect, "name")) {
        argv[0] = runtime;
    }
    if (is(defect, "drops") && argc > 1) {
        argv[argc - 1] = NULL;
    }
    (void)execv(RUNTIME, argv);
    return 95;
}
