/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of the policy for how Lazaret itself speaks TLS, shared by its compiled form and by
 * whoever connects. What they mean is in net/tls_profile.h.
 */
#ifndef LAZ_CORE_TLS_WORDS_H
#define LAZ_CORE_TLS_WORDS_H

/* The first is the stricter one, and the default. */
#define LAZ_TLS_PROFILES(X)                                                                        \
    X(SP800_52R2, "sp800-52r2") /* of NIST SP 800-52r2 what has forward secrecy and AEAD */        \
    X(MODERN, "modern")         /* and X25519, Ed25519, ChaCha20-Poly1305 */

enum laz_tls_profile {
#define X(id, word) LAZ_TLS_##id,
    LAZ_TLS_PROFILES(X)
#undef X
    LAZ_TLS_PROFILE_COUNT
};

/* Whether what computes is OpenSSL's FIPS module; each is stricter than the one before it. */
#define LAZ_TLS_FIPS(X)                                                                            \
    X(OFF, "off")                                                                                  \
    X(PREFER, "prefer")                                                                            \
    X(REQUIRED, "required")

enum laz_tls_fips {
#define X(id, word) LAZ_TLS_FIPS_##id,
    LAZ_TLS_FIPS(X)
#undef X
    LAZ_TLS_FIPS_COUNT
};

/* What came of it, in the words of init.start. */
#define LAZ_FIPS_STATES(X)                                                                         \
    X(UNASKED, "")                                                                                 \
    X(ON, "on")                                                                                    \
    X(STATIC, "off: lazaret-helper is linked statically")                                          \
    X(ABSENT, "off: there is no module")                                                           \
    X(BROKEN, "off: the module does not work")

enum laz_fips_state {
#define X(id, words) LAZ_FIPS_##id,
    LAZ_FIPS_STATES(X)
#undef X
    LAZ_FIPS_STATE_COUNT
};

#endif
