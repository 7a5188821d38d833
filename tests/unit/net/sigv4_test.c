/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures, each as botocore 1.29 makes it of the same request; tests/e2e/cloudwatch_test.py
 * compares many more. AWS's own examples. And what is not signed.
 */
#include "net/sigv4.h"

#include <stdio.h>
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

static const char body_hash[] = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
static const char short_token[] =
        "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
static const char session_token[] =
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBu"
        "FqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmU"
        "pp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY"
        "9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvK"
        "Tr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

/* The examples that AWS publishes (awslabs/aws-c-auth), as far as this signer can have the request.
 * post-header-key-case and post-sts-header-after are the request of post-vanilla, and
 * get-vanilla-query is that of get-vanilla. The others have a query, a path that is to be
 * normalised or encoded, or a header twice or folded: no request of ours has any of these, and
 * refuses_what_it_would_sign_wrongly shows that they are refused. */
static const struct {
    const char *name;
    struct laz_sigv4_request request;
    const char *names;
    const char *signature;
} examples[] = {
        {"get-vanilla",
                {"GET", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"x-amz-date", "20150830T123600Z"}},
                        2, "", 0},
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"get-unreserved",
                {"GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"x-amz-date", "20150830T123600Z"}},
                        2, "", 0},
                "host;x-amz-date",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
        {"get-header-value-trim",
                {"GET", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"my-header1", " value1"}, {"my-header2", " \"a   b   c\""},
                                {"x-amz-date", "20150830T123600Z"}},
                        4, "", 0},
                "host;my-header1;my-header2;x-amz-date",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
        {"get-vanilla-with-session-token",
                {"GET", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"x-amz-security-token", short_token},
                                {"x-amz-date", "20150830T123600Z"}},
                        3, "", 0},
                "host;x-amz-date;x-amz-security-token",
                "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
        {"post-vanilla",
                {"POST", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"x-amz-date", "20150830T123600Z"}},
                        2, "", 0},
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"post-header-key-sort",
                {"POST", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"my-header1", "value1"}, {"x-amz-date", "20150830T123600Z"}},
                        3, "", 0},
                "host;my-header1;x-amz-date",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
        {"post-header-value-case",
                {"POST", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"my-header1", "VALUE1"}, {"x-amz-date", "20150830T123600Z"}},
                        3, "", 0},
                "host;my-header1;x-amz-date",
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
        {"post-sts-header-before",
                {"POST", "/",
                        (const struct laz_header[]){{"host", "example.amazonaws.com"},
                                {"x-amz-security-token", session_token},
                                {"x-amz-date", "20150830T123600Z"}},
                        3, "", 0},
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
        {"post-x-www-form-urlencoded",
                {"POST", "/",
                        (const struct laz_header[]){
                                {"content-type", "application/x-www-form-urlencoded"},
                                {"host", "example.amazonaws.com"}, {"content-length", "13"},
                                {"x-amz-date", "20150830T123600Z"},
                                {"x-amz-content-sha256", body_hash}},
                        5, "Param1=value1", 13},
                "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
                "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
        {"post-x-www-form-urlencoded-parameters",
                {"POST", "/",
                        (const struct laz_header[]){
                                {"content-type",
                                        "application/x-www-form-urlencoded; charset=utf-8"},
                                {"host", "example.amazonaws.com"}, {"content-length", "13"},
                                {"x-amz-date", "20150830T123600Z"},
                                {"x-amz-content-sha256", body_hash}},
                        5, "Param1=value1", 13},
                "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
                "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
};

Test(sigv4, signs_as_aws_publishes)
{
    static const struct laz_sigv4_key key = {"AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service", "20150830T123600Z"};
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        struct laz_err err = {0};
        struct laz_buf buf;
        char text[LAZ_SIGV4_MAX];
        char expected[LAZ_SIGV4_MAX];
        (void)snprintf(expected, sizeof(expected),
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                "SignedHeaders=%s, Signature=%s",
                examples[i].names, examples[i].signature);
        laz_buf_init_fixed(&buf, text, sizeof(text));
        cr_assert_eq(laz_sigv4_sign(&examples[i].request, &key, &buf, &err), 0, "%s: %s",
                examples[i].name, err.message);
        cr_assert_str_eq(text, expected, "%s", examples[i].name);
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
