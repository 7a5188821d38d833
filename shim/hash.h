/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 of a whole file, as sha256sum(1) prints it.
 */
#ifndef LAZ_SHIM_HASH_H
#define LAZ_SHIM_HASH_H

#include <stdbool.h>

#include "core/sha256.h"

#define LAZ_HASH_SIZE (2 * LAZ_SHA256_SIZE + 1) /* hexadecimal, with a NUL */

/* false: it cannot be read, or has more than 8 MiB, fifty times what lazaret-init has. */
bool laz_hash_file(int fd, char ret[LAZ_HASH_SIZE]);

#endif
