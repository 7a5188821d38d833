/* SPDX-License-Identifier: Apache-2.0
 *
 * The child's way from fork to execve, in a child of each test, under kernels that lack something:
 * an outer filter refuses what they do not know. The workload is a line of shell that looks at
 * itself; its exit code is 0 if it finds what it should.
 */
#include "confine/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "confine/landlock.h"
#include "confine/sys.h"

#define FAILED      109              /* what the child ends with where a step fails */
#define OUTER_EXIT  77               /* the outer filter could not be loaded */
#define GRANT(path) "\1\0" path "\0" /* read-exec, not optional */
#define SYSTEM                                                                                     \
    GRANT("/bin") GRANT("/usr") GRANT("/lib") GRANT("/lib64") GRANT("/proc") GRANT("/dev/null")
#define SYSTEM_N 6

static const struct sock_filter allow_all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

static struct laz_image image;
static struct laz_decided decided;
static struct laz_confine confine;
static const char *script;
static void (*before)(void); /* in the child, before anything else */

static void set_up(void)
{
    const struct laz_image_bpf filter = {.insns = allow_all, .n = 1};
    image = (struct laz_image){.cwd = "/",
            .umask = 022,
            .with_events = filter,
            .plain = filter,
            .tcp_bind_any = true,
            .tcp_connect_any = true};
    confine = (struct laz_confine){.image = &image, .decided = &decided, .path = "/bin/sh"};
    script = "exit 0";
}

TestSuite(confine, .init = set_up);

/* So many filters more find no memory: no outer filter can play that, so the linker's --wrap does.
 */
static int no_jit_memory;
static uint16_t notification_size; /* of this kernel; 0: what it is */
static int no_openat2;             /* errno; 0: it is there */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* Takes six arguments, however many there are, as the C library's own does. */
__attribute__((no_sanitize_address)) long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (size_t i = 0; i < 6; i++) {
        a[i] = va_arg(arguments, long);
    }
    va_end(arguments);
    if (number == SYS_seccomp && no_jit_memory > 0) {
        no_jit_memory--;
        errno = LAZ_ENOTSUPP;
        return -1;
    }
    if (number == SYS_openat2 && no_openat2 != 0) {
        errno = no_openat2;
        return -1;
    }
    if (number == SYS_seccomp && a[0] == SECCOMP_GET_NOTIF_SIZES && notification_size != 0) {
        struct seccomp_notif_sizes *sizes =
                (void *)(uintptr_t)a[2]; /* NOLINT(performance-no-int-to-ptr) */
        *sizes = (struct seccomp_notif_sizes){.seccomp_notif = notification_size};
        return 0;
    }
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Refuse a call with an errno if (argument & mask) != 0; mask 0: in any case. */
static void refuse(long call, unsigned argument, uint32_t mask, int error)
{
    const uint32_t offset =
            (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
    struct sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset),
            BPF_JUMP(BPF_JMP | (mask == 0 ? BPF_JGE : BPF_JSET) | BPF_K, mask, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0 ||
            laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, laz_unconst(&program)) != 0) {
        _exit(OUTER_EXIT);
    }
}

