/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a config.json under a policy: lazaret-init runs in front of the workload, the
 * process is clamped, paths are hidden, and what a runtime would obey is dropped. Only the text is
 * made; nothing of the host is touched, so that it can also be shown.
 */
#include "shim/rewrite.h"

#include "oci/change.h"
#include "shim/call.h"
#include "shim/clamp.h"
#include "shim/entries.h"
#include "shim/init_words.h"
#include "shim/judge.h"
#include "shim/seccomp.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* What engines mask and write-protect, whether this one did or not. */
static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts",
        "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
        "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware"};
static const char *const guarded[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
static const char *const unguarded[] = {
        "/sys", "/sys/fs/cgroup"}; /* writable in a privileged container */

static int put_init(struct laz_oci_change *change, const struct laz_plan *plan, struct laz_err *err)
{
    const char *words[LAZ_INIT_WORDS_MAX];
    const struct laz_oci_strings init = {words, laz_init_words(plan->pin, words)};
    return laz_oci_prepend_args(change, plan->n_drop, &init, err);
}

static int put_mounts(struct laz_oci_change *change, const char *image, struct laz_err *err)
{
    static const char *const options[] = {"rbind", "ro", "nosuid", "nodev"};
    static const char *const file_options[] = {"bind", "ro", "nosuid", "nodev", "noexec"};
    const struct laz_oci_new_mount programs = {
            LAZ_CONTAINER_FOLDER, "bind", LAZ_HOST_PROGRAMS, {options, LENGTH(options)}, NULL};
    const struct laz_oci_new_mount policy = {LAZ_CONTAINER_POLICY, "bind", image,
            {file_options, LENGTH(file_options)},
            LAZ_IMAGE_FOLDER "/"}; /* of a policy that has been changed since */
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
    for (size_t i = 0; laz_judge_annotations[i] != NULL; i++) {
        if (laz_oci_drop_annotations(change, laz_judge_annotations[i], err) < 0) {
            return -1;
        }
    }
    return 0;
}

int laz_rewrite(const struct laz_bundle *bundle, const struct laz_plan *plan, struct laz_buf *ret,
        struct laz_err *err)
{
    const struct laz_host_policy *policy = plan->policy;
    laz_cleanup_oci_change struct laz_oci_change change = {0};
    if (laz_oci_change_init(&change, &bundle->spec, err) < 0 ||
            laz_clamp(&change, policy, bundle->process.uid == 0, err) < 0 ||
            (bundle->process.uid != 0 &&
                    laz_oci_set_groups(&change, policy->groups, policy->n_groups, err) < 0) ||
            put_init(&change, plan, err) < 0 || put_mounts(&change, plan->image, err) < 0 ||
            put_paths(&change, &policy->host, plan->is_privileged, err) < 0 ||
            laz_oci_part_root(&change, err) < 0 ||
            laz_seccomp_put(&change, &policy->host, plan->profile, err) < 0 ||
            (plan->hash != NULL && laz_entries_put(&change, policy, plan->hash, err) < 0) ||
            drop_annotations(&change, err) < 0) {
        return -1;
    }
    return laz_oci_change_apply(&change, ret, err);
}
