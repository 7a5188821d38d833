/* SPDX-License-Identifier: Apache-2.0
 *
 * Runtimes do what config.json says in its order, and resolve each path in what is mounted by then:
 * what comes behind our mounts, and a path that an image may have made a link, could be anything.
 */
#include "shim/guard.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "core/fd.h"
#include "oci/values.h"
#include "shim/call.h"
#include "shim/entries.h"

#define NOTHING       "nothing allows it"
#define CLASS_SIZE    256 /* NAME_MAX */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int refuse(struct laz_err *err, const char *what, const char *of, const char *key)
{
    return laz_err_set(
            err, LAZ_E_REQUEST, 0, "%s%s%.200s (%s)", what, of[0] == '\0' ? "" : " ", of, key);
}

static bool is_one_of(const char *text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- mounts ---- */

/* remount changes a file system of the host that is mounted there already; what is shared is seen
 * by the host; what is a slave sees whatever the host mounts there later; and by a mapping the
 * workload would be another user of the host's than it is here.
 */
static int guard_option(const struct laz_oci_spec *spec, const struct laz_json_node *option,
        const char *place, struct laz_err *err)
{
    static const char *const refused[] = {"remount", "shared", "rshared", "slave", "rslave"};
    static const char *const mapping[] = {"idmap", "ridmap"};
    for (size_t i = 0; i < LENGTH(refused); i++) {
        if (laz_oci_is(spec, option, refused[i])) {
            return laz_err_set(err, LAZ_E_REQUEST, 0,
                    "the mount at %.200s: option %s (" NOTHING ")", place, refused[i]);
        }
    }
    for (size_t i = 0; i < LENGTH(mapping); i++) {
        if (laz_oci_begins(spec, option, mapping[i])) {
            return refuse(err, "a mount with mapped users at", place, NOTHING);
        }
    }
    return 0;
}

/* Links of /proc/PID lead anywhere. */
static bool is_of_process(const char *place)
{
    static const char *const folders[] = {"self", "thread-self"};
    if (strncmp(place, "/proc/", 6) != 0) {
        return false;
    }
    const char *name = place + 6;
    size_t length = strcspn(name, "/");
    bool is = length > 0 && name[0] >= '0' && name[0] <= '9';
    for (size_t i = 0; !is && i < LENGTH(folders); i++) {
        is = strlen(folders[i]) == length && memcmp(name, folders[i], length) == 0;
    }
    return is;
}

/* What lazaret-init and the runtime itself rely on is the kernel's: /proc, /sys, and a /dev whose
 * null the runtime has made, because it lays that over what is masked. */
static int guard_place(const struct laz_oci_spec *spec, const struct laz_oci_mount *mount,
        const char *place, struct laz_err *err)
{
    static const struct {
        const char *place;
        const char *type; /* NULL: none */
    } own[] = {{"/proc", "proc"}, {"/sys", "sysfs"}, {"/dev", "tmpfs"}, {"/dev/null", NULL}};
    if (strcmp(place, "/") == 0) {
        return refuse(err, "a mount over the root of the container", "", NOTHING);
    }
    for (size_t i = 0; i < LENGTH(own); i++) {
        if (strcmp(place, own[i].place) == 0 &&
                (own[i].type == NULL || !laz_oci_is(spec, mount->type, own[i].type))) {
            return refuse(err, "a mount of another kind than engines make at", place, NOTHING);
        }
    }
    return is_of_process(place) ? refuse(err, "a mount at", place, NOTHING) : 0;
}

static bool is_ours(const char *place)
{
    static const char *const ours[] = {
            LAZ_CONTAINER_FOLDER, LAZ_CONTAINER_POLICY, LAZ_HOST_SECRETS};
    return is_one_of(place, ours, LENGTH(ours));
}

/* Ours are the last ones. Where they are there already, from an earlier pass, only they follow: any
 * other place may be a link to theirs. */
static int guard_mounts(const struct laz_bundle *bundle, struct laz_err *err)
{
    char place[LAZ_BUNDLE_PATH_SIZE];
    bool is_behind = false;
    bool has_dev = false;
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *all = bundle->container.mounts;
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        struct laz_oci_mount mount = laz_oci_mount(spec, node);
        const struct laz_json_node *option = NULL;
        if (!laz_oci_clean_path(spec, mount.destination, place, sizeof(place))) {
            return refuse(err, "a mount without a place, or at one that is too long", "", NOTHING);
        }
        while (mount.options != NULL &&
                (option = laz_json_next(&spec->doc, mount.options, option)) != NULL) {
            if (guard_option(spec, option, place, err) < 0) {
                return -1;
            }
        }
        if (laz_oci_member(spec, node, "uidMappings") != NULL ||
                laz_oci_member(spec, node, "gidMappings") != NULL) {
            return refuse(err, "a mount with mapped users at", place, NOTHING);
        }
        if (guard_place(spec, &mount, place, err) < 0) {
            return -1;
        }
        if (is_behind && !is_ours(place)) {
            return refuse(err, "a mount behind the host's own, at", place, NOTHING);
        }
        is_behind = is_behind || is_ours(place);
        has_dev = has_dev || strcmp(place, "/dev") == 0;
    }
    return has_dev ? 0 : refuse(err, "a container whose /dev is the image's", "", NOTHING);
}

