/* SPDX-License-Identifier: Apache-2.0
 *
 * fork, do it, report through a shared page: the child's filter may forbid write(2).
 */
#include "cli/attempt.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct page {
    volatile int result;
};

static _Noreturn void run_in_child(laz_attempt_in_child *attempt, struct page *page)
{
    (void)alarm(LAZ_ATTEMPT_SECONDS);
    page->result = attempt();
    _exit(0);
}

void laz_attempt(laz_attempt_in_child *attempt, struct laz_attempted *ret)
{
    *ret = (struct laz_attempted){.sys_errno = ENOMEM};
    struct page *page =
            mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;
    }
    page->result = -1;
    pid_t pid = fork();
    if (pid == 0) {
        run_in_child(attempt, page);
    }
    if (pid < 0) {
        ret->sys_errno = errno;
    } else {
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        ret->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        ret->sys_errno = page->result > 0 ? page->result : 0;
        ret->works = ret->signal == 0 && page->result == 0;
    }
    (void)munmap(page, sizeof(*page)); /* cannot fail with what mmap returned */
}
