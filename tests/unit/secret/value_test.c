/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of a value, where it is kept meanwhile, how it leaves, and where services are.
 */
#include "secret/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/fd.h"
#include "secret/memory.h"
#include "secret/place.h"
#include "secret/sealed.h"

#define MEMORY     4096
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

static const struct laz_fetch_item plain = {.name = "it",
        .from = "x",
        .region = "",
        .json_key = "",
        .stage = "",
        .version = "",
        .kms_key = "",
        .min_bytes = 1,
        .max_bytes = LAZ_FETCH_VALUE_MAX};

static struct laz_buf borrowed(const char *text)
{
    return (struct laz_buf){.data = laz_unconst(text), .len = strlen(text)};
}

/* What comes of a value that was fetched; `err` has no message where it was taken. */
struct unpacked {
    char text[MEMORY];
    int result;
    enum laz_secret_fault fault;
    struct laz_err err;
};

static struct unpacked unpack(const char *text, const char *key, enum laz_secret_form decode)
{
    struct unpacked unpacked = {.fault = LAZ_SECRET_FAULT_COUNT};
    struct laz_buf buf;
    struct laz_fetch_item item = plain;
    const struct laz_buf from = borrowed(text);
    item.json_key = key;
    item.decode = decode;
    laz_buf_init_fixed(&buf, unpacked.text, sizeof(unpacked.text));
    unpacked.result = laz_secret_unpack(&item, &from, &buf, &unpacked.fault, &unpacked.err);
    return unpacked;
}

