/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-setup: turns a YAML policy into a compiled, proved block and leaves it in descriptor 3. A
 * child of lazaret-init that lives for milliseconds. It narrows itself before it reads the first
 * byte, and it may not outlive its one answer. Diagnostics go to stderr. Manual: lazaret-init(8).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "confine/sys.h"
#include "core/fd.h"
#include "filter/filter.h"
#include "init/setup/filter.h"
#include "policy/image.h"
#include "policy/policy.h"

#define ANSWER_FD     3
#define CPU_SECONDS   5                     /* the largest policy takes a hundredth of it */
#define MEMORY_BYTES  (UINT64_C(256) << 20) /* address space */
#define DIRECTORY_MAX 4096                  /* the kernel\'s PATH_MAX */

static int say(const struct laz_err *err)
{
    (void)fprintf(stderr, "lazaret-setup: error: %s: %s\n", laz_err_name(err->kind), err->message);
    return (int)err->kind;
}

/* The exit code is the kind of the error, and the message stands in the answer's place:
 * lazaret-init repeats both where its events go. */
static int fail(const struct laz_err *err)
{
    struct laz_err ignored = {0};
    if (ftruncate(ANSWER_FD, 0) == 0 && lseek(ANSWER_FD, 0, SEEK_SET) == 0) {
        laz_ignore(laz_fd_write_all(ANSWER_FD, err->message, strlen(err->message), &ignored));
    }
    return say(err);
}

/* One file or directory, for reading; what is not there needs no rule. */
static int allow_reading(int ruleset, const char *path, bool is_directory)
{
    struct laz_ll_path attr = {.allowed = LAZ_LL_READ_FILE | (is_directory ? LAZ_LL_READ_DIR : 0)};
    laz_cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    }
    attr.parent_fd = fd;
    return laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &attr);
}

/* Read the policy, its own directory and the two files that name users. Without Landlock the
 * seccomp filter below still leaves nothing but reading. */
static int restrict_files(const char *policy)
{
    const struct laz_ll_ruleset all = {.handled_fs = LAZ_LL_REFER - 1};
    laz_cleanup_fd int ruleset = laz_sys_landlock_create(&all, sizeof(all.handled_fs), 0);
    if (ruleset < 0) {
        return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -1;
    }
    char directory[DIRECTORY_MAX] = ".";
    const char *slash = strrchr(policy, '/');
    if (slash != NULL) {
        size_t length = slash == policy ? 1 : (size_t)(slash - policy);
        if (length >= sizeof(directory)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        (void)memcpy(directory, policy, length);
        directory[length] = '\0';
    }
    if (allow_reading(ruleset, directory, true) < 0 || /* and what a link leads to: */
            allow_reading(ruleset, policy, false) < 0 ||
            allow_reading(ruleset, "/etc/passwd", false) < 0 ||
            allow_reading(ruleset, "/etc/group", false) < 0) {
        return -1;
    }
    return laz_sys_landlock_restrict(ruleset);
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {0};
    return (int)syscall(SYS_capset, &header, none);
}

static int narrow(const char *policy, struct laz_err *err)
{
    const struct rlimit cpu = {.rlim_cur = CPU_SECONDS, .rlim_max = CPU_SECONDS};
    const struct rlimit memory = {.rlim_cur = MEMORY_BYTES, .rlim_max = MEMORY_BYTES};
    const struct rlimit core = {0};
    if (setrlimit(RLIMIT_CPU, &cpu) < 0 || setrlimit(RLIMIT_AS, &memory) < 0 ||
            setrlimit(RLIMIT_CORE, &core) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "limits: %s", strerror(errno));
    }
    if (drop_capabilities() < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "capset: %s", strerror(errno));
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "no_new_privs: %s", strerror(errno));
    }
    if (restrict_files(policy) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "Landlock: %s", strerror(errno));
    }
    const struct sock_fprog program = {
            .len = (unsigned short)(sizeof(laz_setup_filter) / sizeof(laz_setup_filter[0])),
            .filter = laz_unconst(laz_setup_filter),
    };
    if (laz_sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, laz_unconst(&program)) < 0) {
        return laz_err_set(err, LAZ_E_ENFORCE, errno, "seccomp: %s", strerror(errno));
    }
    return 0;
}

static int answer(const struct laz_policy *policy, struct laz_err *err)
{
    laz_cleanup_buf struct laz_buf block;
    laz_buf_init_heap(&block, LAZ_IMAGE_MAX);
    if (laz_filter_build_image(policy, laz_arch_native(), &block, err) < 0) {
        return -1;
    }
    return laz_fd_write_all(ANSWER_FD, block.data, block.len, err);
}

int main(int argc, char **argv)
{
    struct laz_err err = {0};
    if (argc != 3 || fcntl(ANSWER_FD, F_GETFD) < 0) {
        (void)laz_err_set(
                &err, LAZ_E_INTERNAL, 0, "lazaret-setup is started by lazaret-init alone");
        return say(&err); /* whatever descriptor 3 is, it is not ours */
    }
    if (narrow(argv[2], &err) < 0) {
        return fail(&err);
    }
    const struct laz_policy_source source = {
            .path = argv[2],
            .check_ownership = strcmp(argv[1], "--pinned") != 0,
            .only_directory = true, /* as restrict_files has it */
            .passwd_path = "/etc/passwd",
            .group_path = "/etc/group",
    };
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    if (diagnostics == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, errno, "no memory");
        return fail(&err);
    }
    struct laz_policy *policy = NULL;
    int result = laz_policy_load(&source, diagnostics, &policy, &err);
    for (size_t i = 0; i < diagnostics->n; i++) {
        /* Not the line: a value that was pasted there would be in the container's log. */
        diagnostics->items[i].source[0] = '\0';
        laz_diagnostic_print(&diagnostics->items[i], stderr);
    }
    if (result == 0) {
        result = answer(policy, &err);
    }
    laz_policy_free(policy);
    free(diagnostics);
    return result < 0 ? fail(&err) : 0;
}
