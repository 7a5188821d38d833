/* SPDX-License-Identifier: Apache-2.0
 *
 * The causes of the error catalogue: for the command line and the docs, too long for PID 1 to
 * carry.
 */
#include "core/err.h"

const char *laz_err_cause(enum laz_err_kind kind)
{
    static const char *const causes[LAZ_E_COUNT] = {
            [LAZ_E_NONE] = "",
#define LAZ_ERROR(id, name, exit_code, cause, remedy) [LAZ_E_##id] = (cause),
#include "core/err.def"
#undef LAZ_ERROR
    };
    return causes[kind < LAZ_E_COUNT ? kind : LAZ_E_INTERNAL];
}
