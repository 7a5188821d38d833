/* SPDX-License-Identifier: Apache-2.0
 *
 * Namespaces are compared as the kernel has them: engines write a path where they mean the host's.
 */
#include "shim/judge_kernel.h"

#include <string.h>
#include <sys/stat.h>

#define NOTHING       "nothing allows it"
#define NAME_SIZE     256 /* of a setting: the longest ones name a device, of 16 bytes */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int refuse(struct laz_err *err, const char *what, const char *of, const char *key)
{
    return laz_err_set(err, LAZ_E_REQUEST, 0, "%s %.200s (%s)", what, of, key);
}

/* ---- namespaces ---- */

enum {
    USERS = LAZ_HOST_NAMESPACE_COUNT,
    MOUNTS
};

static const struct {
    const char *type;
    const char *own; /* of who asks: the engine, on the host */
} kinds[] = {
        [LAZ_HOST_NAMESPACE_PID] = {"pid", "/proc/self/ns/pid"},
        [LAZ_HOST_NAMESPACE_IPC] = {"ipc", "/proc/self/ns/ipc"},
        [LAZ_HOST_NAMESPACE_NETWORK] = {"network", "/proc/self/ns/net"},
        [LAZ_HOST_NAMESPACE_UTS] = {"uts", "/proc/self/ns/uts"},
        [USERS] = {"user", "/proc/self/ns/user"},
        [MOUNTS] = {"mount", "/proc/self/ns/mnt"},
};

static const struct laz_json_node *find_namespace(const struct laz_bundle *bundle, const char *type)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *all = bundle->container.namespaces;
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        if (laz_oci_is(spec, laz_oci_member(spec, node, "type"), type)) {
            return node;
        }
    }
    return NULL;
}

/* What cannot be told apart is the host's. */
static bool is_hosts(const struct laz_bundle *bundle, size_t kind)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    struct stat theirs;
    struct stat ours;
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *node = find_namespace(bundle, kinds[kind].type);
    const struct laz_json_node *at = node == NULL ? NULL : laz_oci_member(spec, node, "path");
    if (node == NULL || at == NULL || laz_oci_is(spec, at, "")) {
        return node == NULL;
    }
    return !laz_json_copy(&spec->doc, at, path, sizeof(path)) || stat(path, &theirs) < 0 ||
            stat(kinds[kind].own, &ours) < 0 ||
            (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino);
}

static int judge_namespaces(
        const struct laz_bundle *bundle, const struct laz_policy_host *host, struct laz_err *err)
{
    for (size_t i = 0; i < LAZ_HOST_NAMESPACE_COUNT; i++) {
        if ((host->namespaces & 1U << i) == 0 && is_hosts(bundle, i)) {
            return refuse(err, "the host's namespace of type", kinds[i].type, "host.namespaces");
        }
    }
    if (is_hosts(bundle, MOUNTS)) {
        return refuse(err, "the host's mount", "namespace", NOTHING);
    }
    if (host->user_namespace == LAZ_HOST_USER_NAMESPACE_REQUIRED && is_hosts(bundle, USERS)) {
        return refuse(err, "no user namespace of", "its own", "host.user-namespace");
    }
    return 0;
}

/* ---- settings ---- */

