/* SPDX-License-Identifier: Apache-2.0
 *
 * In createRuntime the mounts are there, and in the same table the host's, by the same paths: the
 * container's first process has not yet changed its root.
 */
#include "hooks/look.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/format.h"
#include "oci/values.h"
#include "policy/host_mounts.h"

#define LINK_SIZE 48
#define OURS      "/.lazaret-policy" /* which the shim mounts in each container */

static int find_root(
        const struct laz_hook_bundle *bundle, char ret[LAZ_HOOK_PATH_SIZE], struct laz_err *err)
{
    char link[LINK_SIZE];
    (void)laz_format(link, sizeof(link), "/proc/self/fd/%d", bundle->root);
    ssize_t n = readlink(link, ret, LAZ_HOOK_PATH_SIZE - 1);
    ret[n < 0 ? 0 : n] = '\0';
    return n > 0 ? 0
                 : laz_err_set(err, LAZ_E_BUNDLE, errno, "%s: %s", link, laz_err_errno_name(errno));
}

static bool has_word(
        const struct laz_oci_spec *spec, const struct laz_json_node *list, const char *word)
{
    const struct laz_json_node *node = NULL;
    while (list != NULL && (node = laz_json_next(&spec->doc, list, node)) != NULL) {
        if (laz_oci_is(spec, node, word)) {
            return true;
        }
    }
    return false;
}

/* The last mount at a place of the container, which is all that is seen there. */
static bool find_mount(
        const struct laz_hook_bundle *bundle, const char *at, struct laz_oci_mount *ret)
{
    const struct laz_oci_spec *spec = &bundle->config;
    const struct laz_json_node *mounts = laz_oci_container(spec).mounts;
    const struct laz_json_node *node = NULL;
    char place[LAZ_HOOK_PATH_SIZE];
    bool is_found = false;
    while (mounts != NULL && (node = laz_json_next(&spec->doc, mounts, node)) != NULL) {
        struct laz_oci_mount mount = laz_oci_mount(spec, node);
        if (laz_oci_clean_path(spec, mount.destination, place, sizeof(place)) &&
                strcmp(place, at) == 0) {
            *ret = mount;
            is_found = true;
        }
    }
    return is_found;
}

/* crun does it last. */
static bool becomes_read_only(void *context, const char *at)
{
    const struct laz_hook_bundle *bundle = context;
    const struct laz_oci_spec *spec = &bundle->config;
    struct laz_oci_mount mount;
    return find_mount(bundle, at, &mount) && has_word(spec, mount.options, "ro") &&
            !has_word(spec, mount.options, "rw") && !has_word(spec, mount.options, "rrw");
}

int laz_hook_look(const struct laz_hook_bundle *bundle, uint32_t pid,
        const struct laz_policy_host *host, const char *records, struct laz_err *err)
{
    char table[LINK_SIZE];
    char root[LAZ_HOOK_PATH_SIZE];
    char folder[LAZ_HOOK_PATH_SIZE];
    const char *at = NULL;
    const char *last = strrchr(records, '/');
    struct laz_sources sources;
    struct laz_oci_mount ours;
    (void)laz_format(
            folder, sizeof(folder), "%.*s", (int)(last == NULL ? 0 : last - records), records);
    (void)laz_format(table, sizeof(table), "/proc/%u/mountinfo", pid);
    const struct laz_mounted mounted = {.root = root,
            .ours = find_mount(bundle, OURS, &ours) ? OURS : NULL,
            .records = folder[0] == '\0' ? NULL : folder,
            .becomes_read_only = becomes_read_only,
            .context = laz_unconst(bundle)};
    if (find_root(bundle, root, err) < 0) {
        return -1;
    }
    int result = laz_sources_read(table, &sources, err);
    const char *why = result < 0 ? NULL : laz_mounted_refusal(&sources, host, &mounted, &at);
    if (why != NULL) {
        result = laz_err_set(err, LAZ_E_REQUEST, 0,
                "what is mounted at %.200s of the container is not what it was when it was judged: "
                "there, or in it, is %.100s (host.mounts)",
                at, why);
    }
    laz_sources_done(&sources);
    return result;
}
