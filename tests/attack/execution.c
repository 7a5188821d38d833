/* SPDX-License-Identifier: Apache-2.0
 *
 * Attempts to run other code than what the launcher started: other programs, and memory that is
 * written first and executed then.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

static const char own_path[] = "/bin/attack";
static const char set_user_path[] = "/bin/attack-setuid"; /* the same, owned by root, mode 4755 */

/* An exit code other than the expected one means that something else ran. */
static int execute_for(
        const char *path, const char *argument, int expected, struct attack_note *note)
{
    int code = 0;
    int result = attack_execute(path, argument, &code);
    if (result == 0 && code != expected) {
        return attack_say(note, "exit:%d", code);
    }
    return result;
}

int attack_second_exec(struct attack_note *note)
{
    return execute_for(own_path, "exit-42", 42, note);
}

int attack_setuid_program(struct attack_note *note)
{
    /* Root has nothing to gain, so give it up first; the workload of a policy is never root. */
    if (getuid() == 0 && setresuid(20002, 20002, 20002) != 0) {
        return attack_say(note, "setresuid:%s", attack_errno_name(errno));
    }
    int code = 0;
    int result = attack_execute(set_user_path, "is-root", &code);
    if (result != 0 || code == 100) {
        return result;
    }
    return code == 101 ? attack_say(note, "no-gain") : attack_say(note, "exit:%d", code);
}

static int copy_self(int to)
{
    int from = open(own_path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (from < 0 || fstat(from, &st) != 0) {
        return errno;
    }
    for (off_t done = 0; done < st.st_size;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)(st.st_size - done));
        if (n <= 0) {
            return errno;
        }
        done += n;
    }
    close(from);
    return 0;
}

int attack_payload_in_tmp(struct attack_note *note)
{
    int to = open("/tmp/payload", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (to < 0) {
        return attack_say(note, "write:%s", attack_errno_name(errno));
    }
    int result = copy_self(to);
    close(to);
    if (result != 0) {
        return attack_say(note, "copy:%s", attack_errno_name(result));
    }
    return execute_for("/tmp/payload", "exit-42", 42, note);
}

/* execveat in a child; the exit code tells whether it ran. */
static int execute_at(int folder, const char *path, int flags)
{
    int *failure =
            mmap(NULL, sizeof(*failure), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failure == MAP_FAILED) {
        return errno;
    }
    pid_t child = fork();
    if (child == 0) {
        char *const argv[] = {strdup("attack"), strdup("exit-42"), NULL};
        char *const envp[] = {NULL};
        syscall(SYS_execveat, folder, path, argv, envp, flags);
        *failure = errno;
        _exit(1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        return errno;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 0 : *failure;
}

int attack_memfd_exec(struct attack_note *note)
{
    int fd = (int)syscall(SYS_memfd_create, "payload", 0);
    if (fd < 0) {
        return errno;
    }
    int result = copy_self(fd);
    if (result != 0) {
        return attack_say(note, "copy:%s", attack_errno_name(result));
    }
    return execute_at(fd, "", AT_EMPTY_PATH);
}

int attack_execveat(struct attack_note *note)
{
    (void)note;
    return execute_at(AT_FDCWD, own_path, 0);
}

int attack_write_and_execute(struct attack_note *note)
{
    (void)note;
    void *at = mmap(
            NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? errno : 0;
}

int attack_write_then_execute(struct attack_note *note)
{
    (void)note;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return errno;
    }
    memset(at, 0, 4096);
    return attack_result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

/* The file through which a process may write its own code pages, whatever their protection. */
int attack_own_memory(struct attack_note *note)
{
    (void)note;
    static const char code[] = "unchanged"; /* in a read-only page */
    int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    return attack_result(pwrite(fd, "C", 1, (off_t)(uintptr_t)code));
}
