/* SPDX-License-Identifier: Apache-2.0
 *
 * create and run: the policy is selected, what is asked for is judged, and the container's own
 * file is rewritten, so that lazaret-init runs in front of the workload. Before the first write
 * everything is decided; a shim that is killed leaves a file that is the old one or the new one.
 */
#include <stdio.h>
#include <string.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/sha256.h"
#include "oci/change.h"
#include "oci/record.h"
#include "policy/narrow.h"
#include "shim/bundle.h"
#include "shim/call.h"
#include "shim/clamp.h"
#include "shim/image.h"
#include "shim/judge.h"

#define CGROUPS_PATH_SIZE 1024
#define TIGHTEN           "io.lazaret.policy"
#define LENGTH(array)     (sizeof(array) / sizeof((array)[0]))

/* What engines mask and write-protect, whether this one did or not. */
static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts",
        "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"};
static const char *const guarded[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
static const char *const unguarded[] = {"/sys"}; /* writable in a privileged container */

/* ---- which policy ---- */

static int select_policy(const struct laz_call *call, const struct laz_bundle *bundle,
        const char **ret, struct laz_err *err)
{
    char path[CGROUPS_PATH_SIZE] = "";
    const struct laz_json_node *node = bundle->container.cgroups_path;
    if (node != NULL && !laz_json_copy(&bundle->spec.doc, node, path, sizeof(path))) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "linux.cgroupsPath is too long, or no text");
    }
    *ret = laz_runtime_select(call->runtime, call->argv0, node == NULL ? NULL : path);
    if (*ret == NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "no policy of " LAZ_RUNTIME_FILE " is for this container, with cgroup \"%.200s\"",
                path);
    }
    return 0;
}

/* Whoever made the container may name another policy of the host's, if it allows nothing more. */
static int tighten(const struct laz_bundle *bundle, struct laz_policy **policy, char *name,
        size_t size, struct laz_err *err)
{
    struct laz_widening widening;
    struct laz_policy *other = NULL;
    const struct laz_json_node *node = laz_oci_annotation(&bundle->spec, TIGHTEN);
    if (node == NULL) {
        return 0;
    }
    if (!laz_json_copy(&bundle->spec.doc, node, name, size)) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "annotation " TIGHTEN " is no name of a policy");
    }
    if (laz_call_load_policy(name, &other, err) < 0) {
        return laz_err_context(err, "annotation " TIGHTEN);
    }
    if (laz_policy_find_widening(other, *policy, &widening)) {
        laz_policy_free(other);
        return laz_err_set(err, LAZ_E_POLICY_WIDENED, 0,
                "annotation " TIGHTEN ": policy %s allows what %s does not: %s %s", name,
                (*policy)->name, widening.key, widening.value);
    }
    laz_policy_free(*policy);
    *policy = other;
    return 0;
}

/* ---- what becomes of the file ---- */

static bool is_init_of_engine(const struct laz_bundle *bundle, const struct laz_json_node *first)
{
    static const char *const paths[] = {"/sbin/docker-init", "/run/podman-init", "/dev/init"};
    const struct laz_oci_spec *spec = &bundle->spec;
    const struct laz_json_node *node = NULL;
    for (size_t i = 0; i < LENGTH(paths); i++) {
        while (laz_oci_is(spec, first, paths[i]) && bundle->container.mounts != NULL &&
                (node = laz_json_next(&spec->doc, bundle->container.mounts, node)) != NULL) {
            if (laz_oci_is(spec, laz_oci_mount(spec, node).destination, paths[i])) {
                return true;
            }
        }
    }
    return false;
}

static int put_init(
        struct laz_oci_change *change, const struct laz_bundle *bundle, struct laz_err *err)
{
    static const char *const words[] = {
            LAZ_CONTAINER_INIT, LAZ_CONTAINER_OPTION, LAZ_CONTAINER_POLICY, "--"};
    const struct laz_oci_strings init = {words, LENGTH(words)};
    const struct laz_json_doc *doc = &bundle->spec.doc;
    const struct laz_json_node *args = bundle->process.args;
    const struct laz_json_node *first = args == NULL ? NULL : laz_json_next(doc, args, NULL);
    const struct laz_json_node *second = first == NULL ? NULL : laz_json_next(doc, args, first);
    if (first == NULL) {
        return laz_err_set(err, LAZ_E_REQUEST, 0, "a container without a command");
    }
    if (!laz_oci_is(&bundle->spec, first, LAZ_CONTAINER_INIT) &&
            laz_clamp_ends_with(&bundle->spec, first, "/lazaret-init")) {
        return laz_err_set(err, LAZ_E_REQUEST, 0,
                "the image brings its own lazaret-init, and this host its own: "
                "select " LAZ_RUNTIME_PASS_THROUGH " for it, or start its command without");
    }
    size_t n_drop =
            is_init_of_engine(bundle, first) && laz_oci_is(&bundle->spec, second, "--") ? 2 : 0;
    return laz_oci_prepend_args(change, n_drop, &init, err);
}

