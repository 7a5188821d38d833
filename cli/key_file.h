/* SPDX-License-Identifier: Apache-2.0
 *
 * A key in PEM, from a file, for as short a time as it takes to make something of it.
 */
#ifndef LAZ_CLI_KEY_FILE_H
#define LAZ_CLI_KEY_FILE_H

#include "core/err.h"

#define LAZ_KEY_FILE_MAX 12288 /* bytes: RSA of 8192 bits in PEM has 6500 */

struct laz_key_file {
    char pem[LAZ_KEY_FILE_MAX + 1];
};

/* LAZ_E_SYSTEM, or LAZ_E_POLICY_TOO_LARGE. Whatever it returns: wipe it. */
LAZ_MUST_CHECK int laz_key_file_read(
        const char *path, struct laz_key_file *ret, struct laz_err *err);
void laz_key_file_wipe(struct laz_key_file *file);
#define laz_cleanup_key_file __attribute__((cleanup(laz_key_file_wipe)))

#endif
