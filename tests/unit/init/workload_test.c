/* SPDX-License-Identifier: Apache-2.0
 *
 * What init makes of the child: reading it back at the gate, where every claim of the page is held
 * against the policy, and the words for a child that ended before its exec.
 */
#include "init/pid1/workload.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "confine/sys.h"

#define SECUREBITS 0xef

static struct laz_confine_page page;
static struct laz_image image;
static struct laz_workload workload;
static struct laz_err err;

static void set_up(void)
{
    laz_workload_init(&workload);
    page = (struct laz_confine_page){
            .listener = 3, .wait_killable = 1, .securebits = SECUREBITS, .landlock_probe = EACCES};
    workload.page = &page;
    workload.listener = 3;
    workload.decided.events = true;
}

TestSuite(workload, .init = set_up);

/* ---- at the gate ---- */

/* A child that is as the policy wants it, and waits. */
static void confine_and_wait(void)
{
    static const struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const struct sock_fprog program = {.len = 1, .filter = laz_unconst(allow)};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {0};
    (void)umask((mode_t)image.umask);
    for (unsigned long capability = 0; prctl(PR_CAPBSET_DROP, capability, 0UL, 0UL, 0UL) == 0;
            capability++) {
    }
    bool done = syscall(SYS_capset, &header, none) == 0 &&
            prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0 &&
            laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, laz_unconst(&program)) == 0;
    while (done) {
        (void)kill(getpid(), SIGSTOP); /* that the parent can see */
    }
    _exit(1);
}

static void start_child(void)
{
    if (geteuid() != 0) {
        cr_skip_test("needs root");
    }
    cr_assert_eq(laz_probe_own_filters(&workload.probe, &err), 0);
    workload.pid = fork();
    cr_assert_geq(workload.pid, 0);
    if (workload.pid == 0) {
        confine_and_wait();
    }
    int status = 0;
    cr_assert_eq(waitpid(workload.pid, &status, WUNTRACED), workload.pid);
    cr_assert(WIFSTOPPED(status), "the child could not confine itself");
    image = (struct laz_image){.uid = getuid(), .gid = getgid()};
    workload.decided.drop_bounding = true;
    workload.decided.landlock_abi = 1;
}

static void end_child(void)
{
    (void)kill(workload.pid, SIGKILL);
    (void)waitpid(workload.pid, NULL, 0);
}

