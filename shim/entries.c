/* SPDX-License-Identifier: Apache-2.0
 *
 * Each entry has an environment, which is never left out: runc gives a hook without one the
 * image's.
 */
#include "shim/entries.h"

#include <string.h>

#include "core/fd.h"
#include "core/rooted.h"

#define HOOK          "lazaret-hook"
#define TIMEOUT_S     10 /* the hook itself gives up after 8 */
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* What the runtime calls us with, by stage; NULL: not there. */
static const char *const verbs[LAZ_OCI_STAGES] = {
        [LAZ_OCI_CREATE_RUNTIME] = "audit-create",
        [LAZ_OCI_CREATE_CONTAINER] = "secrets",
        [LAZ_OCI_POSTSTOP] = "audit-end",
};

static int put_entry(struct laz_oci_change *change, enum laz_oci_stage stage, const char *hash,
        struct laz_err *err)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin"};
    const char *const args[] = {HOOK, verbs[stage], hash};
    const struct laz_oci_new_hook hook = {
            .path = LAZ_HOST_HOOK,
            .args = {args, LENGTH(args)},
            .env = {environment, LENGTH(environment)},
            .timeout_s = TIMEOUT_S,
    };
    return laz_oci_add_hook(change, stage, &hook, err);
}

static int put_secrets(struct laz_oci_change *change, const char *hash, struct laz_err *err)
{
    static const char *const options[] = {"nosuid", "nodev", "noexec", "mode=0711", "size=4m"};
    const struct laz_oci_new_mount mount = {
            LAZ_HOST_SECRETS, "tmpfs", "tmpfs", {options, LENGTH(options)}, NULL};
    if (laz_oci_add_mount(change, &mount, err) < 0) {
        return -1;
    }
    return put_entry(change, LAZ_OCI_CREATE_CONTAINER, hash, err);
}

int laz_entries_find(struct laz_rooted *folders, const struct laz_runtime *runtime,
        const struct laz_host_policy *policy, bool *ret_wanted, struct laz_err *err)
{
    struct laz_err why = {0};
    laz_cleanup_fd int fd = -1;
    *ret_wanted = laz_rooted_open_known(folders, LAZ_HOST_HOOK, &fd, &why) == 0;
    bool can_do_without =
            why.kind == LAZ_E_HOST_ABSENT && !runtime->audit_required && !policy->has_host_secrets;
    if (*ret_wanted || can_do_without) {
        return 0;
    }
    return laz_err_set(err, why.kind == LAZ_E_HOST_ABSENT ? LAZ_E_PROGRAM : why.kind, why.sys_errno,
            "%s; it keeps the records of audit.required, and brings the host's secrets",
            why.message);
}

int laz_entries_put(struct laz_oci_change *change, const struct laz_host_policy *policy,
        const char *hash, struct laz_err *err)
{
    if (put_entry(change, LAZ_OCI_CREATE_RUNTIME, hash, err) < 0 ||
            put_entry(change, LAZ_OCI_POSTSTOP, hash, err) < 0) {
        return -1;
    }
    return policy->has_host_secrets ? put_secrets(change, hash, err) : 0;
}

bool laz_entries_is_own(const struct laz_oci_spec *spec, const struct laz_oci_hook *hook,
        enum laz_oci_stage stage, const char *hash)
{
    const struct laz_json_doc *doc = &spec->doc;
    const struct laz_json_node *name =
            hook->args == NULL ? NULL : laz_json_next(doc, hook->args, NULL);
    const struct laz_json_node *verb = name == NULL ? NULL : laz_json_next(doc, hook->args, name);
    const struct laz_json_node *root = verb == NULL ? NULL : laz_json_next(doc, hook->args, verb);
    return verbs[stage] != NULL && laz_oci_is(spec, name, HOOK) &&
            laz_oci_is(spec, verb, verbs[stage]) && root != NULL &&
            (hash == NULL || laz_oci_is(spec, root, hash)) &&
            laz_json_next(doc, hook->args, root) == NULL;
}