/* The child's end; the page says the rest. The gate is open. */
static int run(void)
{
    confine.page = mmap(
            NULL, sizeof(*confine.page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(confine.page, MAP_FAILED);
    confine.page->listener = -1;
    confine.page->securebits = -1;
    confine.page->landlock_probe = -1;
    confine.page->mdwe = -1;
    confine.gate = eventfd(1, EFD_CLOEXEC);
    cr_assert_geq(confine.gate, 0);
    confine.parent = confine.parent == 0 ? getpid() : confine.parent;
    const char *const argv[] = {"sh", "-c", script, NULL};
    static const char *const envp[] = {"PATH=/usr/bin:/bin", NULL};
    confine.argv = laz_unconst(argv);
    confine.envp = laz_unconst(envp);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        if (before != NULL) {
            before();
        }
        laz_confine_in_child(&confine);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == OUTER_EXIT) {
        cr_skip_test("this machine lets nobody load a seccomp filter");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void assert_runs(void)
{
    int code = run();
    cr_assert_eq(code, 0, "%d, step \"%s\", errno %d, at \"%s\"", code,
            laz_confine_step_name((enum laz_confine_step)confine.page->step),
            confine.page->sys_errno, confine.page->detail);
}

static void assert_fails(enum laz_confine_step step, int error, const char *detail)
{
    int wanted = step != LAZ_STEP_EXEC ? FAILED : error == ENOENT ? 127 : 126;
    cr_assert_eq(run(), wanted);
    cr_assert_eq(confine.page->failed, 1);
    cr_assert_eq(confine.page->step, (int32_t)step, "step \"%s\"",
            laz_confine_step_name((enum laz_confine_step)confine.page->step));
    cr_assert_eq(confine.page->sys_errno, error);
    cr_assert_str_eq(confine.page->detail, detail);
}

/* ---- descriptors ---- */

static void leave_descriptors(void)
{
    const struct rlimit few = {.rlim_cur = 64, .rlim_max = 64}; /* the loop looks at all of them */
    if (setrlimit(RLIMIT_NOFILE, &few) != 0 || dup2(STDIN_FILENO, 3) != 3 ||
            dup2(STDIN_FILENO, 63) != 63) {
        _exit(1);
    }
}

static void leave_descriptors_before_5_9(void)
{
    leave_descriptors();
    refuse(SYS_close_range, 0, 0, ENOSYS);
}

static void leave_descriptors_before_5_11(void)
{
    leave_descriptors();
    refuse(SYS_close_range, 2, LAZ_CLOSE_RANGE_CLOEXEC, EINVAL);
}

Test(confine, leaves_three_descriptors)
{
    script = "test ! -e /proc/self/fd/3 && test ! -e /proc/self/fd/63 && test -e /proc/self/fd/0";
    static void (*const kernels[])(void) = {
            leave_descriptors, leave_descriptors_before_5_9, leave_descriptors_before_5_11};
    for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        before = kernels[i];
        assert_runs();
    }
}

/* ---- limits and places ---- */

Test(confine, sets_limits_soft_and_hard_and_the_umask)
{
    image.umask = 027;
    image.n_limits = 1;
    image.limits[0].resource = RLIMIT_NOFILE;
    decided.limits[0] = 99;
    script = "test \"$(umask)\" = 0027 && test \"$(ulimit -Sn) $(ulimit -Hn)\" = '99 99'";
    assert_runs();
}

Test(confine, blames_the_directory_or_the_file_that_is_not_there)
{
    image.cwd = "/no/such/place";
    assert_fails(LAZ_STEP_CWD, ENOENT, "/no/such/place");
    image.cwd = "/usr";
    script = "test \"$(pwd)\" = /usr";
    assert_runs();
    confine.path = "/no/such/program";
    assert_fails(LAZ_STEP_EXEC, ENOENT, "/no/such/program");
}

/* ---- the death signal ---- */

Test(confine, does_not_run_for_a_parent_that_is_gone)
{
    confine.set_death_signal = true;
    assert_runs();
    confine.parent = getpid() + 1;
    assert_fails(LAZ_STEP_DEATH_SIGNAL, ESRCH, "");
}

/* ---- capabilities and securebits, as root ---- */

static void become_root(void)
{
    if (geteuid() != 0) {
        cr_skip_test("needs root");
    }
    decided.change_user = true;
    decided.drop_bounding = true;
    image.uid = 10001;
    image.gid = 10002;
}

Test(confine, locks_all_securebits_whether_something_is_kept_or_not)
{
    become_root();
    script = "grep -q '^CapPrm:.0000000000000000$' /proc/self/status &&"
             "grep -q '^CapBnd:.0000000000000000$' /proc/self/status";
    assert_runs();
    cr_assert_eq(confine.page->securebits, 0xef);
    image.keep_capabilities = UINT64_C(1) << CAP_NET_BIND_SERVICE;
    script = "test $(grep -c '^Cap...:.0000000000000400$' /proc/self/status) = 5";
    assert_runs();
    cr_assert_eq(confine.page->securebits, 0xef);
}

Test(confine, sets_all_ids_and_the_groups)
{
    become_root();
    image.n_groups = 2;
    image.groups[0] = 11;
    image.groups[1] = 12;
    script = "grep -q '^Uid:.10001.10001.10001.10001$' /proc/self/status &&"
             "grep -q '^Gid:.10002.10002.10002.10002$' /proc/self/status &&"
             "grep -q '^Groups:.11 12 $' /proc/self/status";
    assert_runs();
}

/* Which capabilities a kernel knows is asked of it; EINVAL may end the list, but not at once. */
static void know_few_capabilities(void)
{
    refuse(SYS_prctl, 1, 0x20, EINVAL);
}

Test(confine, drops_the_bounding_set_to_its_end)
{
    become_root();
    before = know_few_capabilities;
    assert_fails(LAZ_STEP_BOUNDING, EINVAL, "");
}

/* ---- Landlock ---- */

static bool has_landlock(void)
{
    decided.landlock_abi = laz_sys_landlock_create(NULL, 0, LAZ_LL_CREATE_VERSION);
    return decided.landlock_abi > 0;
}

Test(confine, enforces_the_rules_and_sees_that_it_does)
{
    if (!has_landlock()) {
        cr_skip_test("no Landlock");
    }
    image.paths = (const uint8_t *)SYSTEM;
    image.n_paths = SYSTEM_N;
    script = "! ls / >&- 2>&- && test -d /usr/bin";
    assert_runs();
    cr_assert_eq(confine.page->landlock_probe, EACCES);
}

static void have_no_descriptors_for_folders(void)
{
    refuse(SYS_openat, 2, O_DIRECTORY, EMFILE);
}

Test(confine, learns_nothing_about_landlock_from_another_error)
{
    if (!has_landlock()) {
        cr_skip_test("no Landlock");
    }
    image.paths = (const uint8_t *)SYSTEM;
    image.n_paths = SYSTEM_N;
    before = have_no_descriptors_for_folders;
    assert_fails(LAZ_STEP_LANDLOCK_PROBE, EMFILE, "");
}

/* What an earlier run may have left in a folder that it could write, and links of the image. */
static const struct {
    const char *to;
    const char *at;
} links[] = {{"data", "link"}, {".", "data/plugins"}, {"/etc", "data/etc"}, {"real", "data/alias"},
        {"data", "beside"}, {"/proc/self/cwd", "magic"}};
static char link_folder[] = "/tmp/laz-links-XXXXXX";

static void leave_links(void)
{
    cr_assert_not_null(mkdtemp(link_folder));
    cr_assert_eq(chdir(link_folder), 0);
    cr_assert_eq(mkdir("data", 0700), 0);
    cr_assert_eq(mkdir("data/real", 0700), 0);
    cr_assert_eq(mkdir("data/real/below", 0700), 0);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        cr_assert_eq(symlink(links[i].to, links[i].at), 0);
    }
}

static void remove_links(void)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        cr_assert_eq(unlink(links[i].at), 0);
    }
    cr_assert(rmdir("data/real/below") == 0 && rmdir("data/real") == 0 && rmdir("data") == 0);
    cr_assert_eq(rmdir(link_folder), 0);
}

