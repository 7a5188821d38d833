/* SPDX-License-Identifier: Apache-2.0
 *
 * Judged before anything is changed.
 */
#include "shim/judge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/rooted.h"
#include "policy/host_mounts.h"
#include "policy/tables/tables.h"
#include "shim/call.h"
#include "shim/guard.h"
#include "shim/image.h"
#include "shim/judge_kernel.h"
#include "shim/place.h"

#define PSEUDO_TERMINALS 136 /* their major number */

const char *const laz_judge_annotations[] = {
        "run.oci.", "org.criu.config", "org.systemd.property.", NULL};

struct judge {
    const struct laz_bundle *bundle;
    const struct laz_oci_spec *spec;
    const struct laz_oci_container *container;
    const struct laz_policy_host *host;
    const struct laz_host_policy *policy;
    struct laz_sources *sources; /* read where the first bind mount asks for them */
    const char *own;             /* of the host's records */
    bool is_apart;               /* no user of it is the host's root */
};

static int refuse(struct laz_err *err, const char *what, const char *of, const char *key)
{
    return laz_err_set(
            err, LAZ_E_REQUEST, 0, "%s%s%.200s (%s)", what, of[0] == '\0' ? "" : " ", of, key);
}

/* ---- annotations ---- */

static int judge_annotations(const struct judge *judge, struct laz_err *err)
{
    const struct laz_json_node *key = NULL;
    const struct laz_json_doc *doc = &judge->spec->doc;
    const struct laz_json_node *all = judge->container->annotations;
    if (judge->host->annotations == LAZ_HOST_ANNOTATIONS_STRIP || all == NULL) {
        return 0;
    }
    while ((key = laz_json_next(doc, all, key)) != NULL) {
        for (size_t i = 0; laz_judge_annotations[i] != NULL; i++) {
            if (laz_oci_begins(judge->spec, key, laz_judge_annotations[i])) {
                return refuse(err, "annotation", laz_judge_annotations[i], "host.annotations");
            }
        }
        key = laz_json_next(doc, all, key); /* its value */
    }
    return 0;
}

/* ---- mounts ---- */

static bool has_word(const struct judge *judge, const struct laz_json_node *list, const char *word)
{
    const struct laz_json_node *node = NULL;
    while (list != NULL && (node = laz_json_next(&judge->spec->doc, list, node)) != NULL) {
        if (laz_oci_is(judge->spec, node, word)) {
            return true;
        }
    }
    return false;
}

static bool is_read_only(const struct judge *judge, const struct laz_oci_mount *mount)
{
    return has_word(judge, mount->options, "ro") && !has_word(judge, mount->options, "rw") &&
            !has_word(judge, mount->options, "rrw");
}

static int judge_real(const struct judge *judge, const struct laz_oci_mount *mount,
        const char *path, const char *real, struct laz_err *err)
{
    if (judge->sources->n == 0 && laz_sources_read(LAZ_SOURCES_OWN, judge->sources, err) < 0) {
        return -1;
    }
    const struct laz_source_use use = {.is_writable = !is_read_only(judge, mount),
            .is_recursive = has_word(judge, mount->options, "rbind") ||
                    !has_word(judge, mount->options, "bind"),
            .is_writable_below =
                    !is_read_only(judge, mount) || !has_word(judge, mount->options, "rro")};
    const char *why = laz_source_refusal(judge->sources, judge->host, judge->own, real, &use);
    if (why == NULL || laz_path_is_at_or_below(real, why) || laz_path_is_at_or_below(why, real)) {
        return why == NULL ? 0 : refuse(err, "a bind mount of", path, "host.mounts");
    }
    return laz_err_set(err, LAZ_E_REQUEST, 0,
            "a bind mount of %.200s (host.mounts): there, or in it, is %.100s", path, why);
}

static int judge_source(
        const struct judge *judge, const struct laz_oci_mount *mount, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    if (mount->source == NULL ||
            !laz_json_copy(&judge->spec->doc, mount->source, path, sizeof(path)) ||
            path[0] != '/') {
        return refuse(err, "a bind mount of what is no absolute path", "", "nothing allows it");
    }
    if (laz_place_is_magic(path)) {
        return refuse(err, "a bind mount by a link of /proc:", path, "nothing allows it");
    }
    char *real = realpath(path, NULL); /* what is not there is refused by the runtime, or made */
    int result = judge_real(judge, mount, path, real == NULL ? path : real, err);
    free(real);
    return result;
}

/* Ours, of an earlier pass over the same bundle, are judged by laz_oci_add_mount, which puts the
 * policy of today in its place. */
