/* SPDX-License-Identifier: Apache-2.0
 *
 * Part of lazaret-init, lazaret-setup and lazaret-helper in sanitizer builds only, so that no other
 * file has to know of them: how the runtimes behave inside processes that have given everything up,
 * and the planted bugs that show that a report comes out of there. Must never be linked into what
 * ships.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): names that the runtimes and the linker look for */

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
int __real_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
int __real_kill(pid_t pid, int signal_number);
int __wrap_kill(pid_t pid, int signal_number);
int __real_execve(const char *path, char *const *argv, char *const *envp);
int __wrap_execve(const char *path, char *const *argv, char *const *envp);
int __real_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length);
int __real_openat(int folder, const char *path, int flags, mode_t mode);
int __wrap_openat(int folder, const char *path, int flags, ...);
ssize_t __real_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags);
ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags);

/* No leak check: it starts a thread and traces itself, which the filters refuse; the `lazaret`
 * command is checked for leaks. No handlers: PID 1 has none in life. 99 is no exit code of ours. */
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0:exitcode=99:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"
           "handle_sigill=0:use_sigaltstack=0:strict_string_checks=1:"
           "detect_stack_use_after_return=1:color=never";
}

__attribute__((visibility("default"))) const char *__ubsan_default_options(void)
{
    return "exitcode=99:print_stacktrace=1:color=never";
}

/* The shadow alone is terabytes of address space. */
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
    return resource == RLIMIT_AS ? 0 : __real_setrlimit(resource, limit);
}

/* ---- planted bugs, which tests/e2e/sanitizers_test.py asks for by the name of a file ---- */

static char planted[32]; /* "loop-address" of …/planted-loop-address.yaml */

static void remember(const char *path)
{
    static const char key[] = "planted-";
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (strncmp(name, key, sizeof(key) - 1) == 0) {
        name += sizeof(key) - 1;
        (void)snprintf(planted, sizeof(planted), "%.*s", (int)strcspn(name, "."), name);
    }
}

__attribute__((constructor)) static void remember_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        remember(argv[i]);
    }
}

static void overflow_at(const char *place)
{
    volatile char bytes[8] = {0};
    volatile char *volatile end = bytes + sizeof(bytes);
    volatile int distance = 40;
    size_t length = strlen(place);
    if (strncmp(planted, place, length) != 0) {
        return;
    }
    if (strcmp(planted + length, "-address") == 0) {
        *end = 1;
    } else {
        bytes[0] = (char)(1 << distance);
    }
}

/* PID 1, when it has given everything up. */
int __wrap_kill(pid_t pid, int signal_number)
{
    overflow_at("loop");
    return __real_kill(pid, signal_number);
}

/* The child, confined, one call before it is the workload. */
int __wrap_execve(const char *path, char *const *argv, char *const *envp)
{
    overflow_at("exec");
    return __real_execve(path, argv, envp);
}

/* lazaret-setup, narrowed, when it has refused a policy. */
int __wrap_ftruncate(int fd, off_t length)
{
    overflow_at("setup");
    return __real_ftruncate(fd, length);
}

/* The helper is told nothing by its arguments: the name of a sink's file has to do. */
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    remember(path);
    return __real_openat(folder, path, flags, mode);
}

/* lazaret-helper ship, narrowed, when the workload has said something. */
ssize_t __wrap_splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
    overflow_at("ship");
    return __real_splice(from, from_at, to, to_at, n, flags);
}

/* NOLINTEND(bugprone-reserved-identifier) */
