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

#endif
