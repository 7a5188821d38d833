/* SPDX-License-Identifier: Apache-2.0
 *
 * The few kernel interfaces that Debian 12's headers or libcs do not have, declared by us: numbers,
 * structs and thin calls that return -1 with errno. No logic.
 */
#ifndef LAZ_CONFINE_SYS_H
#define LAZ_CONFINE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* landlock(7). The uapi header of Linux 6.1 stops at ABI 2. */
#define LAZ_LL_EXECUTE             (UINT64_C(1) << 0)
#define LAZ_LL_WRITE_FILE          (UINT64_C(1) << 1)
#define LAZ_LL_READ_FILE           (UINT64_C(1) << 2)
#define LAZ_LL_READ_DIR            (UINT64_C(1) << 3)
#define LAZ_LL_REMOVE_DIR          (UINT64_C(1) << 4)
#define LAZ_LL_REMOVE_FILE         (UINT64_C(1) << 5)
#define LAZ_LL_MAKE_CHAR           (UINT64_C(1) << 6)
#define LAZ_LL_MAKE_DIR            (UINT64_C(1) << 7)
#define LAZ_LL_MAKE_REG            (UINT64_C(1) << 8)
#define LAZ_LL_MAKE_SOCK           (UINT64_C(1) << 9)
#define LAZ_LL_MAKE_FIFO           (UINT64_C(1) << 10)
#define LAZ_LL_MAKE_BLOCK          (UINT64_C(1) << 11)
#define LAZ_LL_MAKE_SYM            (UINT64_C(1) << 12)
#define LAZ_LL_REFER               (UINT64_C(1) << 13) /* ABI 2 */
#define LAZ_LL_TRUNCATE            (UINT64_C(1) << 14) /* ABI 3 */
#define LAZ_LL_IOCTL_DEV           (UINT64_C(1) << 15) /* ABI 5 */
#define LAZ_LL_BIND_TCP            (UINT64_C(1) << 0)  /* ABI 4 */
#define LAZ_LL_CONNECT_TCP         (UINT64_C(1) << 1)
#define LAZ_LL_SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0) /* ABI 6 */
#define LAZ_LL_SCOPE_SIGNAL        (UINT64_C(1) << 1)
#define LAZ_LL_RULE_PATH           1
#define LAZ_LL_RULE_PORT           2
#define LAZ_LL_CREATE_VERSION      1U

struct laz_ll_ruleset {
    uint64_t handled_fs;
    uint64_t handled_net; /* ABI 4 */
    uint64_t scoped;      /* ABI 6 */
};

struct laz_ll_path {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed));

struct laz_ll_port {
    uint64_t allowed;
    uint64_t port;
};

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define LAZ_CLOSE_RANGE_UNSHARE 2U /* 5.9 */
#define LAZ_CLOSE_RANGE_CLOEXEC 4U /* 5.11 */

/* prctl(2), 6.3 */
#define LAZ_PR_SET_MDWE              65
#define LAZ_PR_GET_MDWE              66
#define LAZ_PR_MDWE_REFUSE_EXEC_GAIN 1UL

/* seccomp(2) */
#define LAZ_SECCOMP_WAIT_KILLABLE_RECV (1UL << 5)   /* 5.19 */
#define LAZ_SECCOMP_NOTIF_SET_FLAGS    0x40082104UL /* 6.6: _IOW('!', 4, __u64) */
#define LAZ_SECCOMP_SYNC_WAKE_UP       UINT64_C(1)
#define LAZ_ENOTSUPP                   524 /* the kernel's own; out of JIT memory */

/* getdents64(2) */
struct laz_dirent {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t kind;
    char name[];
};

/* rt_sigaction(2). libc's refuses signals 32-34. */
struct laz_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

static inline int laz_sys_default_action(int signal_number, unsigned long flags)
{
    const struct laz_sigaction action = {.flags = flags}; /* SIG_DFL */
    return (int)syscall(SYS_rt_sigaction, signal_number, &action, NULL, sizeof(action.mask));
}

/* libc's has flags, and emulates them through /proc */
static inline int laz_sys_fchmodat(int folder, const char *name, unsigned mode)
{
    return (int)syscall(SYS_fchmodat, folder, name, mode);
}

static inline int laz_sys_seccomp(unsigned operation, unsigned flags, void *args)
{
    return (int)syscall(SYS_seccomp, operation, flags, args);
}

/* libcs disagree about the type of the request */
static inline int laz_sys_ioctl(int fd, unsigned long request, void *argument)
{
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

static inline int laz_sys_ioctl_value(int fd, unsigned long request, uint64_t value)
{
    return (int)syscall(SYS_ioctl, fd, request, value);
}

static inline int laz_sys_landlock_create(
        const struct laz_ll_ruleset *attr, size_t size, uint32_t flags)
{
    return (int)syscall(SYS_landlock_create_ruleset, attr, size, flags);
}

static inline int laz_sys_landlock_add(int ruleset_fd, int type, const void *attr)
{
    return (int)syscall(SYS_landlock_add_rule, ruleset_fd, type, attr, 0U);
}

static inline int laz_sys_landlock_restrict(int ruleset_fd)
{
    return (int)syscall(SYS_landlock_restrict_self, ruleset_fd, 0U);
}

static inline int laz_sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

#endif
