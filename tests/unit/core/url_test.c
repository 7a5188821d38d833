/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/core/url: what is an address to ask, and what only looks like one.
 */
#include "core/url.h"

#include <string.h>

#include <criterion/criterion.h>

Test(url, is_split_into_its_parts)
{
    static const struct {
        const char *text;
        bool is_https;
        const char *host;
        uint16_t port;
        const char *path;
    } rows[] = {
            {"https://a.b", true, "a.b", 443, ""},
            {"http://a/", false, "a", 80, "/"},
            {"https://a:8443/x?y=z", true, "a", 8443, "/x?y=z"},
            {"http://[::1]:80/", false, "::1", 80, "/"},
            {"http://[fd00:ec2::23]/v1", false, "fd00:ec2::23", 80, "/v1"},
            {"https://[v6", true, NULL, 0, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_url url;
        bool is_good = laz_url_split(rows[i].text, &url);
        cr_assert_eq(is_good, rows[i].host != NULL, "%s", rows[i].text);
        if (is_good) {
            cr_assert_eq(url.is_https, rows[i].is_https, "%s", rows[i].text);
            cr_assert_eq(url.host_length, strlen(rows[i].host), "%s", rows[i].text);
            cr_assert_eq(memcmp(url.host, rows[i].host, url.host_length), 0, "%s", rows[i].text);
            cr_assert_eq(url.port, rows[i].port, "%s", rows[i].text);
            cr_assert_str_eq(url.path, rows[i].path);
        }
    }
}

Test(url, that_is_none_is_refused)
{
    static const char *const bad[] = {"", "a", "ftp://a", "HTTP://a", "http:/a", "http://",
            "http:///", "http://:80", "http://a:", "http://a:0", "http://a:65536", "http://a:8x",
            "http://a:-1", "http://u@a", "http://127.0.0.1@b/", "http://a/#x", "http://a b",
            "http://a/\n", "http://a\\b", "http://a?x", "http://[::1", "http://[::1]x", "http://[]",
            "http://[::1]:"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct laz_url url;
        cr_assert(!laz_url_split(bad[i], &url), "%s", bad[i]);
    }
}
