/* SPDX-License-Identifier: Apache-2.0
 *
 * create and run: the policy is selected, what is asked for is judged, and the container's own
 * file is rewritten, so that lazaret-init runs in front of the workload. Before the first write
 * everything is decided; a shim that is killed leaves a file that is the old one or the new one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/sha256.h"
#include "oci/record.h"
#include "shim/bundle.h"
#include "shim/call.h"
#include "shim/clamp.h"
#include "shim/decide.h"
#include "shim/entries.h"
#include "shim/guard.h"
#include "shim/image.h"
#include "shim/judge.h"
#include "shim/own_init.h"
#include "shim/place.h"
#include "shim/rewrite.h"
#include "shim/seccomp.h"
#include "shim/select.h"
#include "shim/sweep.h"

/* ---- what is remembered ---- */

static void put_digest(const void *bytes, size_t length, char ret[LAZ_OCI_DIGEST_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_sha256_of(bytes, length, digest);
    laz_format_hex(digest, LAZ_SHA256_SIZE, ret);
}

/* Is the profile around the container ours, in its loose form? An earlier pass has put it there. */
static bool is_loosened(const struct laz_bundle *bundle, const struct laz_policy_host *host)
{
    const struct laz_json_doc *doc = &bundle->spec.doc;
    const struct laz_json_node *args = bundle->process.args;
    bool is_second = args != NULL &&
            laz_oci_is(&bundle->spec, laz_json_next(doc, args, NULL), LAZ_CONTAINER_INIT);
    return host->seccomp != LAZ_HOST_SECCOMP_NARROW && laz_host_confines_execs(host) &&
            (is_second || laz_seccomp_needs_profile(&bundle->spec, host));
}

/* Also of a container without a policy: an exec into it is then known to be one. */
static int remember(struct laz_call *call, const struct laz_bundle *bundle,
        const struct laz_plan *plan, const char *name, const struct laz_buf *text,
        struct laz_err *err)
{
    const struct laz_host_policy *policy = plan->policy;
    static const uint8_t none[LAZ_SHA256_SIZE] = {0};
    struct laz_oci_record record = {0};
    laz_cleanup_fd int folder = -1;
    (void)laz_format(record.policy, sizeof(record.policy), "%s", name);
    (void)laz_format(record.mode, sizeof(record.mode), "%s",
            policy == NULL ? name : laz_mode_name(policy->mode));
    laz_format_hex(
            policy == NULL ? none : policy->source_digest, LAZ_SHA256_SIZE, record.policy_digest);
    put_digest(text->data, text->len, record.config_digest);
    (void)laz_format(record.policy_pin, sizeof(record.policy_pin), "%s", plan->pin);
    record.policy_device = plan->device;
    record.policy_inode = plan->inode;
    record.is_loosened = policy != NULL && is_loosened(bundle, &policy->host);
    if (laz_decide_remember(bundle, &record, err) < 0 ||
            laz_clamp_open_records(call->arguments, true, &folder, err) < 0 ||
            laz_sweep_begin(call, folder, err) < 0) {
        return -1;
    }
    if (laz_sweep_is_there(
                call, folder)) { /* the runtime will say so; until then it keeps its record */
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "there is a container %.100s, which keeps its policy", call->arguments->id);
    }
    if (laz_oci_record_save(folder, call->arguments->id, &record, err) < 0) {
        return -1;
    }
    call->has_record = true;
    return 0;
}

/* What lies at its place in the container need not be it for ever: its digest goes beside it. */
static int find_image(
        const struct laz_call *call, const char *name, struct laz_plan *plan, struct laz_err *err)
{
    struct stat status;
    laz_cleanup_fd int fd = -1;
    laz_format_hex(plan->policy->image_digest, LAZ_SHA256_SIZE, plan->pin);
    if (laz_call_find_image(call, plan->policy, name, plan->image, &fd, err) < 0) {
        return -1;
    }
    if (fstat(fd, &status) < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "%s: %s", plan->image, strerror(errno));
    }
    plan->device = status.st_dev;
    plan->inode = status.st_ino;
    return 0;
}

