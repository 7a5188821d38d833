/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that an init can do: fork, exec, wait. What any init costs at least on this machine,
 * and so the yardstick beside the bare program. Never a replacement for one: it forwards and reaps
 * nothing.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    (void)argc;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execv(argv[1], argv + 1);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