static bool is_ours(const struct laz_oci_spec *spec, const struct laz_oci_mount *mount)
{
    return laz_oci_is(spec, mount->destination, LAZ_CONTAINER_POLICY) &&
            laz_oci_begins(spec, mount->source, LAZ_IMAGE_FOLDER "/");
}

/* What is no bind mount is what engines mount, where they do: a second proc would have none of its
 * paths masked, and a layer or a disk could be any of the host's. */
static int judge_type(
        const struct judge *judge, const struct laz_oci_mount *mount, struct laz_err *err)
{
    static const struct {
        const char *type;
        const char *at; /* or below it; NULL: anywhere */
    } known[] = {{"proc", "/proc"}, {"sysfs", "/sys"}, {"cgroup", "/sys/fs/cgroup"},
            {"cgroup2", "/sys/fs/cgroup"}, {"mqueue", "/dev/mqueue"}, {"devpts", "/dev/pts"},
            {"tmpfs", NULL}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (laz_oci_is(judge->spec, mount->type, known[i].type) &&
                (known[i].at == NULL || laz_oci_is(judge->spec, mount->destination, known[i].at))) {
            return 0;
        }
    }
    char type[LAZ_BUNDLE_PATH_SIZE] = "of no type";
    if (mount->type != NULL && !laz_json_copy(&judge->spec->doc, mount->type, type, sizeof(type))) {
        return refuse(err, "a mount of a type that is no text", "", "nothing allows it");
    }
    return refuse(err, "a mount of another kind or at another place than engines make:", type,
            "nothing allows it");
}

static int judge_mounts(const struct judge *judge, struct laz_err *err)
{
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *all = judge->container->mounts;
    while (all != NULL && (node = laz_json_next(&judge->spec->doc, all, node)) != NULL) {
        struct laz_oci_mount mount = laz_oci_mount(judge->spec, node);
        bool is_bind = laz_oci_is(judge->spec, mount.type, "bind") ||
                has_word(judge, mount.options, "bind") || has_word(judge, mount.options, "rbind");
        if (!is_bind ? judge_type(judge, &mount, err) < 0
                     : !is_ours(judge->spec, &mount) && judge_source(judge, &mount, err) < 0) {
            return -1;
        }
    }
    return 0;
}

/* ---- devices ---- */

static bool is_listed(const struct laz_string_list *list, const char *text)
{
    bool is = false;
    for (size_t i = 0; !is && i < list->n; i++) {
        is = strcmp(list->items[i], text) == 0;
    }
    return is;
}

static bool take_number(
        const struct judge *judge, const struct laz_json_node *node, const char *key, uint64_t *ret)
{
    return laz_json_number(
            &judge->spec->doc, laz_oci_member(judge->spec, node, key), UINT32_MAX, ret);
}

/* The node of that name on the host is the same device: in the container it could have any name. */
static bool is_hosts_device(
        const struct judge *judge, const struct laz_json_node *node, const char *path)
{
    struct stat status;
    uint64_t major_number = 0;
    uint64_t minor_number = 0;
    const struct laz_json_node *type = laz_oci_member(judge->spec, node, "type");
    if (stat(path, &status) < 0 || !take_number(judge, node, "major", &major_number) ||
            !take_number(judge, node, "minor", &minor_number)) {
        return false;
    }
    bool is_type = S_ISBLK(status.st_mode) ? laz_oci_is(judge->spec, type, "b")
                                           : S_ISCHR(status.st_mode) &&
                    (laz_oci_is(judge->spec, type, "c") || laz_oci_is(judge->spec, type, "u"));
    return is_type && major(status.st_rdev) == major_number &&
            minor(status.st_rdev) == minor_number;
}

static int judge_nodes(const struct judge *judge, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE];
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *all = judge->container->devices;
    while (all != NULL && (node = laz_json_next(&judge->spec->doc, all, node)) != NULL) {
        const struct laz_json_node *at = laz_oci_member(judge->spec, node, "path");
        if (at == NULL || !laz_json_copy(&judge->spec->doc, at, path, sizeof(path)) ||
                !is_listed(&judge->host->devices, path) || !is_hosts_device(judge, node, path)) {
            return refuse(err, "a device", at == NULL ? "without a path" : path, "host.devices");
        }
    }
    return 0;
}

/* null, mem's harmless neighbours, terminals, tun: what engines let every container have. */
static bool is_common(uint64_t major_number, uint64_t minor_number)
{
    static const unsigned char common[][2] = {
            {1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {10, 200}};
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (common[i][0] == major_number && common[i][1] == minor_number) {
            return true;
        }
    }
    return false;
}

