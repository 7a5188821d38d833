/* SPDX-License-Identifier: Apache-2.0
 *
 * What a hook says of a container in the host's own ledger (core/ledger.h): that it is created,
 * what was delivered, that it ended, and what was refused. Names and digests, never a value.
 */
#ifndef LAZ_HOOKS_NOTE_H
#define LAZ_HOOKS_NOTE_H

#include "hooks/bundle.h"
#include "hooks/call.h"

#define LAZ_HOOK_ITEMS_MAX 32

struct laz_hook_note {
    const struct laz_hook_call *call;
    const struct laz_hook_bundle *bundle; /* NULL: it could not be opened, or is gone */
    const struct laz_err *refusal;        /* NULL: it went well */
    const char *delivered[LAZ_HOOK_ITEMS_MAX];
    size_t n_delivered;
};

/* One record, on the disk. LAZ_E_LEDGER, LAZ_E_HOST_UNSAFE. */
LAZ_MUST_CHECK int laz_hook_write_note(
        const struct laz_hook_note *note, const char *path, struct laz_err *err);

#endif