static void assert_refused(const char *message)
{
    err = (struct laz_err){0};
    cr_expect_eq(laz_workload_attest(&workload, &image, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_ATTEST);
    cr_expect_str_eq(err.message, message);
}

Test(workload, takes_no_claim_of_the_page_for_granted)
{
    start_child();
    cr_expect_eq(laz_workload_attest(&workload, &image, &err), 0, "%s", err.message);
    cr_expect_eq(workload.seen.seccomp, 2, "what was read stays, for the record");
    page.landlock_probe = 0;
    assert_refused("Landlock: \"/\" could be listed, no rule grants it");
    workload.decided.landlock_abi = 0;
    err = (struct laz_err){0};
    cr_expect_eq(laz_workload_attest(&workload, &image, &err), 0, "%s", err.message);
    for (int bit = 0; bit < 8; bit++) {
        page.securebits = SECUREBITS ^ 1 << bit;
        cr_expect_eq(laz_workload_attest(&workload, &image, &err), -1, "bit %d", bit);
    }
    page.securebits = -1;
    assert_refused("securebits are 0xffffffff, the policy wants 0xef");
    workload.decided.drop_bounding = false;
    workload.decided.write_xor_execute = true;
    page.mdwe = 0;
    assert_refused("write-xor-execute reads back as 0");
    page.mdwe = 1;
    err = (struct laz_err){0};
    cr_expect_eq(laz_workload_attest(&workload, &image, &err), 0, "%s", err.message);
    image.keep_capabilities = 1;
    assert_refused("CapInh is 0, the policy wants 0x1");
    end_child();
}

/* ---- a child that ended ---- */

Test(workload, says_why_the_child_ended)
{
    static const struct {
        int step;
        int error;
        const char *detail;
        bool failed;
        bool events_required;
        int status;
        enum laz_err_kind kind;
        const char *message;
    } rows[] = {
            {LAZ_STEP_UID, 0, "", false, false, SIGKILL, LAZ_E_ENFORCE,
                    "the child ended by signal 9"},
            {LAZ_STEP_UID, 0, "", false, false, 109 << 8, LAZ_E_ENFORCE,
                    "the child ended by exit 109"},
            {LAZ_STEP_EXEC, ENOENT, "", true, false, 0, LAZ_E_COMMAND_NOT_FOUND, "/app: not found"},
            {LAZ_STEP_EXEC, EACCES, "", true, false, 0, LAZ_E_COMMAND_NOT_RUN,
                    "/app: Permission denied"},
            {LAZ_STEP_EXEC, EAGAIN, "", true, false, 0, LAZ_E_COMMAND_NOT_RUN,
                    "/app: too many processes of this user"},
            {LAZ_STEP_SECCOMP, EBUSY, "", true, true, 0, LAZ_E_REQUIRED_ABSENT,
                    "seccomp notifications: Device or resource busy (the platform listens "
                    "already)"},
            {LAZ_STEP_SECCOMP, ENOSYS, "", true, true, 0, LAZ_E_REQUIRED_ABSENT,
                    "seccomp notifications: Function not implemented"},
            {LAZ_STEP_SECCOMP, EINVAL, "", true, true, 0, LAZ_E_REQUIRED_ABSENT,
                    "seccomp notifications: Invalid argument"},
            {LAZ_STEP_SECCOMP, EACCES, "", true, true, 0, LAZ_E_ENFORCE,
                    "step \"load the filter\": Permission denied"},
            {LAZ_STEP_SECCOMP, EBUSY, "", true, false, 0, LAZ_E_ENFORCE,
                    "step \"load the filter\": Device or resource busy"},
            {LAZ_STEP_CWD, ENOENT, "/srv", true, false, 0, LAZ_E_ENFORCE,
                    "step \"change the directory\" at /srv: No such file or directory"},
            {LAZ_STEP_LANDLOCK_BUILD, ENOENT, "/srv", true, false, 0, LAZ_E_ENFORCE,
                    "step \"build the Landlock rules\" at /srv: No such file or directory "
                    "(filesystem.optional is for paths that may be missing)"},
            {LAZ_STEP_LANDLOCK_BUILD, EACCES, "/srv", true, false, 0, LAZ_E_ENFORCE,
                    "step \"build the Landlock rules\" at /srv: Permission denied"},
            {LAZ_STEP_LANDLOCK_BUILD, ELOOP, "/srv", true, false, 0, LAZ_E_ENFORCE,
                    "step \"build the Landlock rules\" at /srv: Too many levels of symbolic links "
                    "(a part of it is a link, of /proc or where the workload may write: name what "
                    "is meant)"},
    };
    memcpy(workload.path, "/app", sizeof("/app"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        page = (struct laz_confine_page){
                .step = rows[i].step, .failed = rows[i].failed, .sys_errno = rows[i].error};
        memcpy(page.detail, rows[i].detail, strlen(rows[i].detail));
        workload.decided.events_required = rows[i].events_required;
        err = (struct laz_err){0};
        int code = laz_workload_failure(&workload, rows[i].status, &err);
        cr_expect_eq(code, laz_err_exit_code(rows[i].kind), "row %zu", i);
        cr_expect_eq(err.kind, rows[i].kind, "row %zu: %s", i, err.message);
        cr_expect_eq(strncmp(err.message, rows[i].message, strlen(rows[i].message)), 0,
                "row %zu: %s", i, err.message);
    }
}

Test(workload, names_what_was_lost_on_the_way)
{
    workload.decided.degraded = LAZ_DEGRADED_BIT(GROUPS);
    const laz_degraded before = LAZ_DEGRADED_BIT(GROUPS);
    cr_expect_eq(laz_workload_degraded(&workload), before);
    page.wait_killable = 0;
    cr_expect_eq(laz_workload_degraded(&workload), before | LAZ_DEGRADED_BIT(WAIT_KILLABLE));
    workload.listener = -1;
    cr_expect_eq(laz_workload_degraded(&workload),
            before | LAZ_DEGRADED_BIT(EVENTS) | LAZ_DEGRADED_BIT(EXEC_BUDGET));
    workload.decided.events = false;
    workload.seen.seccomp_filters = -1;
    cr_expect_eq(laz_workload_degraded(&workload), before | LAZ_DEGRADED_BIT(FILTER_COUNT));
}
