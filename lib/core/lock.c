/* SPDX-License-Identifier: Apache-2.0
 *
 * By asking again: a signal that ends a blocking flock(2) would have to come from a timer, and both
 * are the caller's, or are handed on to the runtime.
 */
#include "core/lock.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "core/deadline.h"

#define PAUSE_FIRST_NS (LAZ_NS_PER_MS / 8)
#define PAUSE_LAST_NS  (4 * LAZ_NS_PER_MS)

int laz_lock_take(int fd, const char *name, struct laz_err *err)
{
    struct timespec now = {0};
    struct timespec end = {0};
    uint64_t pause_ns = 0; /* nobody has it, nearly always: then there is no need for a clock */
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return laz_err_set(
                    err, LAZ_E_SYSTEM, errno, "%.200s: flock: %s", name, laz_err_errno_name(errno));
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (pause_ns == 0) {
            end = now;
            end.tv_sec += LAZ_LOCK_WAIT_S;
            pause_ns = PAUSE_FIRST_NS;
        }
        if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec)) {
            return laz_err_set(err, LAZ_E_BUSY, 0,
                    "another process has had the lock of %.200s for %d seconds", name,
                    LAZ_LOCK_WAIT_S);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)pause_ns}, NULL);
        pause_ns = pause_ns < PAUSE_LAST_NS ? 2 * pause_ns : pause_ns;
    }
    return 0;
}