/* The rules of a policy, each path in the folder of the test: "w:data r?data/x". */
static int build_rules(const char *rules, const char **ret_path)
{
    static uint8_t paths[1024];
    static const char classes[] = "rxwWd";
    char folder[64];
    size_t length = 0;
    cr_assert_not_null(getcwd(folder, sizeof(folder)));
    image.n_paths = 0;
    for (const char *at = rules; *at != '\0'; at += strcspn(at, " "), at += strspn(at, " ")) {
        paths[length++] = (uint8_t)(strchr(classes, at[0]) - classes);
        paths[length++] = at[1] == '?';
        bool is_absolute = at[2] == '/';
        int n = snprintf((char *)paths + length, sizeof(paths) - length, "%s%s%.*s",
                is_absolute ? "" : folder, is_absolute ? "" : "/", (int)strcspn(at, " ") - 2,
                at + 2);
        length += (size_t)n + 1;
        image.n_paths++;
    }
    image.paths = paths;
    return laz_landlock_build(&image, decided.landlock_abi, ret_path);
}

/* A letter for the class (read, exec, write, Write-exec), "?" for optional; of the last one is the
 * question. */
static const struct {
    const char *rules;
    int error;
} linked[] = {
        {"w:data x:data/real", 0},
        {"w:data x:data/real/below", 0},
        {"w:data x:data/plugins", ELOOP},
        {"w:data r:data/etc", ELOOP},
        {"w:data w:data/etc", ELOOP},
        {"W:data d:data/etc", ELOOP},
        {"w:data x?data/etc", ELOOP},
        {"w:data x:data/alias/below", ELOOP},
        {"w:data x?data/alias/below", ELOOP},
        {"w:data w:data/real x:data/alias/below", ELOOP},
        {"x:data/plugins w:data", ELOOP},
        {"w:data x?data/absent/below", 0},
        {"w:data x:data/absent", ENOENT},
        /* whoever made these is not the workload */
        {"w:link x:link/real", 0},
        {"w:link x:link/plugins", ELOOP},
        {"w:data x:beside", 0},
        {"r:data x:data/plugins", 0},
        /* what it leads to has the rights already */
        {"W:/ x:data/plugins", 0},
        {"w:/ r:data/plugins", 0},
        {"w:/ x:data/plugins", ELOOP},
};

