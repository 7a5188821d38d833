/* SPDX-License-Identifier: Apache-2.0
 *
 * Put a whole file in the place of another, or leave the other as it is: never half of one.
 */
#ifndef LAZ_CLI_REPLACE_H
#define LAZ_CLI_REPLACE_H

#include <stddef.h>
#include <sys/types.h>

#include "core/err.h"

/* Write a temporary file in the same directory, flush it to the disk, give it exactly this mode,
 * rename it over `path`, and flush the directory. On failure nothing is left behind. LAZ_E_SYSTEM.
 */
LAZ_MUST_CHECK int laz_cli_replace_file(
        const char *path, const void *bytes, size_t length, mode_t mode, struct laz_err *err);

#endif
