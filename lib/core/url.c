/* SPDX-License-Identifier: Apache-2.0
 *
 * URLs, RFC 3986, as far as somebody is to be asked there.
 */
#include "core/url.h"

#include <string.h>

#include "core/num.h"

static bool is_printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || *c == '#' || *c == '@' || *c == '\\' || *c == '"') {
            return false;
        }
    }
    return true;
}

/* Behind the host: nothing, or a colon and a number. */
static bool read_port(const char *text, size_t length, struct laz_url *url)
{
    uint64_t port = url->is_https ? 443 : 80;
    if (length > 0 && (text[0] != ':' || !laz_parse_u64(text + 1, length - 1, UINT16_MAX, &port))) {
        return false;
    }
    url->port = (uint16_t)port;
    return port != 0;
}

bool laz_url_split(const char *text, struct laz_url *ret)
{
    struct laz_url url = {.is_https = strncmp(text, "https://", 8) == 0};
    size_t scheme = url.is_https ? 8 : 7;
    if ((!url.is_https && strncmp(text, "http://", 7) != 0) || strlen(text) > LAZ_URL_MAX ||
            !is_printable(text)) {
        return false;
    }
    const char *authority = text + scheme;
    size_t length = strcspn(authority, "/?");
    url.path = authority + length;
    if (authority[0] == '[') {
        const char *end = memchr(authority, ']', length);
        if (end == NULL) {
            return false;
        }
        url.host = authority + 1;
        url.host_length = (size_t)(end - url.host);
    } else {
        const char *colon = memchr(authority, ':', length);
        url.host = authority;
        url.host_length = colon == NULL ? length : (size_t)(colon - authority);
    }
    const char *behind = url.host + url.host_length + (authority[0] == '[' ? 1 : 0);
    if (url.host_length == 0 || url.host_length > LAZ_URL_HOST_MAX || url.path[0] == '?' ||
            !read_port(behind, (size_t)(url.path - behind), &url)) {
        return false;
    }
    *ret = url;
    return true;
}
