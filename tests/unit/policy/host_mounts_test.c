/* SPDX-License-Identifier: Apache-2.0
 *
 * By tables as the kernel writes them: what a path of the host really is, and what is mounted in a
 * container already: the host's mounts, those that runtimes make, and one or two that they do not.
 */
#include "policy/host_mounts.h"

#include <stdio.h>
#include <sys/stat.h>
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
        {"a disk in the place of /proc", "{}", "60 51 8:9 / /c/proc rw - ext4 /dev/sdb1 rw\n",
                "ext4", "/proc"},
        {"control groups of version 1", "{}",
                "60 56 0:70 /x /c/sys/fs/cgroup/memory ro - cgroup cgroup rw\n", NULL, NULL},
        {"control groups elsewhere", "{}", "60 50 0:70 /x /c/x ro - cgroup cgroup rw\n", "cgroup",
                "/x"},
        {"a disk that is a volume of the host, which something else hides", "{}",
                "30 20 8:9 / /srv/disk rw - ext4 /dev/sdb1 rw\n"
                "31 30 0:71 / /srv/disk rw - tmpfs tmpfs rw\n"
                "60 50 8:9 / /c/x rw - ext4 /dev/sdb1 rw\n",
                "ext4", "/x"},
        {"a hypervisor's", "{}",
                "30 20 0:61 / /srv/xen rw - xenfs xenfs rw\n"
                "60 50 0:61 / /c/x rw - xenfs xenfs rw\n",
                "xenfs", "/x"},
};

/* A file with the table, as /proc would have it. */
static int try_table(
        const char *first, const char *more, struct laz_sources *ret, struct laz_err *err)
{
    char path[] = "/tmp/lazaret-mounts-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_geq(dprintf(fd, "%s%s", first, more), 0);
    cr_assert_eq(close(fd), 0);
    int result = laz_sources_read(path, ret, err);
    cr_assert_eq(unlink(path), 0);
    return result;
}

