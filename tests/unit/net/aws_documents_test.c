/* SPDX-License-Identifier: Apache-2.0
 *
 * What agents and services answer: taken if it is exactly that, and who may be asked for it.
 */
#include <string.h>

#include <criterion/criterion.h>

#include "net/aws_credentials.h"

Test(aws_documents, may_be_asked_for_where_nobody_listens_or_nobody_can)
{
    static const struct {
        const char *uri;
        bool may;
    } rows[] = {
            {"https://anywhere.example/x", true},
            {"http://127.0.0.1/x", true},
            {"http://127.255.0.9:8080/x", true},
            {"http://[::1]:1/", true},
            {"http://169.254.170.2/v2", true},
            {"http://169.254.170.23/v1/credentials", true},
            {"http://[fd00:ec2::23]/v1/credentials", true},
            {"http://169.254.170.3/", false},
            {"http://169.254.169.254/", false},
            {"http://[fd00:ec2::254]/", false},
            {"http://[::ffff:127.0.0.1]/", false},
            {"http://128.0.0.1/", false},
            {"http://localhost/", false},
            {"http://127.0.0.1.example/", false},
            {"http://127.1/", false},
            {"http://0x7f000001/", false},
            {"http://127.0.0.1@10.0.0.1/", false},
            {"ftp://127.0.0.1/", false},
            {"", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect_eq(laz_aws_may_ask(rows[i].uri), rows[i].may, "%s", rows[i].uri);
    }
}

#define KEY(expires)                                                                               \
    "{\"RoleArn\":\"x\",\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s/+\",\"Token\":\"t==\","  \
    "\"Expiration\":" expires "}"

Test(aws_documents, are_a_key_with_all_its_parts_or_none)
{
    static const struct {
        const char *text;
        const char *expected;
    } rows[] = {
            {KEY("\"2026-11-22T12:00:00Z\""), NULL},
            {KEY("\"2026-11-22T12:00:00.000Z\""), "credentials without a time of expiration"},
            {KEY("\"2026-11-22 12:00:00\""), "credentials without Expiration"},
            {KEY("\"2026-13-22T12:00:00Z\""), "credentials without a time of expiration"},
            {KEY("1795348800"), "credentials without Expiration"},
            {KEY("null"), "credentials without Expiration"},
            {"{}", "credentials without AccessKeyId"},
            {"[]", "credentials without AccessKeyId"},
            {"{\"AccessKeyId\":\"a b\"}", "credentials without AccessKeyId"},
            {"{\"AccessKeyId\":\"\"}", "credentials without AccessKeyId"},
            {"{\"AccessKeyId\":\"a\\r\\nb\"}", "credentials without AccessKeyId"},
            {"{\"AccessKeyId\":\"\\u00e9\"}", "credentials without AccessKeyId"},
            {"{\"accesskeyid\":\"a\"}", "credentials without AccessKeyId"},
            {"{\"AccessKeyId\":\"a\",\"SecretAccessKey\":1}",
                    "credentials without SecretAccessKey"},
            {"CANARY", "not JSON: byte 0: no value"},
            {"", "not JSON: byte 0: no value"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct laz_aws_key key = {0};
        struct laz_err err = {0};
        int result = laz_aws_parse_key(rows[i].text, strlen(rows[i].text), &key, &err);
        cr_assert_eq(result, rows[i].expected == NULL ? 0 : -1, "%s", rows[i].text);
        cr_assert_str_eq(
                err.message, rows[i].expected == NULL ? "" : rows[i].expected, "%s", rows[i].text);
        if (result == 0) {
            cr_assert_str_eq(key.secret_key, "s/+");
            cr_assert_eq(key.expires, 1795348800);
        }
    }
}

Test(aws_documents, say_an_error_by_its_code_in_every_spelling)
{
    static const struct {
        const char *text;
        const char *code;
    } rows[] = {
            {"{\"__type\":\"com.amazonaws.logs#ThrottlingException\",\"message\":\"x\"}",
                    "ThrottlingException"},
            {"{\"__type\":\"ThrottlingException:http://x/\"}", "ThrottlingException"},
            {"{\"code\":\"NoIdInRequest\"}", "NoIdInRequest"},
            {"{\"Code\":\"Success\"}", "Success"},
            {"{\"__type\":\"\"}", ""},
            {"{\"__type\":\"a b\"}", ""},
            {"{\"__type\":\"<script>\"}", ""},
            {"{\"__type\":1}", ""},
            {"{\"__type\":\"OptInRequiredException\"}", "OptInRequiredException"},
            {"{\"__type\":\"EC2ThrottledException\"}", "EC2ThrottledException"},
            {"{\"code\":\"CredentialsUninitialized\"}", "CredentialsUninitialized"},
            {"{\"__type\":\"correcthorsebatterystaple\"}", ""},
            {"{\"__type\":\"x#AKIA0123456789ABCDEF\"}", ""},
            {"{\"__type\":\"a1b2c3Exception\"}", ""},
            {"{\"__type\":\"\\u00e9Exception\"}", ""},
            {"<html>", ""},
            {"{\"code\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char code[64];
        laz_aws_parse_code(rows[i].text, strlen(rows[i].text), code, sizeof(code));
        cr_expect_str_eq(code, rows[i].code, "%s", rows[i].text);
    }
}