/* ---- paths that are hidden ---- */

/* Engines hide what is of the kernel. Elsewhere a path may be a link of the image's, and what the
 * runtime lays there would lie over lazaret-init. */
static int guard_paths(const struct laz_bundle *bundle, const struct laz_json_node *all,
        const struct laz_string_list *own, const char *key, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        if (!laz_oci_clean_path(spec, node, path, sizeof(path))) {
            return refuse(err, key, "has a path that is too long", NOTHING);
        }
        bool is_kernels = (laz_oci_is_above("/proc", path) || laz_oci_is_above("/sys", path)) &&
                !is_of_process(path);
        if (!laz_oci_is(spec, node, path) ||
                !(is_kernels || is_one_of(path, (const char *const *)own->items, own->n))) {
            return laz_err_set(err, LAZ_E_REQUEST, 0,
                    "%s: %.200s, which is not below /proc or /sys (host.masked-paths, "
                    "host.readonly-paths)",
                    key, path);
        }
    }
    return 0;
}

/* ---- namespaces and users ---- */

static bool has_users(const struct laz_bundle *bundle)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *all = bundle->container.namespaces;
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        if (laz_oci_is(spec, laz_oci_member(spec, node, "type"), "user")) {
            return true;
        }
    }
    return false;
}

/* In a mount namespace that is there, our mounts would come from where its maker wants; of a user
 * namespace that is there nobody says who its users are on the host. What is no namespace may keep
 * the runtime waiting. */
static int guard_namespaces(const struct laz_bundle *bundle, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *all = bundle->container.namespaces;
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        struct statfs status;
        const struct laz_json_node *at = laz_oci_member(spec, node, "path");
        if (at == NULL || laz_oci_is(spec, at, "")) {
            continue;
        }
        if (laz_oci_is(spec, laz_oci_member(spec, node, "type"), "mount")) {
            return refuse(err, "a mount namespace that is there already", "", NOTHING);
        }
        if (laz_oci_is(spec, laz_oci_member(spec, node, "type"), "user")) {
            return refuse(err, "a user namespace that is there already", "", NOTHING);
        }
        if (!laz_json_copy(&spec->doc, at, path, sizeof(path)) || path[0] != '/') {
            return refuse(err, "a namespace by what is no absolute path", "", "host.namespaces");
        }
        laz_cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0 || fstatfs(fd, &status) < 0 || status.f_type != NSFS_MAGIC) {
            return refuse(err, "what is no namespace, as one:", path, "host.namespaces");
        }
    }
    return 0;
}

/* Without a capability, and yet owner of what is the host's root's. */
static bool is_made_root(
        const struct laz_oci_spec *spec, const struct laz_json_node *all, uint32_t id)
{
    const struct laz_json_node *node = NULL;
    while (id != 0 && all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        uint64_t inside = 0;
        uint64_t outside = 0;
        uint64_t size = 0;
        if (!laz_json_number(
                    &spec->doc, laz_oci_member(spec, node, "containerID"), UINT32_MAX, &inside) ||
                !laz_json_number(
                        &spec->doc, laz_oci_member(spec, node, "hostID"), UINT32_MAX, &outside) ||
                !laz_json_number(
                        &spec->doc, laz_oci_member(spec, node, "size"), UINT32_MAX, &size)) {
            return true;
        }
        if (id >= inside && id - inside < size && outside + (id - inside) == 0) {
            return true;
        }
    }
    return false;
}

static bool maps_root(const struct laz_oci_spec *spec, const struct laz_json_node *all)
{
    const struct laz_json_node *node = NULL;
    while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        uint64_t outside = 0;
        if (!laz_json_number(
                    &spec->doc, laz_oci_member(spec, node, "hostID"), UINT32_MAX, &outside) ||
                outside == 0) {
            return true;
        }
    }
    return false;
}

bool laz_guard_is_apart(const struct laz_bundle *bundle)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *node = bundle->container.linux_node;
    return has_users(bundle) && !maps_root(spec, laz_oci_member(spec, node, "uidMappings")) &&
            !maps_root(spec, laz_oci_member(spec, node, "gidMappings"));
}

/* crun fills in mappings of its own, which have the host's root. */
static bool has_mappings(const struct laz_bundle *bundle, const char *key)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *all = laz_oci_member(spec, bundle->container.linux_node, key);
    return all != NULL && laz_json_next(&spec->doc, all, NULL) != NULL;
}

