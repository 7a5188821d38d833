/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL's FIPS module, loaded by name and looked at: it is never used because a configuration
 * file says so, and never left out because one does. What it was validated for, nobody here knows.
 */
#ifndef LAZ_NET_FIPS_H
#define LAZ_NET_FIPS_H

#include "core/err.h"
#include "core/tls_words.h"

/* Where to look. */
struct laz_fips_place {
    const char *modules; /* the folder of fips.so */
    const char *config;  /* that of fipsmodule.cnf, which the module may do without */
};

/* OpenSSL's own, where the process has it; static. */
struct laz_fips_place laz_fips_system_place(void);

/* Once in a process, after laz_crypto_begin, before anything is computed, and before its filter:
 * code is loaded. From then on all that OpenSSL computes in the process is the module's, and what
 * the module has not fails; the trail's Ed25519 alone may be OpenSSL's (audit/crypto.c).
 * LAZ_E_FIPS where it is required and not so. Where it is preferred and not so, all is as if
 * nothing had been asked for, and *ret says why. */
LAZ_MUST_CHECK int laz_fips_begin(enum laz_tls_fips wanted, const struct laz_fips_place *place,
        enum laz_fips_state *ret, struct laz_err *err);

#endif