Test(confine, follows_no_link_below_what_the_workload_may_write)
{
    static const int openat2s[] = {0, ENOSYS, EPERM};
    if (!has_landlock()) {
        cr_skip_test("no Landlock");
    }
    leave_links();
    for (size_t k = 0; k < sizeof(openat2s) / sizeof(openat2s[0]); k++) {
        no_openat2 = openat2s[k];
        for (size_t i = 0; i < sizeof(linked) / sizeof(linked[0]); i++) {
            const char *path = NULL;
            errno = 0;
            int ruleset = build_rules(linked[i].rules, &path);
            cr_expect_eq(ruleset < 0 ? errno : 0, linked[i].error, "%s: errno %d", linked[i].rules,
                    errno);
            cr_expect_eq(path != NULL, linked[i].error != 0, "%s: no path", linked[i].rules);
            (void)close(ruleset);
        }
    }
    remove_links();
}

Test(confine, follows_no_link_to_what_a_process_has)
{
    if (!has_landlock()) {
        cr_skip_test("no Landlock");
    }
    const char *path = NULL;
    leave_links();
    int ruleset = build_rules("r:/proc/self", &path);
    cr_assert_geq(ruleset, 0, "that one says only where it is");
    (void)close(ruleset);
    cr_assert_eq(build_rules("r:magic", &path), -1);
    cr_assert_eq(errno, ELOOP);
    cr_assert_eq(build_rules("r:/proc/self/root/etc", &path), -1);
    cr_assert_eq(errno, ELOOP);
    cr_assert_str_eq(path, "/proc/self/root/etc");
    remove_links();
}

Test(confine, forgives_an_optional_path_its_absence_and_nothing_else)
{
    if (!has_landlock()) {
        cr_skip_test("no Landlock");
    }
    char folder[] = "/tmp/laz-confine-XXXXXX";
    char loop[sizeof(folder) + 8];
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_gt(snprintf(loop, sizeof(loop), "%s/loop", folder), 0);
    cr_assert_eq(symlink("loop", loop), 0);
    static char paths[256] = SYSTEM "\1\1/no/such/place\0\1\1/dev/null/below\0";
    size_t n = sizeof(SYSTEM "\1\1/no/such/place\0\1\1/dev/null/below\0") - 1;
    image.paths = (const uint8_t *)paths;
    image.n_paths = SYSTEM_N + 2;
    assert_runs();
    paths[n] = 1;
    paths[n + 1] = 1;
    (void)memcpy(paths + n + 2, loop, strlen(loop) + 1);
    image.n_paths++;
    assert_fails(LAZ_STEP_LANDLOCK_BUILD, ELOOP, loop);
    cr_assert_eq(unlink(loop), 0);
    cr_assert_eq(rmdir(folder), 0);
}

static bool is_refused(int (*call)(int, const struct sockaddr *, socklen_t), uint16_t port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = call(fd, (const struct sockaddr *)&address, sizeof(address));
    bool refused = result < 0 && errno == EACCES; /* whether the port is free is another matter */
    (void)close(fd);
    return refused;
}

