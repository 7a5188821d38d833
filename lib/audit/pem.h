/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in PEM. Asks nobody for a passphrase.
 */
#ifndef LAZ_AUDIT_PEM_H
#define LAZ_AUDIT_PEM_H

#include <stdbool.h>

#include <openssl/evp.h>

/* NULL if it is none, or has a passphrase. Free with EVP_PKEY_free. */
EVP_PKEY *laz_pem_read(const char *pem, bool is_private);

#endif
