/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures, each as botocore 1.29 makes it of the same request; tests/e2e/cloudwatch_test.py
 * compares many more. And what is not signed.
 */
#include "net/sigv4.h"

#include <string.h>

#include <criterion/criterion.h>

static char fives[5000];

static const struct row {
    struct laz_sigv4_request request;
    struct laz_sigv4_key key;
    const char *expected;
} rows[] = {
        {{"POST", "/",
                 (const struct laz_header[]){{"host", "logs.us-east-1.amazonaws.com"},
                         {"x-amz-date", "20261122T114243Z"},
                         {"content-type", "application/x-amz-json-1.1"},
                         {"x-amz-target", "Logs_20140328.PutLogEvents"}},
                 4, "{\"a\":1}", 7},
                {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "logs",
                        "20261122T114243Z"},
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/logs/aws4_request, "
                "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
                "Signature=1db8a5a45b6a3b1d9ae799f95782c8d80097a4c1ab83eb68019cd90497f9485f"},
        {{"POST", "/",
                 (const struct laz_header[]){{"x-amzn-logs-format", "json/emf"},
                         {"x-amz-security-token", "FwoGZXIvYXdzEA=="},
                         {"x-amz-target", "Logs_20140328.PutLogEvents"},
                         {"content-type", "application/x-amz-json-1.1"},
                         {"x-amz-date", "20240229T235959Z"}, {"host", "127.0.0.1:8443"}},
                 6, "", 0},
                {"ASIAEXAMPLE", "secret", "eu-central-1", "logs", "20240229T235959Z"},
                "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20240229/eu-central-1/logs/aws4_request, "
                "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target;"
                "x-amzn-logs-format, "
                "Signature=0473cd853ce1397710db9c43425e499d4c97600c35a9d8ed6ae8c2233709c8fa"},
        {{"GET", "/a/b-c_d.e~f/",
                 (const struct laz_header[]){{"host", "example.amazonaws.com"},
                         {"x-amz-date", "20150830T123600Z"}, {"my-header", "  a   b \t c  "}},
                 3, fives, sizeof(fives)},
                {"AKIDEXAMPLE", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", "cn-north-1", "service",
                        "20150830T123600Z"},
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/cn-north-1/service/aws4_request, "
                "SignedHeaders=host;my-header;x-amz-date, "
                "Signature=dae1578521ded5266ed049079c81de214b53c55cb7279e2916745f4fdbb0963c"},
};

Test(sigv4, signs_as_botocore_does)
{
    (void)memset(fives, 'x', sizeof(fives));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_err err = {0};
        struct laz_buf buf;
        char text[LAZ_SIGV4_MAX];
        laz_buf_init_fixed(&buf, text, sizeof(text));
        cr_assert_eq(
                laz_sigv4_sign(&rows[i].request, &rows[i].key, &buf, &err), 0, "%s", err.message);
        cr_assert_str_eq(text, rows[i].expected);
    }
}

Test(sigv4, refuses_what_it_would_sign_wrongly)
{
    static const struct {
        const char *path;
        struct laz_header headers[2];
        const char *date;
        const char *region;
    } bad[] = {
            {"", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/a b", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/a?b", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"//", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/../", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/%41", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/", {{"host", "a"}, {"host", "b"}}, "20261122T114243Z", "r"},
            {"/", {{"Host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/", {{"host", "a\r\nx: y"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/", {{"", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r"},
            {"/", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122", "r"},
            {"/", {{"host", "a"}, {"x-amz-date", "b"}}, "20261122T114243Z", "r/s"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct laz_sigv4_request request = {.method = "POST",
                .path = bad[i].path,
                .headers = bad[i].headers,
                .n_headers = 2,
                .body = ""};
        const struct laz_sigv4_key key = {"A", "S", bad[i].region, "logs", bad[i].date};
        struct laz_err err = {0};
        struct laz_buf buf;
        char text[LAZ_SIGV4_MAX];
        laz_buf_init_fixed(&buf, text, sizeof(text));
        cr_assert_eq(laz_sigv4_sign(&request, &key, &buf, &err), -1, "row %zu", i);
        cr_assert_eq(err.kind, LAZ_E_INTERNAL);
        cr_assert_str_eq(err.message, "a request that cannot be signed");
        cr_assert_eq(buf.len, 0);
    }
}

Test(sigv4, dates_are_of_utc)
{
    char text[LAZ_SIGV4_DATE_SIZE];
    laz_sigv4_date(0, text);
    cr_assert_str_eq(text, "19700101T000000Z");
    laz_sigv4_date(1795347763, text);
    cr_assert_str_eq(text, "20261122T114243Z");
}
