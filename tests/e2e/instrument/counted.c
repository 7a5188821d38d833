/* SPDX-License-Identifier: Apache-2.0
 *
 * Part of our programs in coverage builds only. gcov writes its counters when a program exits,
 * which a confined process may not and a killed one does not. Here the counters are a file's pages
 * from the first moment on, shared by every process of the program: what a child counts between
 * fork and execve is there, too. With the one argument --write-counters, the program writes what
 * the file has as gcov's own files, and ends. Must never be linked into what ships.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): names that the linker looks for */

extern char laz_counters_start[]; /* counters.ld */
extern char laz_counters_end[];
void __gcov_dump(void);
void __wrap___gcov_exit(void);
int __wrap___gcov_execve(const char *path, char *const *argv, char *const *envp);

__attribute__((constructor)) static void share(int argc, char **argv)
{
    size_t size = (size_t)(laz_counters_end - laz_counters_start);
    int fd = open(LAZ_COUNTERS, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) {
        (void)fchmod(fd, 0666); /* the next one may have another user */
        if (ftruncate(fd, (off_t)size) == 0) {
            (void)mmap(laz_counters_start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                    0);
        }
        (void)close(fd);
    }
    if (argc == 2 && strcmp(argv[1], "--write-counters") == 0) {
        __gcov_dump();
        _exit(0);
    }
}

void __wrap___gcov_exit(void)
{
}

/* What gcc makes of execve; gcov's own would write first. */
int __wrap___gcov_execve(const char *path, char *const *argv, char *const *envp)
{
    return execve(path, argv, envp);
}

/* NOLINTEND(bugprone-reserved-identifier) */
