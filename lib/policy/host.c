/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy's words to the host mean for one mount and one variable.
 */
#include "policy/host.h"

#include "policy/merge.h"

/* Whoever has one of these has the host: its devices and its kernel, its accounts, and the sockets
 * at which engines and systemd take orders. Where /var/run is no link to /run, it is as good. */
static const char *const denied[] = {"/dev", "/etc", "/proc", "/sys", "/var/run", "/run/containerd",
        "/run/crio", "/run/dbus", "/run/docker", "/run/docker.sock", "/run/lazaret", "/run/podman",
        "/run/systemd"};

/* By these the loader or libc runs code that somebody brings. */
static const char *const loading[] = {"LD_PRELOAD", "LD_AUDIT", "GCONV_PATH"};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static bool overlap(const char *a, const char *b)
{
    return laz_path_is_at_or_below(a, b) || laz_path_is_at_or_below(b, a);
}

const char *laz_host_mount_refusal(const struct laz_policy_host *host, const char *source)
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
    for (size_t i = 0; i < LENGTH(denied); i++) {
        if (overlap(source, denied[i])) {
            return denied[i];
        }
    }
    return NULL;
}

static bool is_name(const char *known, const char *name, size_t length)
{
    return strlen(known) == length && memcmp(known, name, length) == 0;
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
