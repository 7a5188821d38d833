/* SPDX-License-Identifier: Apache-2.0
 *
 * How attempts put what they saw: errno names, facts, and the few steps that many of them share.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

int attack_result(long rc)
{
    return rc < 0 ? errno : 0;
}

int attack_reached(long rc, int passed)
{
    return rc < 0 && errno != passed ? errno : 0;
}

int attack_result_fd(long fd)
{
    if (fd < 0) {
        return errno;
    }
    close((int)fd);
    return 0;
}

int attack_say(struct attack_note *note, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(
            note->text, sizeof(note->text), format, arguments); /* a cut fact is a wrong fact */
    va_end(arguments);
    return 0;
}

const char *attack_errno_name(int number)
{
    return strerrorname_np(number);
}

int attack_stop_sent(struct attack_note *note)
{
    note->wants_stop = true;
    return attack_say(note, "sent");
}

int attack_open(const char *path, int flags)
{
    return attack_result_fd(open(path, flags | O_CLOEXEC | O_NOCTTY));
}

int attack_execute(const char *path, const char *argument, int *ret_code)
{
    int *failure =
            mmap(NULL, sizeof(*failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failure == MAP_FAILED) {
        return errno;
    }
    *failure = 0;
    pid_t child = fork();
    if (child < 0) {
        return errno;
    }
    if (child == 0) {
        char *const argv[] = {strdup(path), strdup(argument), NULL};
        char *const envp[] = {NULL};
        execve(path, argv, envp);
        *failure = errno;
        _exit(1);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        return errno;
    }
    if (*failure != 0) {
        return *failure;
    }
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return 0;
}

pid_t attack_bystander_pid(void)
{
    char text[16] = "";
    int fd = open(ATTACK_BYSTANDER_FILE, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    return length > 0 ? (pid_t)strtoul(text, NULL, 10) : 0;
}
