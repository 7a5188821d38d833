/* SPDX-License-Identifier: Apache-2.0
 *
 * Landlock rules. libc only: linked into PID 1. Kernel documentation: userspace-api/landlock.rst.
 */
#include "confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "confine/sys.h"

#define READ_RIGHTS (LAZ_LL_READ_FILE | LAZ_LL_READ_DIR)
#define WRITE_RIGHTS                                                                               \
    (READ_RIGHTS | LAZ_LL_WRITE_FILE | LAZ_LL_REMOVE_DIR | LAZ_LL_REMOVE_FILE | LAZ_LL_MAKE_DIR |  \
            LAZ_LL_MAKE_REG | LAZ_LL_MAKE_SOCK | LAZ_LL_MAKE_FIFO | LAZ_LL_MAKE_SYM |              \
            LAZ_LL_REFER | LAZ_LL_TRUNCATE)
#define FILE_RIGHTS                                                                                \
    (LAZ_LL_EXECUTE | LAZ_LL_WRITE_FILE | LAZ_LL_READ_FILE | LAZ_LL_TRUNCATE | LAZ_LL_IOCTL_DEV)

/* Everything that an ABI can control; all of it is handled, so that what no rule grants is refused.
 */
static uint64_t all_rights(int abi)
{
    uint64_t rights = LAZ_LL_REFER - 1; /* ABI 1: the first thirteen */
    rights |= abi >= 2 ? LAZ_LL_REFER : 0;
    rights |= abi >= 3 ? LAZ_LL_TRUNCATE : 0;
    rights |= abi >= 5 ? LAZ_LL_IOCTL_DEV : 0;
    return rights;
}

uint64_t laz_landlock_rights(enum laz_path_class class, int abi, bool is_directory)
{
    uint64_t rights = 0;
    switch (class) {
    case LAZ_PATH_READ:
        rights = READ_RIGHTS;
        break;
    case LAZ_PATH_READ_EXEC:
        rights = READ_RIGHTS | LAZ_LL_EXECUTE;
        break;
    case LAZ_PATH_WRITE:
        rights = WRITE_RIGHTS;
        break;
    case LAZ_PATH_WRITE_EXEC:
        rights = WRITE_RIGHTS | LAZ_LL_EXECUTE;
        break;
    case LAZ_PATH_DEVICES:
        rights = READ_RIGHTS | LAZ_LL_WRITE_FILE | LAZ_LL_TRUNCATE | LAZ_LL_IOCTL_DEV;
        break;
    case LAZ_PATH_COUNT:
        break;
    }
    return rights & all_rights(abi) & (is_directory ? UINT64_MAX : FILE_RIGHTS);
}

static bool controls_ports(const struct laz_image *image)
{
    return !image->tcp_bind_any || !image->tcp_connect_any;
}

laz_degraded laz_landlock_missing(const struct laz_image *image, int abi)
{
    laz_degraded missing = 0;
    missing |= abi < 2 ? LAZ_DEGRADED_BIT(LANDLOCK_REFER) : 0;
    missing |= abi < 3 ? LAZ_DEGRADED_BIT(LANDLOCK_TRUNCATE) : 0;
    missing |= abi < 4 && controls_ports(image) ? LAZ_DEGRADED_BIT(LANDLOCK_NETWORK) : 0;
    missing |= abi < 4 && image->tls_plain == LAZ_PLAIN_ENFORCE ? LAZ_DEGRADED_BIT(PLAIN) : 0;
    missing |= abi < 5 ? LAZ_DEGRADED_BIT(LANDLOCK_IOCTL) : 0;
    bool isolates = image->isolate_signals || image->isolate_abstract_sockets;
    missing |= abi < 6 && isolates ? LAZ_DEGRADED_BIT(LANDLOCK_SCOPE) : 0;
    return missing;
}

/* Follows links, but none of /proc to what some process has. Where openat2(2) is refused, as by
 * outer filters of old engines, those as well. */
static int open_path(const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    bool is_refused = fd < 0 && (errno == ENOSYS || errno == EPERM);
    return is_refused ? open(path, O_PATH | O_CLOEXEC) : fd;
}

/* ELOOP for a link. Closes the folder. */
static int open_part(int folder, const char *part, size_t length)
{
    char name[NAME_MAX + 1];
    struct stat status;
    int fd = -1;
    errno = ENAMETOOLONG;
    if (length < sizeof(name)) {
        (void)memcpy(name, part, length);
        name[length] = '\0';
        fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd >= 0 && (fstat(fd, &status) < 0 || S_ISLNK(status.st_mode))) {
        (void)close(fd);
        fd = -1;
        errno = ELOOP;
    }
    int saved = errno;
    (void)close(folder);
    errno = saved;
    return fd;
}

static bool may_write(const struct laz_image_path *rule)
{
    return rule->class == LAZ_PATH_WRITE || rule->class == LAZ_PATH_WRITE_EXEC;
}

/* The topmost folder above a rule's path in which the workload may have put a link, in an earlier
 * run for example; NULL: there is none, or wherever a link leads to the workload has the same
 * rights already. */
