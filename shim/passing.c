/* SPDX-License-Identifier: Apache-2.0
 *
 * Records alone: neither a bundle nor a process is read.
 */
#include "shim/passing.h"

#include <string.h>

#include "core/fd.h"
#include "core/format.h"
#include "core/num.h"
#include "oci/record.h"
#include "shim/clamp.h"
#include "shim/sweep.h"

/* A line that runtimes read differently may be of any container. */
static bool has_container(const struct laz_arguments *arguments)
{
    return arguments->unclear == NULL && arguments->id != NULL && laz_oci_is_id(arguments->id);
}

void laz_passing_remember(struct laz_call *call)
{
    static const uint8_t none[LAZ_SHA256_SIZE] = {0};
    struct laz_err ignored = {0};
    struct laz_oci_record record = {
            .policy = LAZ_RUNTIME_PASS_THROUGH, .mode = LAZ_RUNTIME_PASS_THROUGH};
    laz_cleanup_fd int folder = -1;
    const unsigned making = LAZ_VERB_CREATE | LAZ_VERB_RUN | LAZ_VERB_RESTORE;
    if ((call->arguments->verb & making) == 0 || !has_container(call->arguments) ||
            !laz_sweep_knows(call) ||
            laz_clamp_open_records(call->arguments, true, &folder, &ignored) < 0 ||
            laz_sweep_begin(call, folder, &ignored) < 0 || laz_sweep_is_there(call, folder)) {
        return; /* the last: it keeps its own */
    }
    laz_format_hex(none, sizeof(none), record.policy_digest);
    laz_format_hex(none, sizeof(none), record.config_digest);
    laz_format_hex(none, sizeof(none), record.process_digest);
    laz_format_hex(none, sizeof(none), record.nameless_digest);
    call->has_record = laz_oci_record_save(folder, call->arguments->id, &record, &ignored) == 0;
}

bool laz_passing_is_bound(const struct laz_arguments *arguments)
{
    struct laz_err ignored = {0};
    struct laz_oci_record record = {0};
    bool is_found = false;
    laz_cleanup_fd int folder = -1;
    const unsigned entering = LAZ_VERB_EXEC | LAZ_VERB_UPDATE | LAZ_VERB_CHECKPOINT;
    if ((arguments->verb & entering) == 0 || !has_container(arguments)) {
        return false;
    }
    if (laz_clamp_open_records(arguments, false, &folder, &ignored) < 0) {
        return true;
    }
    if (folder >= 0 &&
            laz_oci_record_load(folder, arguments->id, &record, &is_found, &ignored) < 0) {
        return true;
    }
    return is_found && strcmp(record.policy, LAZ_RUNTIME_PASS_THROUGH) != 0;
}
