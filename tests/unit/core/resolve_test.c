/* SPDX-License-Identifier: Apache-2.0
 *
 * A path with ".." is opened while somebody else on the host does nothing but rename.
 */
#include "core/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define ENOUGH 20 /* times that the kernel has to have refused */
#define LIMIT  1000000
#define PATH   "../../../../../../../../../../../../file"

static pid_t start_renaming(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            (void)rename("one", "other");
            (void)rename("other", "one");
        }
    }
    return child;
}

Test(resolve, a_path_is_opened_while_somebody_renames_and_the_kernel_alone_refuses_it)
{
    char folder[] = "/tmp/lazaret-resolve-XXXXXX";
    cr_assert(mkdtemp(folder) != NULL && chdir(folder) == 0 && mkdir("root", 0700) == 0);
    close(open("one", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open("root/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    int root = open("root", O_PATH | O_CLOEXEC);
    pid_t child = start_renaming();
    int refused = 0;
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    for (int i = 0; i < LIMIT && refused < ENOUGH; i++) {
        int control = (int)syscall(SYS_openat2, root, PATH, &how, sizeof(how));
        refused += control < 0 && errno == EAGAIN;
        close(control);
        int fd = laz_resolve_open(root, PATH, O_PATH, RESOLVE_IN_ROOT);
        cr_assert_geq(fd, 0, "%d: errno %d", i, errno);
        close(fd);
    }
    cr_assert(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    cr_expect_geq(refused, ENOUGH, "the control: refused %d times", refused);
    cr_expect(unlink("root/file") == 0 && rmdir("root") == 0);
    (void)unlink("one");
    (void)unlink("other");
    cr_expect(chdir("/") == 0 && rmdir(folder) == 0);
}

Test(resolve, what_is_not_there_is_said_at_once_and_descriptors_are_closed_on_exec)
{
    cr_expect_eq(laz_resolve_open(AT_FDCWD, "/absent", O_PATH, 0), -1);
    cr_expect_eq(errno, ENOENT);
    int fd = laz_resolve_open(AT_FDCWD, "/", O_PATH, 0);
    cr_assert_geq(fd, 0);
    cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

Test(resolve, a_plain_path_is_absolute_and_of_names_alone)
{
    static const char *const plain[] = {"/a", "/a/b", "/...", "/.a/..b/c."};
    static const char *const others[] = {"", "/", "a", "a/b", "/a/", "//a", "/a//b", "/.", "/..",
            "/./a", "/a/.", "/a/../b", "/a/.."};
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        cr_expect(laz_resolve_is_plain(plain[i]), "%s", plain[i]);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        cr_expect_not(laz_resolve_is_plain(others[i]), "%s", others[i]);
    }
}
