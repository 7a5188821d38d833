/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-hook: run by a container runtime on the host, as root, from entries that lazaret-shim
 * puts into config.json. `audit-create` judges what has been mounted in a container, it and
 * `audit-end` record it, `secrets` brings it the host's. It believes the host's own files alone;
 * whatever comes from the image is data. What it cannot do ends with 1, and then the container does
 * not begin. Manual: lazaret-hook(8).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "core/started.h"
#include "hooks/call.h"
#include "hooks/deliver.h"
#include "hooks/hygiene.h"
#include "hooks/look.h"
#include "hooks/note.h"
#include "policy/diagnostic.h"
#include "policy/runtime.h"

#define PATH_SIZE 32 /* of a process below /proc */

static int say(const struct laz_err *err)
{
    (void)fprintf(stderr, "lazaret-hook: error: %s: %s\n", laz_err_name(err->kind), err->message);
    return EXIT_FAILURE;
}

/* The first error alone: a runtime repeats all of stderr in one line of its own. */
static int load_runtime(struct laz_runtime **ret, struct laz_err *err)
{
    const struct laz_policy_source source = {.path = LAZ_RUNTIME_FILE, .check_ownership = true};
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    if (diagnostics == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory");
    }
    int result = laz_runtime_load(&source, diagnostics, ret, err);
    free(diagnostics);
    return result;
}

/* The one that the shim selected, and as it was then. */
static int load_policy(
        const struct laz_oci_record *record, struct laz_policy **ret, struct laz_err *err)
{
    char digits[LAZ_OCI_DIGEST_SIZE];
    struct laz_policy *policy = NULL;
    struct laz_diagnostics *diagnostics = calloc(1, sizeof(*diagnostics));
    if (diagnostics == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory");
    }
    int result = laz_runtime_policy_load(record->policy, diagnostics, &policy, err);
    free(diagnostics);
    if (result < 0) {
        return -1;
    }
    laz_format_hex(policy->source_digest, sizeof(policy->source_digest), digits);
    if (strcmp(digits, record->policy_digest) != 0) {
        laz_policy_free(policy);
        return laz_err_set(err, LAZ_E_POLICY_PIN, 0,
                "policy %.64s is not as it was when the container was created", record->policy);
    }
    *ret = policy;
    return 0;
}

/* What cannot be recorded does not happen, where the host says so. */
static int record(
        const struct laz_hook_note *note, const struct laz_runtime *runtime, struct laz_err *err)
{
    struct laz_err why = {0};
    if (laz_hook_write_note(note, runtime->audit_file, &why) == 0) {
        return 0;
    }
    if (!runtime->audit_required) {
        (void)say(&why);
        return 0;
    }
    *err = why;
    return -1;
}

static int bring_secrets(
        struct laz_hook_note *note, const struct laz_runtime *runtime, struct laz_err *err)
{
    struct laz_policy *policy = NULL;
    if (load_policy(&note->call->record, &policy, err) < 0) {
        return -1;
    }
    int result = laz_hook_deliver(policy, note, err);
    if (result == 0 && note->n_delivered > 0) {
        result = record(note, runtime, err);
    }
    laz_policy_free(policy);
    return result;
}

/* Of the mounts that the runtime has made. */
static int look(
        const struct laz_hook_note *note, const struct laz_runtime *runtime, struct laz_err *err)
{
    struct laz_policy *policy = NULL;
    if (load_policy(&note->call->record, &policy, err) < 0) {
        return -1;
    }
    int result = laz_hook_look(
            note->bundle, note->call->state.pid, &policy->host, runtime->audit_file, err);
    laz_policy_free(policy);
    return result;
}

/* Which process it begins with, for whoever enters it: in its root is what the host has mounted. */
static int keep_process(struct laz_hook_call *call, struct laz_err *err)
{
    char path[PATH_SIZE];
    laz_cleanup_fd int folder = -1;
    (void)laz_format(path, sizeof(path), "/proc/%u/stat", call->state.pid);
    if (!laz_started_read(AT_FDCWD, path, &call->record.started)) {
        return laz_err_set(err, LAZ_E_BUNDLE, 0, "%s: cannot be read", path);
    }
    call->record.pid = call->state.pid;
    if (laz_oci_record_folder(LAZ_OCI_RECORD_FOLDER, call->root_hash, false, &folder, err) < 0) {
        return -1;
    }
    return laz_oci_record_save(folder, call->state.id, &call->record, err);
}

/* Of a container that is gone the bundle may be, too. */
static int end(struct laz_hook_note *note, const struct laz_runtime *runtime, struct laz_err *err)
{
    laz_cleanup_fd int folder = -1;
    const struct laz_hook_call *call = note->call;
    if (record(note, runtime, err) < 0) {
        return -1;
    }
    if (laz_oci_record_folder(LAZ_OCI_RECORD_FOLDER, call->root_hash, false, &folder, err) < 0) {
        return -1;
    }
    return folder < 0 ? 0 : laz_oci_record_remove(folder, call->state.id, err);
}

static int act(struct laz_hook_call *call, const struct laz_runtime *runtime, struct laz_err *err)
{
    struct laz_hook_bundle bundle;
    struct laz_err why = {0};
    struct laz_hook_note note = {.call = call, .bundle = &bundle};
    int result = laz_hook_bundle_open(call->state.bundle, &bundle, &why);
    if (call->verb == LAZ_HOOK_AUDIT_END) {
        note.bundle = result < 0 ? NULL : &bundle;
        result = end(&note, runtime, err);
    } else if (result < 0) {
        *err = why;
    } else if (call->verb == LAZ_HOOK_SECRETS) {
        result = bring_secrets(&note, runtime, err);
    } else {
        result = look(&note, runtime, err) < 0 || keep_process(call, err) < 0
                ? -1
                : record(&note, runtime, err);
    }
    laz_hook_bundle_done(&bundle);
    return result;
}

/* Also where it cannot be recorded it is refused. */
static void record_refusal(const struct laz_hook_call *call, const struct laz_runtime *runtime,
        const struct laz_err *refusal)
{
    const struct laz_hook_note note = {.call = call, .refusal = refusal};
    struct laz_err ignored = {0};
    laz_ignore(laz_hook_write_note(&note, runtime->audit_file, &ignored));
}

static int run(struct laz_hook_call *call, struct laz_err *err)
{
    struct laz_runtime *runtime = NULL;
    if (load_runtime(&runtime, err) < 0 || runtime == NULL) {
        return -1;
    }
    int result = laz_hook_take_state(call, err) < 0 || laz_hook_take_record(call, err) < 0
            ? -1
            : act(call, runtime, err);
    if (result < 0 && err->kind != LAZ_E_BUSY) { /* it would wait for the same lock again */
        record_refusal(call, runtime, err);
    }
    laz_runtime_free(runtime);
    return result;
}

int main(int argc, char **argv)
{
    struct laz_err err = {0};
    struct laz_hook_call call = {0};
    if (laz_hook_clean(&err) < 0 || laz_hook_take_words(argc, argv, &call, &err) < 0 ||
            run(&call, &err) < 0) {
        return say(&err);
    }
    laz_oci_state_done(&call.state);
    free(call.text);
    return EXIT_SUCCESS;
}
