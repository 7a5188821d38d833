/* SPDX-License-Identifier: Apache-2.0
 *
 * What the doctor only has to read: kernel, platform filter, user, /proc, limits, cgroup.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "confine/attest.h"
#include "core/fd.h"
#include "policy/tables/tables.h"

#define OPEN_FILES_MIN 16 /* as lazaret-init wants it */

static bool has(const struct laz_process_state *self, int capability)
{
    return (self->cap_effective >> capability & 1) != 0;
}

static void look_at_kernel(struct laz_doctor *doctor)
{
    struct laz_doctor_line *line = laz_doctor_add(doctor, "kernel", LAZ_DOCTOR_YES);
    struct utsname name;
    if (uname(&name) < 0) {
        line->state = LAZ_DOCTOR_UNKNOWN;
        laz_doctor_say(line, "uname: %s", strerror(errno));
    } else {
        laz_doctor_say(
                line, "%s %s, %s", name.sysname, name.release, laz_arch_name(laz_arch_native()));
    }
    line->means = "what it can do is tried below, not guessed from its version";
}

static void look_at_proc(struct laz_doctor *doctor)
{
    struct statfs status;
    bool is_mounted = statfs("/proc", &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
    bool is_read = is_mounted && access("/proc/self/status", R_OK) == 0;
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "proc", is_read ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    line->is_vital = true;
    laz_doctor_say(line, "%s",
            is_read              ? "/proc is mounted and shows this process"
                    : is_mounted ? "/proc is mounted and hides this process"
                                 : "/proc is not mounted");
    line->means = is_read ? "what was enforced is read back before the workload starts"
                          : "no policy can start: what was enforced could not be read back";
    line->remedy = is_read ? NULL : "Mount /proc in the container.";

    char path[sizeof("/proc/self/task//children") + 3 * sizeof(pid_t)];
    int length = snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    bool is_listed = length > 0 && access(path, R_OK) == 0;
    line = laz_doctor_add(doctor, "children", is_listed ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    laz_doctor_say(line, "%s",
            is_listed ? "/proc lists child processes" : "/proc lists no child processes");
    line->means = "strays are found and stopped when the workload ends";
    if (!is_listed) {
        laz_doctor_degrade(line, LAZ_DEGRADED_CHILDREN);
        line->remedy = "The kernel needs CONFIG_PROC_CHILDREN.";
    }
}

static void look_at_limits(struct laz_doctor *doctor)
{
    struct rlimit limit = {0};
    bool is_known = getrlimit(RLIMIT_NOFILE, &limit) == 0;
    bool is_enough = limit.rlim_cur >= OPEN_FILES_MIN;
    struct laz_doctor_line *line = laz_doctor_add(doctor, "open-files",
            !is_known           ? LAZ_DOCTOR_UNKNOWN
                    : is_enough ? LAZ_DOCTOR_YES
                                : LAZ_DOCTOR_NO);
    line->is_vital = true;
    laz_doctor_say(line, "%llu may be open, %llu at most", (unsigned long long)limit.rlim_cur,
            (unsigned long long)limit.rlim_max);
    line->means = is_enough ? "limits.open-files can be anything up to the second number"
                            : "no policy can start: lazaret-init needs 16";
    line->remedy = is_enough ? NULL : "Raise the container's nofile limit (ulimits).";
}

static void look_at_platform_filter(struct laz_doctor *doctor, const struct laz_process_state *self)
{
    bool is_on = self->seccomp != 0;
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "platform-filter", is_on ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    if (is_on && self->seccomp_filters > 0) {
        laz_doctor_say(line, "%d seccomp filter(s) of the platform are on", self->seccomp_filters);
    } else {
        laz_doctor_say(line, "%s",
                is_on ? "a seccomp filter of the platform is on"
                      : "no seccomp filter of the platform is on");
    }
    line->means = is_on ? "what it refuses fails with its errno and raises no event; the policy "
                          "refuses the rest"
                        : "the policy alone decides about system calls";
}

static void look_at_user(struct laz_doctor *doctor, const struct laz_process_state *self)
{
    bool can_change = has(self, CAP_SETUID) && has(self, CAP_SETGID);
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "change-user", can_change ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    laz_doctor_say(line, "user %u:%u, %s CAP_SETUID and CAP_SETGID", self->uid[1], self->gid[1],
            can_change ? "with" : "without");
    if (can_change) {
        line->means = "workload.user can be anybody";
    } else if (self->uid[1] == 0) {
        line->means = "no policy can start but one whose workload.user is root: privilege-missing";
        line->remedy = "Grant SETUID and SETGID, or start the container as the policy's user.";
    } else {
        laz_doctor_degrade(line, LAZ_DEGRADED_SHARED_USER);
        line->means = "workload.user must be this very user, as which lazaret-init runs too";
        line->remedy = "Start the container as root: lazaret-init becomes workload.user itself.";
    }
    if (!can_change) {
        return;
    }
    bool can_kill = has(self, CAP_KILL);
    line = laz_doctor_add(doctor, "kill", can_kill ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    laz_doctor_say(line, "%s CAP_KILL", can_kill ? "with" : "without");
    line->means = can_kill
            ? "lazaret-init can signal the workload"
            : "lazaret-init cannot signal a workload of another user: stopping takes SIGKILL "
              "from outside";
    line->remedy = can_kill ? NULL : "Grant KILL.";
}

static void look_at_cgroup(struct laz_doctor *doctor)
{
    static const char path[] = "/sys/fs/cgroup/memory.events";
    bool is_read = access(path, R_OK) == 0;
    struct laz_doctor_line *line =
            laz_doctor_add(doctor, "oom-events", is_read ? LAZ_DOCTOR_YES : LAZ_DOCTOR_NO);
    laz_doctor_say(line, "%s %s", path, is_read ? "can be read" : "cannot be read");
    line->means = is_read ? "proc.exit tells an end by lack of memory from other SIGKILLs"
                          : "proc.exit cannot tell an end by lack of memory from other SIGKILLs";
    line->remedy = is_read ? NULL : "Use cgroup v2 and mount /sys/fs/cgroup in the container.";
}

void laz_doctor_look(struct laz_doctor *doctor)
{
    look_at_kernel(doctor);
    look_at_proc(doctor);
    look_at_limits(doctor);
    look_at_cgroup(doctor);
    struct laz_process_state self;
    struct laz_err err = {0};
    if (laz_attest_read(0, &self, &err) < 0) {
        struct laz_doctor_line *line = laz_doctor_add(doctor, "change-user", LAZ_DOCTOR_UNKNOWN);
        laz_doctor_say(line, "%s", err.message);
        line->means = "capabilities and the platform's filter cannot be read";
        line->remedy = "Mount /proc in the container.";
        return;
    }
    look_at_platform_filter(doctor, &self);
    look_at_user(doctor, &self);
}