/* One port for each, neither below 1024, where a bind is refused for another reason. */
Test(confine, grants_a_port_for_what_it_is_listed_for)
{
    if (!has_landlock() || decided.landlock_abi < 4) {
        cr_skip_test("no Landlock for ports");
    }
    static const uint16_t to_bind[] = {47111};
    static const uint16_t to_connect[] = {47112};
    image.tcp_bind_any = image.tcp_connect_any = false;
    image.tcp_bind = to_bind;
    image.tcp_connect = to_connect;
    image.n_tcp_bind = image.n_tcp_connect = 1;
    const char *path = NULL;
    int ruleset = laz_landlock_build(&image, decided.landlock_abi, &path);
    cr_assert_geq(ruleset, 0);
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        bool right = laz_sys_landlock_restrict(ruleset) == 0 && !is_refused(bind, to_bind[0]) &&
                is_refused(bind, to_connect[0]) && !is_refused(connect, to_connect[0]) &&
                is_refused(connect, to_bind[0]);
        _exit(right ? 0 : 1);
    }
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

/* ---- filters ---- */

Test(confine, forbids_writable_code_where_it_is_asked_to)
{
    if (prctl(LAZ_PR_GET_MDWE, 0UL, 0UL, 0UL, 0UL) < 0) {
        cr_skip_test("no write-xor-execute in this kernel");
    }
    assert_runs();
    cr_assert_eq(confine.page->mdwe, -1);
    decided.write_xor_execute = true;
    assert_runs();
    cr_assert_eq(confine.page->mdwe, 1);
}

static void know_no_killable_wait(void)
{
    refuse(SYS_seccomp, 1, LAZ_SECCOMP_WAIT_KILLABLE_RECV, EINVAL);
}

static void know_no_listeners(void)
{
    refuse(SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, ENOSYS);
}

static void forbid_listeners(void)
{
    refuse(SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, EPERM);
}

/* As a platform does that answers notifications itself: there can be one listener only. */
static void listen_already(void)
{
    const struct sock_fprog program = {.len = 1, .filter = laz_unconst(allow_all)};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0 ||
            laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                    laz_unconst(&program)) < 0) {
        _exit(OUTER_EXIT);
    }
}

Test(confine, listens_with_or_without_the_killable_wait)
{
    decided.events = true;
    assert_runs();
    cr_assert(confine.page->listener >= 0 && confine.page->wait_killable == 1);
    before = know_no_killable_wait;
    assert_runs();
    cr_assert(confine.page->listener >= 0 && confine.page->wait_killable == 0);
}

Test(confine, loads_the_plain_filter_where_nobody_may_listen)
{
    static void (*const kernels[])(void) = {know_no_listeners, listen_already};
    static const int errors[] = {ENOSYS, EBUSY};
    for (size_t i = 0; i < 2; i++) {
        before = kernels[i];
        decided.events = true;
        decided.events_required = false;
        script = "grep -q '^Seccomp_filters:.2$' /proc/self/status";
        assert_runs();
        cr_assert_eq(confine.page->listener, -2);
        decided.events_required = true;
        assert_fails(LAZ_STEP_SECCOMP, errors[i], "");
    }
    before = forbid_listeners;
    decided.events_required = false;
    assert_fails(LAZ_STEP_SECCOMP, EPERM, "");
}

/* The host is out of memory for compiled filters, for now: tried again, but not for ever. */
Test(confine, tries_again_where_a_filter_has_no_memory)
{
    no_jit_memory = 3;
    assert_runs();
    no_jit_memory = 4;
    assert_fails(LAZ_STEP_SECCOMP, LAZ_ENOTSUPP, "");
}

Test(probe, notifications_that_are_larger_than_ours_cannot_be_read)
{
    struct laz_probe probe;
    struct laz_err err = {0};
    notification_size = sizeof(struct seccomp_notif);
    cr_assert_eq(laz_probe_run(&probe, &err), 0, "%s", err.message);
    cr_assert_eq(probe.notify_errno, 0);
    notification_size++;
    cr_assert_eq(laz_probe_run(&probe, &err), 0, "%s", err.message);
    cr_assert_eq(probe.notify_errno, E2BIG);
}