static int put_mounts(struct laz_oci_change *change, const char *image, struct laz_err *err)
{
    static const char *const options[] = {"rbind", "ro", "nosuid", "nodev"};
    static const char *const file_options[] = {"bind", "ro", "nosuid", "nodev", "noexec"};
    const struct laz_oci_new_mount programs = {
            LAZ_CONTAINER_FOLDER, "bind", LAZ_HOST_PROGRAMS, {options, LENGTH(options)}};
    const struct laz_oci_new_mount policy = {
            LAZ_CONTAINER_POLICY, "bind", image, {file_options, LENGTH(file_options)}};
    if (laz_oci_add_mount(change, &programs, err) < 0) {
        return -1;
    }
    return laz_oci_add_mount(change, &policy, err);
}

static int put_paths(struct laz_oci_change *change, const struct laz_policy_host *host,
        bool is_privileged, struct laz_err *err)
{
    const struct laz_oci_strings lists[] = {
            {masked, LENGTH(masked)},
            {(const char *const *)host->masked_paths.items, host->masked_paths.n},
            {guarded, LENGTH(guarded)},
            {(const char *const *)host->readonly_paths.items, host->readonly_paths.n},
            {unguarded, is_privileged ? LENGTH(unguarded) : 0},
    };
    for (size_t i = 0; i < LENGTH(lists); i++) {
        int result = i < 2 ? laz_oci_mask_paths(change, &lists[i], err)
                           : laz_oci_readonly_paths(change, &lists[i], err);
        if (result < 0) {
            return -1;
        }
    }
    return 0;
}

static int drop_annotations(struct laz_oci_change *change, struct laz_err *err)
{
    size_t ignored = 0;
    for (size_t i = 0; laz_judge_annotations[i] != NULL; i++) {
        if (laz_oci_drop_annotations(change, laz_judge_annotations[i], &ignored, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int rewrite(const struct laz_bundle *bundle, const struct laz_policy *policy,
        const char *image, bool is_privileged, struct laz_buf *ret, struct laz_err *err)
{
    laz_cleanup_oci_change struct laz_oci_change change = {0};
    if (laz_oci_change_init(&change, &bundle->spec, err) < 0 ||
            laz_clamp(&change, policy, bundle->process.uid == 0, err) < 0 ||
            put_init(&change, bundle, err) < 0 || put_mounts(&change, image, err) < 0 ||
            put_paths(&change, &policy->host, is_privileged, err) < 0 ||
            drop_annotations(&change, err) < 0) {
        return -1;
    }
    return laz_oci_change_apply(&change, ret, err);
}

/* ---- what is remembered ---- */

static void put_digest(const void *bytes, size_t length, char ret[LAZ_OCI_DIGEST_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    laz_sha256_of(bytes, length, digest);
    laz_format_hex(digest, LAZ_SHA256_SIZE, ret);
}

/* Also of a container without a policy: an exec into it is then known to be one. */
static int remember(const struct laz_call *call, const struct laz_policy *policy, const char *name,
        const struct laz_buf *text, struct laz_err *err)
{
    static const uint8_t none[LAZ_SHA256_SIZE] = {0};
    struct laz_oci_record record = {0};
    laz_cleanup_fd int folder = -1;
    (void)laz_format(record.policy, sizeof(record.policy), "%s", name);
    (void)laz_format(record.mode, sizeof(record.mode), "%s",
            policy == NULL ? name : laz_mode_name(policy->mode));
    laz_format_hex(
            policy == NULL ? none : policy->source_digest, LAZ_SHA256_SIZE, record.policy_digest);
    put_digest(text->data, text->len, record.config_digest);
    if (laz_clamp_open_records(call->arguments, true, &folder, err) < 0) {
        return -1;
    }
    return laz_oci_record_save(folder, call->arguments->id, &record, err);
}

static int confine(const struct laz_call *call, struct laz_bundle *bundle,
        const struct laz_policy *policy, const char *name, struct laz_err *err)
{
    char image[LAZ_IMAGE_PATH_SIZE];
    bool is_privileged = false;
    laz_cleanup_buf struct laz_buf text;
    laz_buf_init_heap(&text, LAZ_OCI_TEXT_MAX + 1);
    if (laz_judge(bundle, policy, &is_privileged, err) < 0 ||
            laz_image_place(policy, image, err) < 0 ||
            rewrite(bundle, policy, image, is_privileged, &text, err) < 0 ||
            remember(call, policy, name, &text, err) < 0) {
        return -1;
    }
    return laz_bundle_write(bundle, &text, err);
}

static int create_in(const struct laz_call *call, struct laz_bundle *bundle, struct laz_err *err)
{
    const char *selected = NULL;
    char name[LAZ_OCI_WORD_SIZE];
    struct laz_policy *policy = NULL;
    if (select_policy(call, bundle, &selected, err) < 0 || selected == NULL) {
        return -1;
    }
    (void)laz_format(name, sizeof(name), "%s", selected);
    if (strcmp(selected, LAZ_RUNTIME_PASS_THROUGH) == 0) {
        return remember(call, NULL, name, &bundle->text, err);
    }
    int result = laz_call_load_policy(name, &policy, err);
    if (result == 0) {
        result = tighten(bundle, &policy, name, sizeof(name), err);
    }
    if (result == 0 && call->arguments->verb == LAZ_VERB_RESTORE) {
        result = policy->host.restore == LAZ_HOST_VERB_ALLOW
                ? 0
                : laz_err_set(err, LAZ_E_REQUEST, 0,
                          "restore: what the processes may do is in the image of the "
                          "checkpoint, and not looked at (host.restore)");
    } else if (result == 0) {
        result = confine(call, bundle, policy, name, err);
    }
    laz_policy_free(policy);
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
