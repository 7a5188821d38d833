/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy's words to the host mean for one mount and one variable.
 */
#include "policy/host.h"

/* Whoever can read one of these has the host, or what other containers keep: its devices and its
 * kernel, its accounts and keys, the sockets at which engines and systemd take orders, engines' own
 * state. Of that, engines lend containers what is below `lent`. Where /var/run is no link to /run,
 * it is as good. */
static const struct {
    const char *path;
    const char *lent[2];
} denied[] = {
        {"/dev", {NULL}},
        {"/etc", {NULL}},
        {"/proc", {NULL}},
        {"/root", {NULL}},
        {"/sys", {NULL}},
        {"/run/containerd", {NULL}},
        {"/run/crio", {NULL}},
        {"/run/dbus", {NULL}},
        {"/run/docker", {NULL}},
        {"/run/docker.sock", {NULL}},
        {"/run/lazaret", {NULL}},
        {"/run/podman", {NULL}},
        {"/run/systemd", {NULL}},
        {"/var/lib/containerd", {NULL}},
        {"/var/lib/containers",
                {"/var/lib/containers/storage/overlay-containers",
                        "/var/lib/containers/storage/volumes"}},
        {"/var/lib/docker", {"/var/lib/docker/containers", "/var/lib/docker/volumes"}},
        {"/var/lib/kubelet", {"/var/lib/kubelet/pods"}},
        {"/var/run", {NULL}},
};

/* And whoever can write one of these: what the host runs. */
static const char *const programs[] = {"/bin", "/boot", "/lib", "/lib32", "/lib64", "/opt/cni",
        "/opt/containerd", "/sbin", "/usr", "/var/spool"};

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

static bool is_lent(size_t i, const char *source)
{
    for (size_t k = 0; k < LENGTH(denied[i].lent) && denied[i].lent[k] != NULL; k++) {
        if (strcmp(source, denied[i].lent[k]) != 0 &&
                laz_path_is_at_or_below(source, denied[i].lent[k])) {
            return true;
        }
    }
    return false;
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

const char *laz_host_mount_refusal(
        const struct laz_policy_host *host, const char *source, bool is_writable)
{
    for (size_t i = 0; i < host->mounts_deny.n; i++) {
        if (overlap(source, host->mounts_deny.items[i])) {
            return host->mounts_deny.items[i];
        }
    }
    for (size_t i = 0; i < host->mounts_allow.n; i++) {
        if (laz_path_is_at_or_below(source, host->mounts_allow.items[i])) {
            return NULL;
        }
    }
    return find_denied(source, is_writable);
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
