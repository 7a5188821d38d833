/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies of the host, by their names.
 */
#include "shim/call.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/diagnostic.h"
#include "policy/narrow.h"

int laz_call_load_policy(const char *name, struct laz_policy **ret, struct laz_err *err)
{
    struct laz_diagnostics *diagnostics = malloc(sizeof(*diagnostics));
    if (diagnostics == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, errno, "no memory");
    }
    int result = laz_runtime_policy_load(name, diagnostics, ret, err);
    free(diagnostics);
    return result;
}

int laz_call_find_widening(const char *child, const char *parent, bool *ret,
        struct laz_widening *ret_widening, struct laz_err *err)
{
    struct laz_policy *child_policy = NULL;
    struct laz_policy *parent_policy = NULL;
    int result = laz_call_load_policy(child, &child_policy, err);
    if (result == 0) {
        result = laz_call_load_policy(parent, &parent_policy, err);
    }
    if (result == 0) {
        *ret = laz_policy_find_widening(child_policy, parent_policy, ret_widening);
    }
    laz_policy_free(child_policy);
    laz_policy_free(parent_policy);
    return result;
}