Test(value, takes_a_member_as_it_is_written)
{
    static const char text[] =
            "{\"s\":\"a\\u00e9\\\"\",\"n\":-1.50E+06,\"big\":123456789012345678901234,"
            "\"t\":true,\"f\":false,\"a\":[ 1,\"x\"],\"o\":{\"k\" : null},"
            "\"\\u0061b\":\"escaped\",\"e\":\"\"}";
    static const struct {
        const char *key;
        const char *value;
    } rows[] = {{"s", "a\xc3\xa9\""}, {"n", "-1.50E+06"}, {"big", "123456789012345678901234"},
            {"t", "true"}, {"f", "false"}, {"a", "[ 1,\"x\"]"}, {"o", "{\"k\" : null}"},
            {"ab", "escaped"}, {"e", ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct unpacked got = unpack(text, rows[i].key, LAZ_SECRET_FORM_RAW);
        cr_expect_eq(got.result, 0, "%s: %s", rows[i].key, got.err.message);
        cr_expect_str_eq(got.text, rows[i].value);
    }
}

Test(value, refuses_what_is_not_there_or_not_as_said)
{
    static const struct {
        const char *text;
        const char *key;
        enum laz_secret_form decode;
        enum laz_secret_fault fault;
        const char *why;
    } rows[] = {
            {"{\"a\":\"CANARY\"}", "b", LAZ_SECRET_FORM_RAW, LAZ_SECRET_FAULT_MALFORMED,
                    "json-key \"b\": there is no such key"},
            {"{\"a\":null}", "a", LAZ_SECRET_FORM_RAW, LAZ_SECRET_FAULT_MALFORMED,
                    "json-key \"a\": it is null"},
            {"[\"CANARY\"]", "a", LAZ_SECRET_FORM_RAW, LAZ_SECRET_FAULT_MALFORMED,
                    "json-key \"a\": the value is no JSON object"},
            {"{\"a\":\"CANARY\",\"a\":1}", "a", LAZ_SECRET_FORM_RAW, LAZ_SECRET_FAULT_MALFORMED,
                    "json-key \"a\": the value: not JSON: byte 14"},
            {"{\"a\":\"CANARY\\u0000\"}", "a", LAZ_SECRET_FORM_RAW, LAZ_SECRET_FAULT_MALFORMED,
                    "json-key \"a\": its text holds a NUL"},
            {"{\"a\":\"CANARY*\"}", "a", LAZ_SECRET_FORM_BASE64, LAZ_SECRET_FAULT_MALFORMED,
                    "decode: base64: its 7 characters are no base64"},
            {"CANARY", "", LAZ_SECRET_FORM_HEX, LAZ_SECRET_FAULT_MALFORMED,
                    "decode: hex: character 3 is none of hex"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct unpacked got = unpack(rows[i].text, rows[i].key, rows[i].decode);
        const char *message = got.err.message;
        cr_expect_eq(got.result, -1, "%s", rows[i].text);
        cr_expect(got.err.kind == LAZ_E_SECRET && got.fault == rows[i].fault, "%s", rows[i].text);
        cr_expect_eq(strncmp(message, rows[i].why, strlen(rows[i].why)), 0, "%s: %s", rows[i].text,
                message);
        cr_expect_null(strstr(message, "CANARY"));
    }
}

Test(value, is_as_long_as_the_policy_says_before_it_has_its_form)
{
    static const struct {
        uint32_t min;
        uint32_t max;
        const char *text;
        const char *why;
    } rows[] = {
            {3, 5, "abc", NULL},
            {3, 5, "abcde", NULL},
            {3, 5, "ab", "2 bytes, and \"bytes\" has 3 to 5"},
            {3, 5, "abcdef", "6 bytes, and \"bytes\" has 3 to 5"},
            {4, 4, "abc", "3 bytes, and not the 4 of \"bytes\""},
            {1, 9, "", "0 bytes, and \"bytes\" has 1 to 9"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct laz_err err = {0};
        enum laz_secret_fault fault = LAZ_SECRET_FAULT_COUNT;
        struct laz_fetch_item item = plain;
        const struct laz_buf value = borrowed(rows[i].text);
        item.min_bytes = rows[i].min;
        item.max_bytes = rows[i].max;
        int result = laz_secret_check(&item, &value, &fault, &err);
        cr_expect_eq(result, rows[i].why == NULL ? 0 : -1, "%s", rows[i].text);
        cr_expect(result == 0 || fault == LAZ_SECRET_FAULT_LENGTH);
        cr_expect_str_eq(err.message, rows[i].why == NULL ? "" : rows[i].why);
    }
}

Test(value, gets_its_form_and_its_line_feed)
{
    char memory[MEMORY];
    struct laz_buf buf;
    struct laz_err err = {0};
    enum laz_secret_fault fault = LAZ_SECRET_FAULT_COUNT;
    struct laz_fetch_item item = plain;
    const struct laz_buf value = borrowed("\xff\xfe");
    item.form = LAZ_SECRET_FORM_HEX;
    item.newline = true;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    cr_assert_eq(laz_secret_render(&item, &value, NULL, &buf, &fault, &err), 0);
    cr_expect_str_eq(buf.data, "fffe\n");
}

Test(value, is_a_set_with_the_key_of_before_unless_it_is_the_same)
{
    static const char now[] = "{\"kty\":\"oct\",\"k\":\"YWJj\",\"kid\":\"ba7816bf8f01cfea\"}";
    static const char other[] = "{\"kty\":\"oct\",\"k\":\"YWJk\",\"kid\":\"a52d159f262b2c6d\"}";
    static const struct {
        enum laz_secret_form form;
        const char *before;
        const char *begin;
        const char *between;
        const char *second;
        const char *end;
    } rows[] = {{LAZ_SECRET_FORM_JWK, NULL, "", "", "", ""},
            {LAZ_SECRET_FORM_JWKS, NULL, "{\"keys\":[", "", "", "]}"},
            {LAZ_SECRET_FORM_JWKS, "abc", "{\"keys\":[", "", "", "]}"},
            {LAZ_SECRET_FORM_JWKS, "abd", "{\"keys\":[", ",", other, "]}"}};
    const struct laz_buf value = borrowed("abc");
    for (size_t i = 0; i < COUNT(rows); i++) {
        char memory[MEMORY];
        char wanted[MEMORY];
        struct laz_buf buf;
        struct laz_err err = {0};
        enum laz_secret_fault fault = LAZ_SECRET_FAULT_COUNT;
        struct laz_fetch_item item = plain;
        const struct laz_buf before = borrowed(rows[i].before == NULL ? "" : rows[i].before);
        item.form = rows[i].form;
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        (void)snprintf(wanted, sizeof(wanted), "%s%s%s%s%s", rows[i].begin, now, rows[i].between,
                rows[i].second, rows[i].end);
        cr_assert_eq(laz_secret_render(&item, &value, rows[i].before == NULL ? NULL : &before, &buf,
                             &fault, &err),
                0, "row %zu: %s", i, err.message);
        cr_expect_str_eq(memory, wanted, "row %zu", i);
    }
}

Test(memory, is_in_no_dump_and_wiped)
{
    struct laz_err err = {0};
    struct laz_buf buf = {0};
    cr_assert_eq(laz_secret_buf_init(&buf, 70000, &err), 0, "%s", err.message);
    char *memory = buf.data;
    for (int i = 0; i < 69999; i++) {
        laz_buf_char(&buf, 'x');
    }
    cr_expect(!buf.overflow);
    laz_buf_char(&buf, 'x');
    cr_expect(buf.overflow);
    laz_secret_buf_clear(&buf);
    cr_expect(buf.len == 0 && !buf.overflow);
    for (size_t i = 0; i < 70000; i++) {
        cr_assert_eq(memory[i], 0);
    }
    laz_secret_buf_done(&buf);
    cr_expect_eq(msync(memory - getpagesize(), (size_t)getpagesize(), MS_ASYNC), -1);
    cr_expect_eq(errno, ENOMEM, "it is still mapped");
    laz_secret_buf_done(&buf);
}

Test(sealed, nobody_can_change_it)
{
    struct laz_err err = {0};
    char text[16] = "";
    int fd = -1;
    cr_assert_eq(laz_sealed_make("secret", 6, &fd, &err), 0, "%s", err.message);
    cr_expect_eq(pread(fd, text, sizeof(text), 0), 6);
    cr_expect_str_eq(text, "secret");
    cr_expect_eq(fcntl(fd, F_GET_SEALS),
            (fcntl(fd, F_GET_SEALS) & 0x20 /* F_SEAL_EXEC */) | F_SEAL_WRITE | F_SEAL_GROW |
                    F_SEAL_SHRINK | F_SEAL_SEAL);
    cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_expect(pwrite(fd, "x", 1, 0) == -1 && errno == EPERM);
    cr_expect(ftruncate(fd, 0) == -1 && errno == EPERM);
    cr_expect(ftruncate(fd, 7) == -1 && errno == EPERM);
    cr_expect_eq(mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    laz_fd_close(&fd);
}

Test(place, is_of_the_arn_then_of_the_policy_then_of_the_environment)
{
    const struct laz_aws_environment both = {.region = "eu-north-1", .default_region = "x"};
    static const struct {
        const char *item;
        const char *policy;
        const char *kms_key;
        enum laz_fetch_service service;
        const char *region;
        const char *host;
    } rows[] = {
            {"us-east-1", "eu-west-1", "", LAZ_FETCH_SECRETS_MANAGER, "us-east-1",
                    "secretsmanager.us-east-1.amazonaws.com"},
            {"", "eu-west-1", "", LAZ_FETCH_PARAMETERS, "eu-west-1", "ssm.eu-west-1.amazonaws.com"},
            {"", "", "", LAZ_FETCH_PARAMETERS, "eu-north-1", "ssm.eu-north-1.amazonaws.com"},
            {"us-east-1", "", "arn:aws:kms:ap-south-1:1:key/a", LAZ_FETCH_KMS, "ap-south-1",
                    "kms.ap-south-1.amazonaws.com"},
            {"", "", "alias/x", LAZ_FETCH_KMS, "eu-north-1", "kms.eu-north-1.amazonaws.com"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct laz_err err = {0};
        struct laz_secret_place place;
        struct laz_fetch_item item = plain;
        const struct laz_fetch_config config = {
                .region = rows[i].policy, .endpoint = {"", "", ""}, .ca = ""};
        item.region = rows[i].item;
        item.kms_key = rows[i].kms_key;
        cr_assert_eq(laz_secret_find_place(&config, &item, rows[i].service, &both, &place, &err), 0,
                "%s", err.message);
        cr_expect_str_eq(place.region, rows[i].region);
        cr_expect_str_eq(place.host, rows[i].host);
        cr_expect_eq(place.port, 443);
    }
}

Test(place, is_the_endpoint_of_the_policy_if_it_has_one)
{
    const struct laz_aws_environment second = {.default_region = "cn-north-1"};
    struct laz_err err = {0};
    struct laz_secret_place place;
    struct laz_fetch_config config = {.region = "", .endpoint = {"", "", ""}, .fips = true};
    cr_assert_eq(laz_secret_find_place(&config, &plain, LAZ_FETCH_KMS, &second, &place, &err), 0);
    cr_expect_str_eq(place.host, "kms-fips.cn-north-1.amazonaws.com.cn");
    config.endpoint[LAZ_FETCH_KMS] = "https://[::1]:8443/";
    cr_assert_eq(laz_secret_find_place(&config, &plain, LAZ_FETCH_KMS, &second, &place, &err), 0);
    cr_expect_str_eq(place.host, "::1");
    cr_expect_eq(place.port, 8443);
}

Test(place, is_none_without_a_region_and_none_that_is_not_encrypted)
{
    static const struct {
        const char *region;
        const char *endpoint;
        const char *why;
    } rows[] = {
            {"", "", "the region is not known: say secrets.region, or set AWS_REGION"},
            {"evil.example/", "", "the region is not known"},
            {"eu-west-1", "http://127.0.0.1/", "the endpoint is no https URL of a host alone"},
            {"eu-west-1", "https://a.b/path", "the endpoint is no https URL of a host alone"},
            {"eu-west-1", "https://user@a.b", "the endpoint is no https URL of a host alone"},
            {"eu-west-1", "a.b", "the endpoint is no https URL of a host alone"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct laz_err err = {0};
        struct laz_secret_place place;
        const struct laz_aws_environment environment = {.region = rows[i].region};
        const struct laz_fetch_config config = {
                .region = "", .endpoint = {rows[i].endpoint, "", ""}, .ca = ""};
        cr_expect_eq(laz_secret_find_place(&config, &plain, LAZ_FETCH_SECRETS_MANAGER, &environment,
                             &place, &err),
                -1);
        cr_expect_eq(err.kind, LAZ_E_SECRET);
        cr_expect_eq(strncmp(err.message, rows[i].why, strlen(rows[i].why)), 0, "%s", err.message);
    }
}
