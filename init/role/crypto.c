/* SPDX-License-Identifier: Apache-2.0
 *
 * The first two calls to OpenSSL, in this order.
 */
#include "init/role/crypto.h"

#include "audit/crypto.h"
#include "net/fips.h"

int laz_role_begin_crypto(enum laz_tls_fips wanted, enum laz_fips_state *ret, struct laz_err *err)
{
    if (laz_crypto_begin(err) < 0) {
        return -1;
    }
    const struct laz_fips_place place = laz_fips_system_place();
    return laz_fips_begin(wanted, &place, ret, err);
}
