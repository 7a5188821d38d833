/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy's words to the host mean for one mount and one variable.
 */
#include "policy/host.h"

#include "core/resolve.h"

/* containerd's, for Kubernetes: a sandbox is a pod, and a volume is what its image asks for. */
#define OF_CRI "io.containerd.grpc.v1.cri"

/* Of /run, by both of its names. */
#define LENT_OF_RUN                                                                                \
    {                                                                                              \
        "containerd/" OF_CRI "/sandboxes/*/shm", "containers/storage/*-containers/*/userdata/*"    \
    }

/* Whoever can read one of these has the host, or what other containers keep: its devices and its
 * kernel, its accounts and keys, the sockets at which engines and systemd take orders, the state of
 * engines, of agents and of Lazaret. Of what is in it, engines lend containers what is in `lent`,
 * `*` being any one name. /var/run is a link to /run, or it is as good. */
static const struct {
    const char *path;
    const char *lent[5];
} denied[] = {
        {"/dev", {NULL}},
        {"/etc", {NULL}},
        {"/proc", {NULL}},
        {"/root", {NULL}},
        {"/run", LENT_OF_RUN},
        {"/sys", {NULL}},
        {"/var/lib/amazon", {NULL}},
        {"/var/lib/cloud", {NULL}},
        {"/var/lib/containerd",
                {OF_CRI "/containers/*/volumes/*", OF_CRI "/sandboxes/*/hostname",
                        OF_CRI "/sandboxes/*/hosts", OF_CRI "/sandboxes/*/resolv.conf"}},
        {"/var/lib/containers", {"storage/*-containers/*/userdata/*", "storage/volumes/*/_data"}},
        {"/var/lib/docker",
                {"containers/*/hostname", "containers/*/hosts", "containers/*/mounts/*",
                        "containers/*/resolv.conf", "volumes/*/_data"}},
        {"/var/lib/ecs", {"data/firelens/*/*", "data/metadata/*/*/*", "deps/execute-command/*/*"}},
        {"/var/lib/kubelet", {"pods/*/*"}},
        {"/var/lib/lazaret", {NULL}},
        {"/var/lib/systemd", {NULL}},
        {"/var/log/lazaret", {NULL}},
        {"/var/run", LENT_OF_RUN},
};

/* And whoever can write one of these: what the host runs. */
static const char *const programs[] = {"/bin", "/boot", "/lib", "/lib32", "/lib64", "/opt/cni",
        "/opt/containerd", "/sbin", "/usr", "/var/lib/dpkg", "/var/lib/ecs/deps", "/var/lib/rpm",
        "/var/spool"};

/* By these the loader or libc runs code that somebody brings. */
static const char *const loading[] = {"LD_PRELOAD", "LD_AUDIT", "GCONV_PATH"};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

bool laz_path_is_at_or_below(const char *path, const char *top)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool overlap(const char *a, const char *b)
{
    return laz_path_is_at_or_below(a, b) || laz_path_is_at_or_below(b, a);
}

/* One name of a path, and one of a pattern. */
static bool is_name_like(const char *name, size_t length, const char *pattern, size_t size)
{
    bool is_any = size > 0 && pattern[0] == '*';
    size_t end = is_any ? size - 1 : size;
    return (is_any ? length >= end : length == end) &&
            memcmp(name + length - end, pattern + size - end, end) == 0;
}

/* At what the pattern says, or below it. */
static bool is_like(const char *path, const char *pattern)
{
    for (;;) {
        size_t length = strcspn(path, "/");
        size_t size = strcspn(pattern, "/");
        if (!is_name_like(path, length, pattern, size) || pattern[size] == '\0') {
            return pattern[size] == '\0' && is_name_like(path, length, pattern, size);
        }
        if (path[length] == '\0') {
            return false;
        }
        path += length + 1;
        pattern += size + 1;
    }
}

static bool is_lent(size_t i, const char *source)
{
    bool is = false;
    size_t length = strlen(denied[i].path);
    if (!laz_path_is_at_or_below(source, denied[i].path) || source[length] == '\0' ||
            !laz_resolve_is_plain(source)) { /* ".." of what is not there yet */
        return false;
    }
    for (size_t k = 0; !is && k < LENGTH(denied[i].lent) && denied[i].lent[k] != NULL; k++) {
        is = is_like(source + length + 1, denied[i].lent[k]);
    }
    return is;
}

/* What is denied whatever the policy says; NULL: nothing of it. */
static const char *find_denied(const char *source, bool is_writable)
{
    for (size_t i = 0; i < LENGTH(denied); i++) {
        if (overlap(source, denied[i].path) && !is_lent(i, source)) {
            return denied[i].path;
        }
    }
    for (size_t i = 0; is_writable && i < LENGTH(programs); i++) {
        if (overlap(source, programs[i])) {
            return programs[i];
        }
    }
    return NULL;
}

bool laz_host_allows_mount(const struct laz_policy_host *host, const char *source)
{
    for (size_t i = 0; i < host->mounts_allow.n; i++) {
        if (laz_path_is_at_or_below(source, host->mounts_allow.items[i])) {
            return true;
        }
    }
    return false;
}

const char *laz_host_mount_refusal(
        const struct laz_policy_host *host, const char *source, bool is_writable)
{
    for (size_t i = 0; i < host->mounts_deny.n; i++) {
        if (overlap(source, host->mounts_deny.items[i])) {
            return host->mounts_deny.items[i];
        }
    }
    return laz_host_allows_mount(host, source) ? NULL : find_denied(source, is_writable);
}

const char *laz_host_denied(const struct laz_policy_host *host, size_t i)
{
    if (i < host->mounts_deny.n) {
        return host->mounts_deny.items[i];
    }
    i -= host->mounts_deny.n;
    if (i < LENGTH(denied)) {
        return denied[i].path;
    }
    i -= LENGTH(denied);
    return i < LENGTH(programs) ? programs[i] : i == LENGTH(programs) ? "/" : NULL;
}

const char *laz_host_exec_name(enum laz_host_exec exec)
{
    switch (exec) {
#define X(id, name)                                                                                \
    case LAZ_HOST_EXEC_##id:                                                                       \
        return name;
        LAZ_HOST_EXECS(X)
#undef X
    }
    return "?";
}

static bool is_name(const char *known, const char *name, size_t length)
{
    return strlen(known) == length && memcmp(known, name, length) == 0;
}

bool laz_host_confines_execs(const struct laz_policy_host *host)
{
    return host->exec != LAZ_HOST_EXEC_ALLOW && host->ecs_exec != LAZ_HOST_EXEC_ALLOW &&
            (host->health_command.n == 0 || host->health_exec != LAZ_HOST_EXEC_ALLOW);
}

bool laz_host_takes_variable(const struct laz_policy_host *host, const char *name, size_t length)
{
    bool is_taken = true;
    for (size_t i = 0; i < LENGTH(loading); i++) {
        is_taken = is_taken && !is_name(loading[i], name, length);
    }
    for (size_t i = 0; i < host->exec_env_deny.n; i++) {
        is_taken = is_taken && !is_name(host->exec_env_deny.items[i], name, length);
    }
    return is_taken;
}
