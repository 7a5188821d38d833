/* SPDX-License-Identifier: Apache-2.0
 *
 * Which source an item has.
 */
#include "secret/source.h"

int laz_source_new(struct laz_reach *reach, uint32_t item, const struct laz_source_owner *owner,
        struct laz_source **ret, struct laz_err *err)
{
    switch (reach->means.config->items[item].source) {
    case LAZ_SECRET_FILE:
    case LAZ_SECRET_VARIABLE:
        return laz_source_new_given(reach, item, owner, ret, err);
    case LAZ_SECRET_SECRETS_MANAGER:
    case LAZ_SECRET_PARAMETER:
    case LAZ_SECRET_PARAMETERS:
    case LAZ_SECRET_PARAMETER_TREE:
        return laz_source_new_aws(reach, item, owner, ret, err);
    case LAZ_SECRET_VAULT:
        return laz_source_new_vault(reach, item, owner, ret, err);
    case LAZ_SECRET_IDENTITY:
        return laz_source_new_identity(reach, item, owner, ret, err);
    case LAZ_SECRET_SOURCE_COUNT:
        break;
    }
    return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such source");
}

enum laz_secret_fault laz_secret_fault_of(enum laz_call_verdict verdict)
{
    switch (verdict) {
    case LAZ_CALL_ABSENT:
        return LAZ_SECRET_FAULT_ABSENT;
    case LAZ_CALL_DENIED:
        return LAZ_SECRET_FAULT_DENIED;
    case LAZ_CALL_CREDENTIALS:
    case LAZ_CALL_CLOCK:
        return LAZ_SECRET_FAULT_CREDENTIALS;
    case LAZ_CALL_UNTRUSTED:
        return LAZ_SECRET_FAULT_UNTRUSTED;
    case LAZ_CALL_TAKEN:
    case LAZ_CALL_AGAIN:
    case LAZ_CALL_SLOWER:
    case LAZ_CALL_REFUSED:
        break;
    }
    return LAZ_SECRET_FAULT_REFUSED;
}

void laz_source_free(struct laz_source *source)
{
    if (source != NULL) {
        source->kind->free(source);
    }
}
