/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies of the host, by their names.
 */
#include "shim/call.h"

#include <errno.h>
#include <stdlib.h>

#include "policy/diagnostic.h"

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