/* One of linux.devices, which are judged by themselves. */
static bool is_asked_for(const struct judge *judge, const struct laz_json_node *type,
        uint64_t major_number, uint64_t minor_number)
{
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *all = judge->container->devices;
    bool is_block = laz_oci_is(judge->spec, type, "b");
    while (all != NULL && (node = laz_json_next(&judge->spec->doc, all, node)) != NULL) {
        uint64_t a = 0;
        uint64_t b = 0;
        if (take_number(judge, node, "major", &a) && take_number(judge, node, "minor", &b) &&
                a == major_number && b == minor_number &&
                laz_oci_is(judge->spec, laz_oci_member(judge->spec, node, "type"), "b") ==
                        is_block) {
            return true;
        }
    }
    return false;
}

/* Reading or writing of other devices. To the kernel a rule of type "a" is for all of them,
 * whatever its numbers are; pseudo terminals have one major number. */
static bool is_wide(const struct judge *judge, const struct laz_json_node *rule)
{
    const struct laz_json_node *allow = laz_oci_member(judge->spec, rule, "allow");
    const struct laz_json_node *type = laz_oci_member(judge->spec, rule, "type");
    uint64_t a = 0;
    uint64_t b = 0;
    if (allow == NULL || allow->type != LAZ_JSON_TRUE) {
        return false;
    }
    bool is_character = laz_oci_is(judge->spec, type, "c");
    if (!is_character && !laz_oci_is(judge->spec, type, "b")) {
        return true;
    }
    if (laz_oci_is(judge->spec, laz_oci_member(judge->spec, rule, "access"), "m")) {
        return false;
    }
    if (!take_number(judge, rule, "major", &a)) {
        return true;
    }
    if (is_character && a == PSEUDO_TERMINALS) {
        return false;
    }
    return !take_number(judge, rule, "minor", &b) ||
            !((is_character && is_common(a, b)) || is_asked_for(judge, type, a, b));
}

static bool has_wide_rule(const struct judge *judge)
{
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *all = judge->container->device_rules;
    while (all != NULL && (node = laz_json_next(&judge->spec->doc, all, node)) != NULL) {
        if (is_wide(judge, node)) {
            return true;
        }
    }
    return false;
}

/* ---- privileged ---- */

static bool has_power(const struct judge *judge)
{
    static const char *const names[] = {
            "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_BPF"};
    const struct laz_json_node *bounding = laz_oci_capabilities(judge->spec, LAZ_OCI_BOUNDING);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int number = laz_capability_by_name(names[i] + 4, strlen(names[i] + 4));
        bool is_kept = number >= 0 && (judge->policy->keep_capabilities >> number & 1) != 0;
        if (!is_kept && has_word(judge, bounding, names[i])) {
            return true;
        }
    }
    return false;
}

/* The files are the host's root's; dockerd with userns-remap asks for such control groups. */
static bool has_writable_sys(const struct judge *judge)
{
    static const char *const types[] = {"sysfs", "cgroup", "cgroup2"};
    const struct laz_json_node *node = NULL;
    const struct laz_json_node *all = judge->container->mounts;
    while (!judge->is_apart && all != NULL &&
            (node = laz_json_next(&judge->spec->doc, all, node)) != NULL) {
        struct laz_oci_mount mount = laz_oci_mount(judge->spec, node);
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            if (laz_oci_is(judge->spec, mount.type, types[i]) && !is_read_only(judge, &mount)) {
                return true;
            }
        }
    }
    return false;
}

static int judge_privileged(const struct judge *judge, bool *ret, struct laz_err *err)
{
    const struct laz_json_node *masked = judge->container->masked_paths;
    const char *what = has_wide_rule(judge) ? "devices of the host (privileged)"
            : has_power(judge)        ? "capabilities of the host's administrator (privileged)"
            : has_writable_sys(judge) ? "a writable /sys or /sys/fs/cgroup (privileged)"
            : masked == NULL || laz_json_next(&judge->spec->doc, masked, NULL) == NULL
            ? "a /proc without masked paths (privileged)"
            : laz_judge_labels(judge->bundle);
    *ret = what != NULL;
    if (what != NULL && judge->host->privileged == LAZ_HOST_PRIVILEGED_REFUSE) {
        return refuse(err, what, "", "host.privileged");
    }
    if (has_wide_rule(judge)) {
        return refuse(err, what, "", "a device has to be named, in host.devices");
    }
    return 0;
}

/* ---- hooks ---- */

/* docker's own, by which its daemon enters the network namespace: a link of the kernel's to
 * dockerd. Another program by such a link, a shell, would be the caller's on the host. */
