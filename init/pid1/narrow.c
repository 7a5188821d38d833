/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1 gives up what it no longer needs once the workload is forked: every capability but
 * CAP_KILL, and every system call that its loop does not make. libc only.
 */
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "confine/sys.h"
#include "init/pid1/filter.h"
#include "init/pid1/pid1.h"

static int keep_kill_only(uint64_t effective)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    uint32_t kill_bit = 1U << CAP_KILL;
    if ((effective & kill_bit) != 0) {
        data[0].effective = kill_bit;
        data[0].permitted = kill_bit;
    }
    return (int)syscall(SYS_capset, &header, data);
}

void laz_pid1_narrow(struct laz_pid1 *pid1)
{
    const struct sock_fprog program = {
            .len = (unsigned short)(sizeof(laz_pid1_filter) / sizeof(laz_pid1_filter[0])),
            .filter = laz_unconst(laz_pid1_filter),
    };
    /* Each of them is worth having without the others. */
    bool few = keep_kill_only(pid1->workload.probe.effective) == 0;
    bool filtered = prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0 &&
            laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, laz_unconst(&program)) == 0;
    if (!few || !filtered) {
        pid1->degraded |= LAZ_DEGRADED_BIT(OWN_FILTER);
    }
}