static const char *writable_above(
        const struct laz_image *image, int abi, const struct laz_image_path *rule)
{
    const uint64_t wanted = laz_landlock_rights(rule->class, abi, true);
    const uint8_t *cursor = image->paths;
    const char *found = NULL;
    for (uint32_t i = 0; i < image->n_paths; i++) {
        struct laz_image_path above;
        laz_image_path_next(&cursor, &above);
        size_t length = strlen(above.path);
        bool is_root = length == 1;
        bool is_below = is_root
                ? rule->path[1] != '\0'
                : strncmp(rule->path, above.path, length) == 0 && rule->path[length] == '/';
        bool is_all = is_root && (wanted & ~laz_landlock_rights(above.class, abi, true)) == 0;
        if (is_all) {
            return NULL;
        }
        if (may_write(&above) && is_below && (found == NULL || length < strlen(found))) {
            found = above.path;
        }
    }
    return found;
}

/* Below what the workload may write no part may be a link: the rule is for what is there. */
static int open_rule(const struct laz_image *image, int abi, const struct laz_image_path *rule)
{
    const char *above = writable_above(image, abi, rule);
    if (above == NULL) {
        return open_path(rule->path);
    }
    int fd = open_path(above);
    const char *part = rule->path + strlen(above);
    for (part += strspn(part, "/"); fd >= 0 && *part != '\0'; part += strspn(part, "/")) {
        size_t length = strcspn(part, "/");
        fd = open_part(fd, part, length);
        part += length;
    }
    return fd;
}

static int add_path(
        int ruleset, const struct laz_image *image, int abi, const struct laz_image_path *rule)
{
    int fd = open_rule(image, abi, rule);
    if (fd < 0) {
        return rule->optional && (errno == ENOENT || errno == ENOTDIR) ? 0 : -1;
    }
    struct stat status;
    int result = fstat(fd, &status);
    if (result == 0) {
        struct laz_ll_path attr = {
                .allowed = laz_landlock_rights(rule->class, abi, S_ISDIR(status.st_mode)),
                .parent_fd = fd,
        };
        result = laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PATH, &attr);
    }
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return result;
}

static int add_ports(int ruleset, uint64_t right, const uint16_t *ports, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct laz_ll_port attr = {.allowed = right, .port = ports[i]};
        if (laz_sys_landlock_add(ruleset, LAZ_LL_RULE_PORT, &attr) < 0) {
            return -1;
        }
    }
    return 0;
}

static int add_paths(int ruleset, const struct laz_image *image, int abi, const char **ret_path)
{
    const uint8_t *cursor = image->paths;
    const uint32_t n = image->n_paths + (image->also_read_exec != NULL ? 1 : 0);
    for (uint32_t i = 0; i < n; i++) {
        struct laz_image_path rule = {.class = LAZ_PATH_READ_EXEC, .path = image->also_read_exec};
        if (i < image->n_paths) {
            laz_image_path_next(&cursor, &rule);
        }
        if (add_path(ruleset, image, abi, &rule) < 0) {
            *ret_path = rule.path;
            return -1;
        }
    }
    return 0;
}

static int add_rules(int ruleset, const struct laz_image *image, int abi, const char **ret_path)
{
    if (add_paths(ruleset, image, abi, ret_path) < 0) {
        return -1;
    }
    if (abi < 4) {
        return 0;
    }
    if (!image->tcp_bind_any &&
            add_ports(ruleset, LAZ_LL_BIND_TCP, image->tcp_bind, image->n_tcp_bind) < 0) {
        return -1;
    }
    if (!image->tcp_connect_any &&
            add_ports(ruleset, LAZ_LL_CONNECT_TCP, image->tcp_connect, image->n_tcp_connect) < 0) {
        return -1;
    }
    return 0;
}

int laz_landlock_build(const struct laz_image *image, int abi, const char **ret_path)
{
    *ret_path = NULL;
    struct laz_ll_ruleset attr = {.handled_fs = all_rights(abi)};
    size_t size =
            sizeof(attr.handled_fs); /* an older kernel refuses a longer struct that is not zero */
    if (abi >= 4) {
        attr.handled_net = (image->tcp_bind_any ? 0 : LAZ_LL_BIND_TCP) |
                (image->tcp_connect_any ? 0 : LAZ_LL_CONNECT_TCP);
        size = offsetof(struct laz_ll_ruleset, scoped);
    }
    if (abi >= 6) {
        attr.scoped = (image->isolate_signals ? LAZ_LL_SCOPE_SIGNAL : 0) |
                (image->isolate_abstract_sockets ? LAZ_LL_SCOPE_ABSTRACT_UNIX : 0);
        size = sizeof(attr);
    }
    int ruleset = laz_sys_landlock_create(&attr, size, 0); /* close-on-exec by birth */
    if (ruleset >= 0 && add_rules(ruleset, image, abi, ret_path) < 0) {
        int saved = errno;
        (void)close(ruleset);
        errno = saved;
        return -1;
    }
    return ruleset;
}

int laz_landlock_probe_in_child(const struct laz_image *image)
{
    const uint8_t *cursor = image->paths;
    for (uint32_t i = 0; i < image->n_paths; i++) {
        struct laz_image_path rule;
        laz_image_path_next(&cursor, &rule);
        if (strcmp(rule.path, "/") == 0) {
            return -1;
        }
    }
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
        return 0;
    }
    return errno;
}