static int guard_users(
        const struct laz_bundle *bundle, const struct laz_host_policy *policy, struct laz_err *err)
{
    if (has_users(bundle) &&
            (!has_mappings(bundle, "uidMappings") || !has_mappings(bundle, "gidMappings"))) {
        return refuse(err,
                "a user namespace without linux.uidMappings and linux.gidMappings, which the "
                "runtime would choose",
                "", NOTHING);
    }
    if (policy->has_host_secrets && has_users(bundle)) {
        return refuse(err,
                "secrets of the host in a user namespace of the container's own, in which "
                "lazaret-hook is not the host's root",
                "", "secrets.items");
    }
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *node = bundle->container.linux_node;
    const struct laz_json_node *groups = laz_oci_member(spec, node, "gidMappings");
    bool is_root = is_made_root(spec, groups, policy->gid);
    for (size_t i = 0; !is_root && i < policy->n_groups; i++) {
        is_root = is_made_root(spec, groups, policy->groups[i]);
    }
    if (is_made_root(spec, laz_oci_member(spec, node, "uidMappings"), policy->uid)) {
        return refuse(err, "the policy's user as the host's root: linux.uidMappings", "", NOTHING);
    }
    return is_root
            ? refuse(err, "the policy's group as the host's root: linux.gidMappings", "", NOTHING)
            : 0;
}

/* ---- the rest of linux ---- */

/* crun makes the folder wherever that leads. */
static bool climbs(const struct laz_oci_spec *spec, const struct laz_json_node *node)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    bool is = node != NULL && !laz_json_copy(&spec->doc, node, path, sizeof(path));
    for (const char *part = path; node != NULL && !is && *part != '\0';) {
        size_t length = strcspn(part, "/");
        is = length == 2 && part[0] == '.' && part[1] == '.';
        part += length + (part[length] == '/');
    }
    return is;
}

static int guard_linux(const struct laz_bundle *bundle, struct laz_err *err)
{
    static const char *const shared[] = {"shared", "rshared"};
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *propagation =
            laz_oci_member(spec, bundle->container.linux_node, "rootfsPropagation");
    for (size_t i = 0; i < LENGTH(shared); i++) {
        if (laz_oci_is(spec, propagation, shared[i])) {
            return refuse(err, "a root that is shared with the host: linux.rootfsPropagation",
                    shared[i], NOTHING);
        }
    }
    if (climbs(spec, bundle->container.cgroups_path)) {
        return refuse(err, "a path with ..: linux.cgroupsPath", "", NOTHING);
    }
    const struct laz_json_node *class = laz_oci_member(
            spec, laz_oci_member(spec, bundle->container.linux_node, "intelRdt"), "closID");
    char name[CLASS_SIZE]; /* of a folder that the runtime makes on the host */
    if (class != NULL &&
            (!laz_json_copy(&spec->doc, class, name, sizeof(name)) || strchr(name, '/') != NULL)) {
        return refuse(err, "what is no name: linux.intelRdt.closID", "", NOTHING);
    }
    /* A process has one listener: another's would leave none for lazaret-init. */
    if (laz_oci_member(spec, bundle->container.seccomp, "listenerPath") != NULL) {
        return refuse(err, "a seccomp profile with a listener", "", NOTHING);
    }
    return 0;
}

/* ---- hooks ---- */

/* In startContainer the path is the image's. Ours are as we write them, or somebody else speaks to
 * our hook. */
static int guard_hooks(const struct laz_bundle *bundle, const char *hash, struct laz_err *err)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *inside = laz_oci_hooks(spec, LAZ_OCI_START_CONTAINER);
    if (inside != NULL && laz_json_next(&spec->doc, inside, NULL) != NULL) {
        return refuse(err, "a hook of startContainer: the program is the image's", "", NOTHING);
    }
    for (unsigned stage = 0; stage < LAZ_OCI_STAGES; stage++) {
        const struct laz_json_node *node = NULL;
        const struct laz_json_node *all = laz_oci_hooks(spec, (enum laz_oci_stage)stage);
        while (all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
            struct laz_oci_hook hook = laz_oci_hook(spec, node);
            if (laz_oci_is(spec, hook.path, LAZ_HOST_HOOK) &&
                    !laz_entries_is_own(spec, &hook, (enum laz_oci_stage)stage, hash)) {
                return refuse(err, "lazaret-hook with other words than the host's, in",
                        laz_oci_stage_name((enum laz_oci_stage)stage), NOTHING);
            }
        }
    }
    return 0;
}

int laz_guard(const struct laz_bundle *bundle, const struct laz_host_policy *policy,
        const char *hash, struct laz_err *err)
{
    const struct laz_policy_host *host = &policy->host;
    const struct laz_oci_container *container = &bundle->container;
    if (guard_mounts(bundle, err) < 0 ||
            guard_paths(bundle, container->masked_paths, &host->masked_paths, "linux.maskedPaths",
                    err) < 0 ||
            guard_paths(bundle, container->readonly_paths, &host->readonly_paths,
                    "linux.readonlyPaths", err) < 0 ||
            guard_namespaces(bundle, err) < 0 || guard_users(bundle, policy, err) < 0 ||
            guard_linux(bundle, err) < 0) {
        return -1;
    }
    return guard_hooks(bundle, hash, err);
}
