/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS as a client: one way to verify a peer, for all who connect. The profile of the policy, the
 * chain and the name in the certificate (subjectAltName; never the common name), no renegotiation,
 * no compression, no session resumed: a certificate that has expired meanwhile would not be looked
 * at. There is no switch to leave any of it out.
 */
#ifndef LAZ_NET_TLS_H
#define LAZ_NET_TLS_H

#include <stddef.h>

#include <openssl/types.h>

#include "core/err.h"
#include "core/tls_words.h"
#include "core/trusted.h"

#define LAZ_TLS_FILE_MAX                                                                           \
    (1U << 20) /* bytes of a PEM file; a bundle of all public CAs is a fifth                       \
                */

#define LAZ_TLS_KEY_MAX (1U << 15) /* of one with a key; RSA of 16384 bits has half of it */

/* The plan's files, opened while the process still could. Those that the plan does not name: -1. */
struct laz_tls_files {
    int ca;
    int cert;
    int key;
};

struct laz_tls_plan {
    const char
            *ca; /* PEM files. Whose certificates are good; "" where it serves, and asks for none */
    const char *cert; /* ours, and what leads from it to a CA; "" for none */
    const char *key;
    const char *peer;     /* the name, or the address, that the peer's certificate must have */
    bool serves;          /* others connect to us; `peer` is not looked at */
    bool requires_client; /* they have to show a certificate */
    enum laz_tls_profile profile;
    const struct laz_tls_files *files; /* borrowed; NULL: they are opened by their paths */
    const struct laz_tls *like;        /* it has this very key, which is shared; NULL: nobody has */
};

struct laz_tls;

/* Where this system has its CAs; static. */
const char *laz_tls_system_ca(void);

/* Opens all of the plan's files or none, and looks into none of them. With a party, who may have no
 * hand in them (core/trusted.h). LAZ_E_SINK. */
LAZ_MUST_CHECK int laz_tls_files_open(const struct laz_tls_plan *plan,
        const struct laz_party *party, struct laz_tls_files *ret, struct laz_err *err);
void laz_tls_files_close(struct laz_tls_files *files);

/* Reads the files, which are not needed afterwards. LAZ_E_SINK with the file and what is wrong in
 * it; LAZ_E_MEMORY: it may be good. */
LAZ_MUST_CHECK int laz_tls_new(
        const struct laz_tls_plan *plan, struct laz_tls **ret, struct laz_err *err);
void laz_tls_free(struct laz_tls *tls);

/* For one connection. NULL without memory. Free with SSL_free. */
SSL *laz_tls_session(const struct laz_tls *tls);

/* After the handshake, of the peer's certificate: is this one of its subjectAltNames? "dns:NAME",
 * compared without regard to case and without wildcards, or a URI, byte for byte. */
bool laz_tls_has_name(SSL *session, const char *name);

/* After the handshake, once more, what the handshake has checked. */
bool laz_tls_is_verified(SSL *session);

/* Was the peer somebody, and not whom we trust? The same peer would be refused again. */
bool laz_tls_is_untrusted(SSL *session);

/* Why a handshake, or a connection, ended: the certificate's fault, or else OpenSSL's `error`; ""
 * if neither. */
void laz_tls_why(SSL *session, unsigned long error, char *ret, size_t size);

#endif
