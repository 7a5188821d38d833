/* SPDX-License-Identifier: Apache-2.0
 *
 * What TLS must be, whoever is the client and whoever the server: versions, suites, groups,
 * signatures and keys. One list for each profile; nothing here depends on what the system's
 * configuration of OpenSSL says. Specification: NIST SP 800-52 revision 2, 3.1 to 3.5.
 */
#ifndef LAZ_NET_TLS_PROFILE_H
#define LAZ_NET_TLS_PROFILE_H

#include <stdbool.h>

#include <openssl/types.h>

#include "core/err.h"
#include "core/tls_words.h"

/* For a context of a client or a server, before anything is loaded into it. Afterwards it takes
 * part in no handshake beyond the profile, asks for the peer's certificate, and takes no chain with
 * a weak link. A server may change the mode of SSL_CTX_set_verify, but must leave it its callback
 * (SSL_CTX_get_verify_callback), which looks at the links. LAZ_E_INTERNAL. */
LAZ_MUST_CHECK int laz_tls_harden(
        SSL_CTX *context, enum laz_tls_profile profile, struct laz_err *err);

/* After the handshake: is TLS 1.2 bound to its handshake (RFC 7627)? OpenSSL asks for that and goes
 * on without. */
bool laz_tls_is_bound(SSL *session);

#endif