static int confine(struct laz_call *call, struct laz_bundle *bundle,
        const struct laz_host_policy *policy, const char *name, struct laz_err *err)
{
    char hash[LAZ_OCI_ROOT_HASH_SIZE];
    bool has_hooks = false;
    const char *root = call->arguments->values[LAZ_OPTION_ROOT];
    struct laz_own_init init;
    struct laz_plan plan = {.policy = policy};
    laz_cleanup_buf struct laz_buf text;
    laz_cleanup_buf struct laz_buf profile;
    laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX + 1);
    laz_buf_init_heap(&profile, LAZ_OCI_TEXT_MAX + 1);
    laz_oci_root_hash(root == NULL ? "" : root, hash);
    if (laz_judge(bundle, policy, call->runtime->audit_file, &plan.is_privileged, err) < 0 ||
            laz_guard(bundle, policy, hash, err) < 0 ||
            laz_own_init_find(call->runtime, bundle, &init, err) < 0 ||
            laz_entries_find(&call->ask->folders, call->runtime, policy, &has_hooks, err) < 0 ||
            find_image(call, name, &plan, err) < 0 ||
            (laz_seccomp_needs_profile(&bundle->spec, &policy->host) &&
                    laz_call_take_profile(call, policy, name, &profile, err) < 0)) {
        return -1;
    }
    plan.hash = has_hooks ? hash : NULL;
    plan.n_drop = init.n_words;
    call->note.has_own_init = init.is_images;
    plan.profile = &profile;
    if (laz_rewrite(bundle, &plan, &text, err) < 0 ||
            remember(call, bundle, &plan, name, &text, err) < 0) {
        return -1;
    }
    return laz_bundle_write(bundle, &text, err);
}

/* Of a checkpoint the container is judged and rewritten as of any other, and its processes are not.
 */
static int create_under(struct laz_call *call, struct laz_bundle *bundle, const char *name,
        const struct laz_host_policy *policy, struct laz_err *err)
{
    struct laz_note *note = &call->note;
    laz_audit_policy(note, name, policy);
    note->is_restored = call->arguments->verb == LAZ_VERB_RESTORE;
    if (note->is_restored && policy->host.checkpoint != LAZ_HOST_VERB_ALLOW) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "restore: what the processes may do is in the image of the checkpoint, and not "
                "looked at (host.checkpoint: refuse)");
    }
    return confine(call, bundle, policy, name, err);
}

static int create_in(struct laz_call *call, struct laz_bundle *bundle, struct laz_err *err)
{
    const char *selected = NULL;
    char name[LAZ_OCI_WORD_SIZE];
    struct laz_host_policy *policy = NULL;
    if (laz_select(call, bundle, &selected, err) < 0 || selected == NULL) {
        return -1;
    }
    (void)laz_format(name, sizeof(name), "%s", selected);
    if (strcmp(selected, LAZ_RUNTIME_PASS_THROUGH) == 0) {
        const struct laz_plan none = {.policy = NULL};
        laz_audit_policy(&call->note, name, NULL);
        return remember(call, bundle, &none, name, &bundle->text, err);
    }
    if (laz_place_judge_root(bundle, err) < 0 || laz_select_stricter(call, bundle, name, err) < 0 ||
            laz_call_load_policy(call, name, &policy, err) < 0) {
        return -1;
    }
    int result = create_under(call, bundle, name, policy, err);
    laz_call_free_policy(policy);
    return result;
}

int laz_call_create(struct laz_call *call, struct laz_err *err)
{
    struct laz_bundle bundle;
    const struct laz_arguments *arguments = call->arguments;
    const char *path = arguments->values[LAZ_OPTION_BUNDLE];
    if (arguments->values[LAZ_OPTION_CONFIG] != NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "--config: another file than the bundle's");
    }
    if (arguments->id == NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "no container is named");
    }
    int result = laz_bundle_open(path == NULL ? "." : path, &bundle, err);
    if (result == 0) {
        result = create_in(call, &bundle, err);
    }
    laz_bundle_done(&bundle);
    return result;
}
