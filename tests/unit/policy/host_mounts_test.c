/* SPDX-License-Identifier: Apache-2.0
 *
 * What is mounted in a container already, by tables as the kernel writes them: the host's mounts,
 * those that runtimes make, and one or two that they do not.
 */
#include "policy/host_mounts.h"

#include <stdio.h>
#include <unistd.h>

#include "loading.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char usual[] = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                            "21 20 0:20 / /proc rw - proc proc rw\n"
                            "22 20 0:21 / /sys rw - sysfs sysfs rw\n"
                            "23 22 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
                            "24 20 0:5 / /dev rw - devtmpfs udev rw\n"
                            "25 24 0:23 / /dev/mqueue rw - mqueue mqueue rw\n"
                            "26 20 0:24 / /run rw - tmpfs tmpfs rw\n"
                            "50 20 0:50 / /c rw - overlay overlay rw\n"
                            "51 50 0:51 / /c/proc rw - proc proc rw\n"
                            "52 50 0:52 / /c/dev rw - tmpfs tmpfs rw\n"
                            "53 52 0:53 / /c/dev/pts rw - devpts devpts rw\n"
                            "54 52 0:54 / /c/dev/mqueue rw - mqueue mqueue rw\n"
                            "55 50 0:21 / /c/sys ro - sysfs sysfs rw\n"
                            "56 55 0:22 /x /c/sys/fs/cgroup ro - cgroup2 cgroup rw\n";

static bool is_made_read_only(void *context, const char *at)
{
    return strcmp(context, at) == 0;
}

static const struct {
    const char *what;
    const char *host; /* of the policy */
    const char *table;
    const char *why; /* NULL: it may be there */
    const char *at;
} rows[] = {
        {"nothing else", "{}", "", NULL, NULL},
        {"the host's /proc over the container's", "{}", "60 51 0:20 / /c/proc rw - proc proc rw\n",
                "proc", "/proc"},
        {"a part of the host's /proc", "{}", "60 51 0:20 /sys /c/proc/sys ro - proc proc rw\n",
                "proc", "/proc/sys"},
        {"a part of the container's /proc", "{}", "60 51 0:51 /sys /c/proc/sys ro - proc proc rw\n",
                NULL, NULL},
        {"the host's /proc, which the policy lends", "{mounts: {allow: [/proc]}}",
                "60 51 0:20 / /c/proc rw - proc proc rw\n", NULL, NULL},
        {"the host's queues over the container's", "{}",
                "60 54 0:23 / /c/dev/mqueue rw - mqueue mqueue rw\n", "mqueue", "/dev/mqueue"},
        {"the host's queues, where its ipc namespace may be the container's", "{namespaces: [ipc]}",
                "60 54 0:23 / /c/dev/mqueue rw - mqueue mqueue rw\n", NULL, NULL},
        {"programs that become read-only", "{}", "60 50 8:1 /usr /c/data rw - ext4 /dev/sda1 rw\n",
                NULL, NULL},
        {"programs over what becomes read-only", "{}",
                "60 50 8:1 /srv/a /c/data rw - ext4 /dev/sda1 rw\n"
                "61 60 8:1 /usr /c/data rw - ext4 /dev/sda1 rw\n",
                "/usr", "/data"},
        {"programs over what is read-only", "{}",
                "60 50 8:1 /srv/a /c/data ro - ext4 /dev/sda1 rw\n"
                "61 60 8:1 /usr /c/data rw - ext4 /dev/sda1 rw\n",
                "/usr", "/data"},
        {"a new tmpfs", "{}", "60 50 0:60 / /c/x rw - tmpfs tmpfs rw\n", NULL, NULL},
        {"a new ramfs", "{}", "60 50 0:60 / /c/x rw - ramfs ramfs rw\n", NULL, NULL},
        {"a part of the container's root", "{}", "60 50 0:50 /a /c/a ro - overlay overlay rw\n",
                NULL, NULL},
        {"the container's terminal", "{}", "60 52 0:53 /0 /c/dev/console rw - devpts devpts rw\n",
                NULL, NULL},
        {"another's terminals", "{}", "60 52 0:60 / /c/x rw - devpts devpts rw\n", "devpts", "/x"},
        {"an overlay that no name leads to", "{}", "60 50 0:60 / /c/x rw - overlay overlay rw\n",
                "overlay", "/x"},
        {"a disk that no name leads to", "{}", "60 50 8:9 / /c/x rw - ext4 /dev/sdb1 rw\n", "ext4",
                "/x"},
        {"a /proc elsewhere", "{}", "60 50 0:60 / /c/x rw - proc proc rw\n", "proc", "/x"},
        {"a namespace", "{}", "60 50 0:4 net:[4026531840] /c/x rw - nsfs nsfs rw\n", "nsfs", "/x"},
        {"a disk that is a volume of the host", "{}",
                "30 20 8:9 / /srv/disk rw - ext4 /dev/sdb1 rw\n"
                "60 50 8:9 / /c/x rw - ext4 /dev/sdb1 rw\n",
                NULL, NULL},
        {"null", "{}", "60 52 0:5 /null /c/dev/null rw - devtmpfs udev rw\n", NULL, NULL},
        {"null, which the host has by itself", "{}",
                "30 24 0:62 /null /dev/null rw - devtmpfs outer rw\n"
                "60 52 0:62 /null /c/dev/null rw - devtmpfs outer rw\n",
                NULL, NULL},
        {"all devices with null, which the host has by itself", "{}",
                "30 24 0:62 /null /dev/null rw - devtmpfs outer rw\n"
                "60 50 0:62 / /c/x rw - devtmpfs outer rw\n",
                "devtmpfs", "/x"},
        {"a hypervisor's", "{}",
                "30 20 0:61 / /srv/xen rw - xenfs xenfs rw\n"
                "60 50 0:61 / /c/x rw - xenfs xenfs rw\n",
                "xenfs", "/x"},
};

/* A file with the table, as /proc would have it. */
static struct laz_sources read_table(const char *more)
{
    char path[] = "/tmp/lazaret-mounts-XXXXXX";
    struct laz_sources sources;
    struct laz_err err = {0};
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_gt(dprintf(fd, "%s%s", usual, more), 0);
    cr_assert_eq(close(fd), 0);
    int result = laz_sources_read(path, &sources, &err);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(result, 0, "%s", err.message);
    return sources;
}

static struct laz_policy *policy_of(const char *host)
{
    char text[1000];
    (void)snprintf(text, sizeof(text), "%sextends: [builtin/web-api]\nhost: %s\n", MINIMAL, host);
    return must_load(text);
}

Test(policy_host_mounts, refuses_what_is_the_hosts_and_lets_the_containers_own_be)
{
    for (size_t i = 0; i < LENGTH(rows); i++) {
        const char *at = "";
        char read_only[] = "/data";
        struct laz_policy *policy = policy_of(rows[i].host);
        struct laz_sources sources = read_table(rows[i].table);
        const struct laz_mounted mounted = {
                .root = "/c", .becomes_read_only = is_made_read_only, .context = read_only};
        const char *why = laz_mounted_refusal(&sources, &policy->host, &mounted, &at);
        bool is_same = why == NULL || rows[i].why == NULL
                ? why == rows[i].why
                : strcmp(why, rows[i].why) == 0 && strcmp(at, rows[i].at) == 0;
        cr_expect(is_same, "%s: %s at %s", rows[i].what, why == NULL ? "it may be there" : why, at);
        laz_sources_done(&sources);
        laz_policy_free(policy);
    }
}