static struct laz_sources read_table(const char *more)
{
    struct laz_sources sources;
    struct laz_err err = {0};
    cr_assert_eq(try_table(usual, more, &sources, &err), 0, "%s", err.message);
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

/* The host's own at the end of config.json: of all that is there only it needs no name. */
Test(policy_host_mounts, what_the_host_mounts_itself_is_there_and_read_only)
{
    static const struct {
        const char *what;
        const char *table;
        const char *why;
        const char *at;
    } ours[] = {
            {"it is there", "60 50 8:1 /etc/p /c/policy ro - ext4 /dev/sda1 rw\n", NULL, NULL},
            {"it may be written", "60 50 8:1 /etc/p /c/policy rw - ext4 /dev/sda1 rw\n", "/etc",
                    "/policy"},
            {"its name begins like it", "60 50 0:60 / /c/policy2 ro - tmpfs tmpfs rw\n", "nothing",
                    "/policy"},
            {"it is absent", "", "nothing", "/policy"},
            {"something else, and it is absent", "61 50 0:60 / /c/x rw - nsfs nsfs rw\n", "nsfs",
                    "/x"},
            {"something else, too",
                    "60 50 8:1 /etc/p /c/policy ro - ext4 /dev/sda1 rw\n"
                    "61 50 0:60 / /c/x rw - nsfs nsfs rw\n",
                    "nsfs", "/x"},
    };
    struct laz_policy *policy = policy_of("{}");
    for (size_t i = 0; i < LENGTH(ours); i++) {
        const char *at = "";
        char read_only[] = "/none";
        struct laz_sources sources = read_table(ours[i].table);
        const struct laz_mounted mounted = {.root = "/c",
                .ours = "/policy",
                .becomes_read_only = is_made_read_only,
                .context = read_only};
        const char *why = laz_mounted_refusal(&sources, &policy->host, &mounted, &at);
        bool is_same = why == NULL || ours[i].why == NULL
                ? why == ours[i].why
                : strcmp(why, ours[i].why) == 0 && strcmp(at, ours[i].at) == 0;
        cr_expect(is_same, "%s: %s at %s", ours[i].what, why == NULL ? "it may be there" : why, at);
        laz_sources_done(&sources);
    }
    laz_policy_free(policy);
}

/* ---- what a path of the host is ---- */

#define DISK(id, part, at) #id " 20 8:1 " part " " at " rw - ext4 /dev/sda1 rw\n"
#define WRITABLE           1U
#define RECURSIVE          2U
#define WRITABLE_BELOW     4U

static const struct {
    const char *what;
    const char *host;
    const char *table;
    const char *source;
    unsigned use;
    const char *why;
} sources_of[] = {
        {"a folder of nobody's", "{}", "", "/srv/x", WRITABLE | RECURSIVE | WRITABLE_BELOW, NULL},
        {"the host's root", "{}", "", "/", 0, "/dev"},
        {"what is denied", "{}", "", "/etc/ssl", 0, "/etc"},
        {"what begins like it", "{}", "", "/etcetera", WRITABLE, NULL},
        {"programs", "{}", "", "/usr/lib", 0, NULL},
        {"programs that may be written", "{}", "", "/usr/lib", WRITABLE, "/usr"},
        {"another mount of the disk", "{}", DISK(30, "/", "/srv/all"), "/srv/all/etc/ssl", 0,
                "/etc"},
        {"a folder around it", "{}", DISK(30, "/", "/srv/all"), "/srv/all", 0, "/dev"},
        {"a part of the disk", "{}", DISK(30, "/etc/ssl", "/srv/part"), "/srv/part", 0, "/etc"},
        {"a part that is nobody's", "{}", DISK(30, "/srv/y", "/srv/part"), "/srv/part", WRITABLE,
                NULL},
        {"what is denied has a part of it", "{}", DISK(30, "/srv/x/keys", "/etc/keys"), "/srv/x", 0,
                "/etc"},
        {"what is denied has a part beside it", "{}", DISK(30, "/srv/x/keys", "/etc/keys"),
                "/srv/x/other", 0, NULL},
        {"a blank", "{}", DISK(30, "/etc/ssl", "/srv/a\\040b"), "/srv/a b", 0, "/etc"},
        {"a blank in what it shows", "{mounts: {deny: ['/srv/a b']}}",
                DISK(30, "/srv/a\\040b", "/srv/part"), "/srv/part", 0, "/srv/a b"},
        {"a backslash", "{}", DISK(30, "/etc/ssl", "/srv/a\\134040b"), "/srv/a\\040b", 0, "/etc"},
        {"another name than that", "{}", DISK(30, "/etc/ssl", "/srv/a\\134040b"), "/srv/a b", 0,
                NULL},
        {"a stack of folders", "{}", "30 20 0:60 / /srv/o rw - overlay overlay rw\n", "/srv/o/x", 0,
                "overlay"},
        {"a stack that the policy lends", "{mounts: {allow: [/srv/o]}}",
                "30 20 0:60 / /srv/o rw - overlay overlay rw\n", "/srv/o/x", 0, NULL},
        {"a disk of its own", "{}", "30 20 8:9 / /srv/disk rw - ext4 /dev/sdb1 rw\n", "/srv/disk",
                WRITABLE, NULL},
        {"a file system of the kernel's that the policy lends", "{mounts: {allow: [/srv/k]}}",
                "30 20 0:60 / /srv/k rw - bpf bpf rw\n", "/srv/k/x", 0, NULL},
        {"below it, with what is mounted there", "{}", DISK(30, "/etc", "/srv/x/etc"), "/srv/x",
                RECURSIVE, "/etc"},
        {"without what is mounted there", "{}", DISK(30, "/etc", "/srv/x/etc"), "/srv/x", 0, NULL},
        {"beside it", "{}", DISK(30, "/etc", "/srv/xy"), "/srv/x", RECURSIVE, NULL},
        {"what is mounted there, and hidden", "{}",
                DISK(30, "/etc", "/srv/x/etc") "31 30 0:60 / /srv/x/etc rw - tmpfs tmpfs rw\n",
                "/srv/x", RECURSIVE, NULL},
        {"programs below it", "{}", DISK(30, "/usr", "/srv/x/usr"), "/srv/x", WRITABLE | RECURSIVE,
                NULL},
        {"programs below it that may be written", "{}", DISK(30, "/usr", "/srv/x/usr"), "/srv/x",
                RECURSIVE | WRITABLE_BELOW, "/usr"},
        {"what a mount hides that was made later, above it", "{}",
                "31 20 0:60 / /srv/x rw - tmpfs tmpfs rw\n" DISK(30, "/etc", "/srv/x/y"),
                "/srv/x/y/z", 0, NULL},
        {"the records", "{}", "", "/opt/own", 0, "/opt/own"},
        {"in the records", "{}", "", "/opt/own/x", 0, "/opt/own"},
        {"around the records", "{}", "", "/opt", 0, "/opt/own"},
        {"beside the records", "{}", "", "/opt/owner", 0, NULL},
        {"the records by another name", "{}", DISK(30, "/opt", "/srv/opt"), "/srv/opt/own", 0,
                "/opt/own"},
        {"the records, which the policy lends", "{mounts: {allow: [/opt/own]}}", "", "/opt/own", 0,
                NULL},
};

static const char *judge(const struct laz_sources *sources, const struct laz_policy *policy,
        const char *source, unsigned flags)
{
    const struct laz_source_use use = {.is_writable = (flags & WRITABLE) != 0,
            .is_recursive = (flags & RECURSIVE) != 0,
            .is_writable_below = (flags & WRITABLE_BELOW) != 0};
    return laz_source_refusal(sources, &policy->host, "/opt/own", source, &use);
}

Test(policy_host_mounts, a_source_is_what_is_there)
{
    for (size_t i = 0; i < LENGTH(sources_of); i++) {
        struct laz_policy *policy = policy_of(sources_of[i].host);
        struct laz_sources sources = read_table(sources_of[i].table);
        const char *why = judge(&sources, policy, sources_of[i].source, sources_of[i].use);
        bool is_same = why == NULL || sources_of[i].why == NULL
                ? why == sources_of[i].why
                : strcmp(why, sources_of[i].why) == 0;
        cr_expect(is_same, "%s: %s", sources_of[i].what, why == NULL ? "it may be bound" : why);
        laz_sources_done(&sources);
        laz_policy_free(policy);
    }
}

/* As a link in the place of /var/lib/docker: what is denied is where it leads to. */
Test(policy_host_mounts, a_denied_path_may_be_a_link)
{
    char folder[] = "/tmp/lazaret-link-XXXXXX";
    char link[64];
    char real[64];
    char inside[64];
    char host[128];
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(link, sizeof(link), "%s/link", folder);
    (void)snprintf(real, sizeof(real), "%s/real", folder);
    (void)snprintf(inside, sizeof(inside), "%s/real/x", folder);
    (void)snprintf(host, sizeof(host), "{mounts: {deny: [%s]}}", link);
    cr_assert(mkdir(real, 0700) == 0 && symlink("real", link) == 0);
    struct laz_policy *policy = policy_of(host);
    struct laz_policy *without = policy_of("{}");
    struct laz_sources sources = read_table("");
    const struct laz_source_use use = {.is_writable = true};
    const char *why = laz_source_refusal(&sources, &policy->host, NULL, inside, &use);
    cr_expect(why != NULL && strcmp(why, link) == 0, "denied: %s", why == NULL ? "not" : why);
    why = laz_source_refusal(&sources, &without->host, link, inside, &use);
    cr_expect(why != NULL && strcmp(why, link) == 0, "the records: %s", why == NULL ? "not" : why);
    cr_expect_null(laz_source_refusal(&sources, &without->host, NULL, inside, &use), "neither");
    laz_sources_done(&sources);
    laz_policy_free(policy);
    laz_policy_free(without);
    cr_assert(unlink(link) == 0 && rmdir(real) == 0 && rmdir(folder) == 0);
}

/* What is mounted at / is the initial file system's, or an image's, or nothing that is known. */
Test(policy_host_mounts, the_root_may_be_of_any_kind)
{
    static const struct {
        const char *what;
        const char *table;
        const char *source;
        const char *why;
    } roots[] = {
            {"a disk over the initial one",
                    "1 1 0:2 / / rw - rootfs rootfs rw\n20 1 8:1 / / rw - ext4 a rw\n", "/srv/x",
                    NULL},
            {"another mount of that",
                    "1 1 0:2 / / rw - rootfs rootfs rw\n20 1 8:1 / / rw - ext4 a rw\n"
                    "30 20 8:1 / /srv/all rw - ext4 a rw\n",
                    "/srv/all/etc/ssl", "/etc"},
            {"a stack", "20 1 0:50 / / rw - overlay overlay rw\n", "/srv/x", NULL},
            {"a stack, and what is denied", "20 1 0:50 / / rw - overlay overlay rw\n", "/etc/ssl",
                    "/etc"},
            {"none", "30 20 8:1 / /srv rw - ext4 a rw\n", "/srv/x", "/"},
    };
    struct laz_policy *policy = policy_of("{}");
    for (size_t i = 0; i < LENGTH(roots); i++) {
        struct laz_sources sources;
        struct laz_err err = {0};
        cr_assert_eq(try_table(roots[i].table, "", &sources, &err), 0, "%s", err.message);
        const char *why = judge(&sources, policy, roots[i].source, WRITABLE);
        bool is_same = why == NULL || roots[i].why == NULL ? why == roots[i].why
                                                           : strcmp(why, roots[i].why) == 0;
        cr_expect(is_same, "%s: %s", roots[i].what, why == NULL ? "it may be bound" : why);
        laz_sources_done(&sources);
    }
    laz_policy_free(policy);
}

Test(policy_host_mounts, a_path_is_in_a_folder_by_any_of_its_names)
{
    static const struct {
        const char *what;
        const char *table;
        const char *path;
        bool is;
    } paths[] = {
            {"itself", "", "/etc", true},
            {"what is in it", "", "/etc/ssl", true},
            {"beside it", "", "/etcetera", false},
            {"around it", "", "/", false},
            {"a part that is mounted elsewhere", DISK(30, "/etc/ssl", "/srv/part"), "/srv/part",
                    true},
            {"in a part that is mounted elsewhere", DISK(30, "/etc/ssl", "/srv/part"),
                    "/srv/part/certs", true},
            {"all that is mounted elsewhere", DISK(30, "/", "/srv/all"), "/srv/all/etc/ssl", true},
            {"around that", DISK(30, "/", "/srv/all"), "/srv/all", false},
            {"another part", DISK(30, "/srv/y", "/srv/part"), "/srv/part", false},
            {"a part of it is mounted there", DISK(30, "/srv/x/keys", "/etc/keys"), "/srv/x",
                    false},
            {"it is mounted there", DISK(30, "/srv/x", "/etc/keys"), "/srv/x/y", true},
            {"it is mounted there, and hidden",
                    DISK(30, "/srv/x", "/etc/keys") "31 30 0:60 / /etc/keys rw - tmpfs tmpfs rw\n",
                    "/srv/x", false},
            {"another disk", "30 20 8:9 / /srv/disk rw - ext4 /dev/sdb1 rw\n", "/srv/disk/etc",
                    false},
    };
    for (size_t i = 0; i < LENGTH(paths); i++) {
        struct laz_sources sources = read_table(paths[i].table);
        cr_expect_eq(laz_source_is_in(&sources, paths[i].path, "/etc"), paths[i].is, "%s",
                paths[i].what);
        laz_sources_done(&sources);
    }
    struct laz_sources sources;
    struct laz_err err = {0};
    cr_assert_eq(try_table("30 20 8:1 / /srv rw - ext4 a rw\n", "", &sources, &err), 0);
    cr_expect(laz_source_is_in(&sources, "/srv/x", "/etc"), "without a root nothing is known");
    laz_sources_done(&sources);
}

Test(policy_host_mounts, what_shows_the_kernel_is_lent_nowhere)
{
    static const char *const types[] = {"apparmorfs", "autofs", "binder", "binfmt_misc", "bpf",
            "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devpts", "devtmpfs", "efivarfs",
            "functionfs", "fusectl", "gadgetfs", "hostfs", "ibmasmfs", "ipathfs", "mqueue", "nfsd",
            "nsfs", "ocfs2_dlmfs", "openpromfs", "pidfs", "proc", "pstore", "resctrl", "rpc_pipefs",
            "s390_hypfs", "securityfs", "selinuxfs", "smackfs", "spufs", "sysfs", "tracefs",
            "xenfs", "aufs", "ecryptfs", "overlay", "shiftfs"};
    struct laz_policy *policy = policy_of("{}");
    for (size_t i = 0; i < LENGTH(types); i++) {
        char table[128];
        (void)snprintf(table, sizeof(table), "30 20 0:60 / /srv/k rw - %s none rw\n", types[i]);
        struct laz_sources sources = read_table(table);
        const char *why = judge(&sources, policy, "/srv/k/x", 0);
        cr_expect(why != NULL && strcmp(why, types[i]) == 0, "%s: %s", types[i],
                why == NULL ? "it may be bound" : why);
        cr_expect_null(judge(&sources, policy, "/srv/x", 0), "the control");
        laz_sources_done(&sources);
    }
    laz_policy_free(policy);
}

Test(policy_host_mounts, a_table_that_cannot_be_read_is_none)
{
    static const char *const tables[] = {"", "x\n", "1 2 3:4 / / rw -\n",
            "1 2 3:4 / / rw shared:1 master:2\n", "x\n1 2 3:4 / / rw - ext4 a rw\n",
            "1 2 3:4 / / rw - \n\n", "x 2 3:4 / / rw - ext4 a rw\n", "1 x 3:4 / / rw - ext4 a rw\n",
            "1 2 3:4 / /\n"};
    for (size_t i = 0; i < LENGTH(tables); i++) {
        struct laz_sources sources;
        struct laz_err err = {0};
        cr_expect_eq(try_table(tables[i], "", &sources, &err), -1, "%s", tables[i]);
        cr_expect_eq(err.kind, LAZ_E_REQUEST);
        cr_expect_not_null(strstr(err.message, "what the host mounts cannot be read from /tmp/"));
        laz_sources_done(&sources);
    }
    struct laz_sources sources;
    struct laz_err err = {0};
    cr_assert_eq(laz_sources_read("/proc/nothing", &sources, &err), -1);
    cr_assert_str_eq(err.message, "what the host mounts cannot be read from /proc/nothing");
    laz_sources_done(&sources);
}