static bool is_dockers(
        const struct judge *judge, const struct laz_oci_hook *hook, char path[LAZ_BUNDLE_PATH_SIZE])
{
    const struct laz_json_node *name =
            hook->args == NULL ? NULL : laz_json_next(&judge->spec->doc, hook->args, NULL);
    size_t digits = strncmp(path, "/proc/", 6) == 0 ? strspn(path + 6, "0123456789") : 0;
    if (digits == 0 || strcmp(path + 6 + digits, "/exe") != 0 ||
            !laz_oci_is(judge->spec, name, "libnetwork-setkey")) {
        return false;
    }
    char *real = realpath(path, NULL);
    const char *last = real == NULL ? NULL : strrchr(real, '/');
    bool is = last != NULL && strcmp(last, "/dockerd") == 0 && strlen(real) < LAZ_BUNDLE_PATH_SIZE;
    if (is) {
        (void)memcpy(path, real, strlen(real) + 1);
    }
    free(real);
    return is;
}

static int judge_hook(
        const struct judge *judge, const struct laz_json_node *node, struct laz_err *err)
{
    char path[LAZ_BUNDLE_PATH_SIZE] = "";
    int fd = -1;
    struct laz_oci_hook hook = laz_oci_hook(judge->spec, node);
    if (hook.path == NULL || !laz_json_copy(&judge->spec->doc, hook.path, path, sizeof(path))) {
        return refuse(err, "a hook without a path", "", "nothing allows it");
    }
    bool is_own = strcmp(path, LAZ_HOST_HOOK) == 0;
    if (!is_own && !is_listed(&judge->host->hooks, path) && !is_dockers(judge, &hook, path)) {
        return refuse(err, "the hook", path, "host.hooks");
    }
    if (laz_rooted_open(path, &fd, err) < 0) {
        return laz_err_context(err, "hook");
    }
    laz_fd_close(&fd);
    return 0;
}

static int judge_hooks(const struct judge *judge, struct laz_err *err)
{
    for (unsigned stage = 0; stage < LAZ_OCI_STAGES; stage++) {
        const struct laz_json_node *node = NULL;
        const struct laz_json_node *all = laz_oci_hooks(judge->spec, (enum laz_oci_stage)stage);
        while (all != NULL && (node = laz_json_next(&judge->spec->doc, all, node)) != NULL) {
            if (judge_hook(judge, node, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}

static int judge_all(const struct judge *judge, bool *ret_is_privileged, struct laz_err *err)
{
    if (judge_annotations(judge, err) < 0 || judge_privileged(judge, ret_is_privileged, err) < 0 ||
            laz_judge_kernel(judge->bundle, judge->host, err) < 0 || judge_mounts(judge, err) < 0 ||
            judge_nodes(judge, err) < 0) {
        return -1;
    }
    return judge_hooks(judge, err);
}

int laz_judge(const struct laz_bundle *bundle, const struct laz_host_policy *policy,
        const char *records, bool *ret_is_privileged, struct laz_err *err)
{
    char own[LAZ_BUNDLE_PATH_SIZE];
    const char *last = records == NULL ? NULL : strrchr(records, '/');
    size_t length = last == NULL ? 0 : (size_t)(last - records);
    (void)laz_format(own, sizeof(own), "%.*s", (int)length, records == NULL ? "" : records);
    struct laz_sources sources = {.n = 0};
    const struct judge judge = {.bundle = bundle,
            .spec = &bundle->spec,
            .container = &bundle->container,
            .host = &policy->host,
            .policy = policy,
            .sources = &sources,
            .own = length == 0 ? NULL : own,
            .is_apart = laz_guard_is_apart(bundle)};
    bool is_privileged = false;
    if (bundle->process.node == NULL) {
        return refuse(err, "a container without a process", "", "nothing allows it");
    }
    int result = judge_all(&judge, &is_privileged, err);
    laz_sources_done(&sources);
    if (result == 0) {
        *ret_is_privileged = is_privileged;
    }
    return result;
}

bool laz_judge_is_made(const struct laz_bundle *bundle)
{
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *args = bundle->process.args;
    const struct laz_json_node *first = args == NULL ? NULL : laz_json_next(&spec->doc, args, NULL);
    const struct laz_json_node *all = bundle->container.mounts;
    const struct laz_json_node *node = NULL;
    bool is = false;
    while (!is && all != NULL && (node = laz_json_next(&spec->doc, all, node)) != NULL) {
        struct laz_oci_mount mount = laz_oci_mount(spec, node);
        is = is_ours(spec, &mount);
    }
    return is && laz_oci_is(spec, first, LAZ_CONTAINER_INIT);
}
