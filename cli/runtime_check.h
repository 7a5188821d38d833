/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the shim could work with this host's file.
 */
#ifndef LAZ_CLI_RUNTIME_CHECK_H
#define LAZ_CLI_RUNTIME_CHECK_H

#include "core/err.h"

/* /etc/lazaret/runtime.yaml, what it names and every policy of it are as lazaret-shim needs them.
 * The first error otherwise; nothing is printed. */
LAZ_MUST_CHECK int laz_runtime_require(struct laz_err *err);

#endif
