/* SPDX-License-Identifier: Apache-2.0
 *
 * Absolute http and https URLs, as text. Looks nothing up.
 */
#ifndef LAZ_CORE_URL_H
#define LAZ_CORE_URL_H

#include <stddef.h>

#include "core/err.h"

#define LAZ_URL_MAX      2048
#define LAZ_URL_HOST_MAX 253 /* characters, RFC 1035 */

/* Parts of the text that was split; borrowed from it. */
struct laz_url {
    bool is_https;
    const char *host; /* without brackets, not terminated */
    size_t host_length;
    uint16_t port;
    const char *path; /* with what is behind it, to the end of the text; "" is not made "/" */
};

/* false unless it is SCHEME://HOST[:PORT][/PATH] of printable ASCII, without a user or a fragment.
 * An IPv6 address stands in brackets. What the host may be is for the caller to say. */
LAZ_MUST_CHECK bool laz_url_split(const char *text, struct laz_url *ret);

#endif
