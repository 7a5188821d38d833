/* SPDX-License-Identifier: Apache-2.0
 *
 * How a role that encrypts, signs or verifies begins with OpenSSL.
 */
#ifndef LAZ_INIT_ROLE_CRYPTO_H
#define LAZ_INIT_ROLE_CRYPTO_H

#include "core/err.h"
#include "core/tls_words.h"

/* Once, before anything is computed and before the filter of the role: no configuration of the
 * system, and the FIPS module where `wanted` says so. LAZ_E_FIPS if it has to be and is not. */
LAZ_MUST_CHECK int laz_role_begin_crypto(
        enum laz_tls_fips wanted, enum laz_fips_state *ret, struct laz_err *err);

#endif