/* All others are the host's: so runc has it as well. A name that ends in a dot is all below it. */
static const struct {
    const char *name;
    size_t kind; /* of the namespace that has its own */
} settings[] = {
        {"fs.mqueue.", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.domainname", LAZ_HOST_NAMESPACE_UTS},
        {"kernel.hostname", LAZ_HOST_NAMESPACE_UTS},
        {"kernel.msgmax", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.msgmnb", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.msgmni", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.sem", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.shm_rmid_forced", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.shmall", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.shmmax", LAZ_HOST_NAMESPACE_IPC},
        {"kernel.shmmni", LAZ_HOST_NAMESPACE_IPC},
        {"net.", LAZ_HOST_NAMESPACE_NETWORK},
        {"user.", USERS},
};

/* Its parts are divided by dots, or by slashes, if that is the first sign of both: then a dot is a
 * part of a name. A runtime makes a path of it: none climbs, and none has two signs in a row. */
static bool put_setting(const char *said, char ret[NAME_SIZE])
{
    static const char signs[] = "./";
    static const char other[] = "/.";
    size_t length = strlen(said);
    bool is_path = said[strcspn(said, signs)] == '/';
    for (size_t i = 0; i <= length; i++) {
        const char *sign = said[i] == '\0' ? NULL : strchr(signs, said[i]);
        if ((sign != NULL || i == length) && (i == 0 || strchr(signs, said[i - 1]) != NULL)) {
            return false;
        }
        ret[i] = said[i];
        if (sign != NULL && is_path) {
            ret[i] = other[sign - signs];
        }
    }
    return true;
}

static bool is_setting(const char *name, const char *known)
{
    size_t length = strlen(known);
    return known[length - 1] == '.' ? strncmp(name, known, length) == 0 : strcmp(name, known) == 0;
}

static int judge_setting(
        const struct laz_bundle *bundle, const struct laz_json_node *key, struct laz_err *err)
{
    char said[NAME_SIZE];
    char name[NAME_SIZE];
    if (!laz_json_copy(&bundle->spec.doc, key, said, sizeof(said))) {
        return refuse(err, "linux.sysctl with a name that is", "too long", NOTHING);
    }
    bool is_plain = put_setting(said, name);
    for (size_t i = 0; is_plain && i < LENGTH(settings); i++) {
        if (!is_setting(name, settings[i].name)) {
            continue;
        }
        return !is_hosts(bundle, settings[i].kind)
                ? 0
                : laz_err_set(err, LAZ_E_REQUEST, 0,
                          "linux.sysctl %.200s, in the host's namespace of type %s (" NOTHING ")",
                          said, kinds[settings[i].kind].type);
    }
    return refuse(err, "linux.sysctl of the whole host:", said, NOTHING);
}

static int judge_settings(const struct laz_bundle *bundle, struct laz_err *err)
{
    const struct laz_json_doc *doc = &bundle->spec.doc;
    const struct laz_json_node *all = bundle->container.sysctl;
    const struct laz_json_node *key = NULL;
    while (all != NULL && (key = laz_json_next(doc, all, key)) != NULL) {
        if (judge_setting(bundle, key, err) < 0) {
            return -1;
        }
        key = laz_json_next(doc, all, key); /* its value */
    }
    return 0;
}

/* ---- network devices ---- */

/* The runtime takes them away from the host. */
static int judge_net_devices(const struct laz_bundle *bundle, struct laz_err *err)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *all =
            laz_oci_member(spec, bundle->container.linux_node, "netDevices");
    return all != NULL && laz_json_next(&spec->doc, all, NULL) != NULL
            ? refuse(err, "network devices of the host:", "linux.netDevices", NOTHING)
            : 0;
}

int laz_judge_kernel(
        const struct laz_bundle *bundle, const struct laz_policy_host *host, struct laz_err *err)
{
    return judge_namespaces(bundle, host, err) < 0 || judge_settings(bundle, err) < 0
            ? -1
            : judge_net_devices(bundle, err);
}

/* ---- labels ---- */

/* In a stack of profiles, or of a namespace of AppArmor's (":root:unconfined"), it is that too. */
static bool is_unconfined(const char *profile)
{
    static const char ends[] = ":/&| \t\n";
    while (*profile != '\0') {
        size_t length = strcspn(profile, ends);
        if (length == strlen("unconfined") && memcmp(profile, "unconfined", length) == 0) {
            return true;
        }
        profile += length + (profile[length] != '\0');
    }
    return false;
}

/* USER:ROLE:TYPE:LEVEL. spc_t is made for containers that nobody is to confine, the others are of
 * programs of the host that may do anything. A policy of SELinux has thousands of types more, and
 * nobody here can say of each what it may. */
static bool is_free(const char *label)
{
    static const char *const types[] = {"spc_t", "unconfined_t", "unconfined_service_t",
            "container_runtime_t", "init_t", "initrc_t", "kernel_t"};
    for (int i = 0; i < 2; i++) {
        label = strchr(label, ':');
        if (label == NULL) {
            return false;
        }
        label++;
    }
    size_t length = strcspn(label, ": \t\n");
    for (size_t i = 0; i < LENGTH(types); i++) {
        if (strlen(types[i]) == length && memcmp(label, types[i], length) == 0) {
            return true;
        }
    }
    return false;
}

const char *laz_judge_labels(const struct laz_bundle *bundle)
{
    char text[LAZ_BUNDLE_PATH_SIZE];
    const struct laz_json_doc *doc = &bundle->spec.doc;
    const struct laz_json_node *apparmor = bundle->process.apparmor;
    const struct laz_json_node *selinux = bundle->process.selinux;
    if (apparmor != NULL &&
            (!laz_json_copy(doc, apparmor, text, sizeof(text)) || is_unconfined(text))) {
        return "process.apparmorProfile: unconfined (privileged)";
    }
    return selinux != NULL && (!laz_json_copy(doc, selinux, text, sizeof(text)) || is_free(text))
            ? "process.selinuxLabel: a type of programs that nobody confines (privileged)"
            : NULL;
}
