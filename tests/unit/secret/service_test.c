/* SPDX-License-Identifier: Apache-2.0
 *
 * What is asked of the three services, as botocore 1.29 serialises the same parameters, and which
 * answers count. tests/e2e/fetch_test.py compares more of both with botocore itself.
 */
#include "secret/service.h"

#include <string.h>

#include <criterion/criterion.h>

#define MEMORY     8192
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))
#define ARN        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db"
#define PARAMETER  "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b"
#define KEY        "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define VERSION    "11111111-2222-3333-4444-555555555555"

static struct laz_fetch_item item_from(const char *from)
{
    return (struct laz_fetch_item){.name = "it",
            .from = from,
            .region = "",
            .json_key = "",
            .stage = "",
            .version = "",
            .kms_key = ""};
}

Test(service, asks_as_botocore_does)
{
    char memory[MEMORY];
    struct laz_buf buf;
    struct laz_fetch_item item = item_from("prod/\"db\"");
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_secret(&item, &buf);
    cr_expect_str_eq(buf.data, "{\"SecretId\":\"prod/\\\"db\\\"\"}");
    item.version = VERSION;
    item.stage = "AWSPREVIOUS";
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_secret(&item, &buf);
    cr_expect_str_eq(buf.data,
            "{\"SecretId\":\"prod/\\\"db\\\"\",\"VersionId\":\"" VERSION
            "\",\"VersionStage\":\"AWSPREVIOUS\"}");
    item = item_from("/a/b:3");
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_parameter(&item, &buf);
    cr_expect_str_eq(buf.data, "{\"Name\":\"/a/b:3\",\"WithDecryption\":true}");
    item.kms_key = KEY;
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_decrypt(&item, "\0\xff", 2, &buf);
    cr_expect_str_eq(buf.data, "{\"CiphertextBlob\":\"AP8=\",\"KeyId\":\"" KEY "\"}");
    item.n_context = 2;
    item.context_name[0] = "app";
    item.context_value[0] = "emr";
    item.context_name[1] = "a\\b";
    item.context_value[1] = "";
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_decrypt(&item, "abc", 3, &buf);
    cr_expect_str_eq(buf.data,
            "{\"CiphertextBlob\":\"YWJj\",\"KeyId\":\"" KEY
            "\",\"EncryptionContext\":{\"app\":\"emr\",\"a\\\\b\":\"\"}}");
}

typedef int (*reader)(const struct laz_fetch_item *item, const char *text, size_t length,
        struct laz_secret_reading *ret, struct laz_err *err);

struct row {
    const char *name;
    const char *text;
    const char *from;
    const char *stage;
    const char *version;
    const char *expected; /* the value; NULL: refused */
    enum laz_secret_fault fault;
    const char *why; /* how the message begins */
};

static void check_rows(reader read, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &rows[i];
        char memory[MEMORY];
        struct laz_buf buf;
        struct laz_err err = {0};
        struct laz_fetch_item item = item_from(row->from);
        laz_buf_init_fixed(&buf, memory, sizeof(memory));
        struct laz_secret_reading reading = {.value = &buf};
        item.stage = row->stage == NULL ? "" : row->stage;
        item.version = row->version == NULL ? "" : row->version;
        item.kms_key = KEY;
        int result = read(&item, row->text, strlen(row->text), &reading, &err);
        if (row->expected != NULL) {
            cr_expect_eq(result, 0, "%s: %s", row->name, err.message);
            cr_expect_str_eq(buf.data, row->expected, "%s", row->name);
            continue;
        }
        cr_expect_eq(result, -1, "%s was taken", row->name);
        cr_expect_eq(err.kind, LAZ_E_SECRET, "%s", row->name);
        cr_expect_eq(reading.fault, row->fault, "%s: %s", row->name,
                laz_secret_fault_name(reading.fault));
        cr_expect_eq(strncmp(err.message, row->why, strlen(row->why)), 0, "%s: %s", row->name,
                err.message);
        cr_expect_null(strstr(err.message, "CANARY"), "%s: %s", row->name, err.message);
        cr_expect_eq(buf.len, 0, "%s: something of it stays", row->name);
    }
}

#define HEAD(arn, stages)                                                                          \
    "{\"ARN\":\"" arn "-AbCdEf\",\"Name\":\"prod/db\",\"VersionId\":\"" VERSION                    \
    "\",\"CreatedDate\":1.6e9,\"VersionStages\":[" stages "],"
#define GOOD HEAD(ARN, "\"mine\",\"AWSCURRENT\"")
#define M    LAZ_SECRET_FAULT_MALFORMED

Test(service, takes_the_secret_that_was_asked_for_and_no_other)
{
    static const struct row rows[] = {
            {"by ARN", GOOD "\"SecretString\":\"CANARY\\u00e9\\n\"}", ARN "-AbCdEf", NULL, NULL,
                    "CANARY\xc3\xa9\n", M, NULL},
            {"by ARN without its suffix", GOOD "\"SecretString\":\"v\"}", ARN, NULL, NULL, "v", M,
                    NULL},
            {"by name", GOOD "\"SecretString\":\"v\"}", "prod/db", NULL, NULL, "v", M, NULL},
            {"binary", GOOD "\"SecretBinary\":\"AP8=\"}", "prod/db", NULL, NULL, "", M, NULL},
            {"a stage", GOOD "\"SecretString\":\"v\"}", "prod/db", "mine", VERSION, "v", M, NULL},
            {"empty", GOOD "\"SecretString\":\"\"}", "prod/db", NULL, NULL, "", M, NULL},
            {"another name", GOOD "\"SecretString\":\"CANARY\"}", "prod/dc", NULL, NULL, NULL, M,
                    "the answer is about another secret"},
            {"a longer ARN", GOOD "\"SecretString\":\"CANARY\"}",
                    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod", NULL, NULL, NULL,
                    M, "the answer is about another secret"},
            {"another stage", GOOD "\"SecretString\":\"CANARY\"}", "prod/db", "AWSPREVIOUS", NULL,
                    NULL, M, "the answer is a version of another stage"},
            {"another version", GOOD "\"SecretString\":\"CANARY\"}", "prod/db", NULL, "2", NULL, M,
                    "the answer is another version"},
            {"not the current one", HEAD(ARN, "\"AWSPREVIOUS\"") "\"SecretString\":\"CANARY\"}",
                    "prod/db", NULL, NULL, NULL, M, "the answer is a version of another stage"},
            {"a pending one", HEAD(ARN, "\"AWSPENDING\"") "\"SecretString\":\"CANARY\"}", "prod/db",
                    NULL, VERSION, NULL, LAZ_SECRET_FAULT_REFUSED, "the version is AWSPENDING"},
            {"pending and current",
                    HEAD(ARN, "\"AWSPENDING\",\"AWSCURRENT\"") "\"SecretString\":\"v\"}", "prod/db",
                    NULL, NULL, "v", M, NULL},
            {"neither", GOOD "\"a\":1}", "prod/db", NULL, NULL, NULL, M,
                    "the answer has neither SecretString nor SecretBinary"},
            {"both", GOOD "\"SecretString\":\"CANARY\",\"SecretBinary\":\"AA==\"}", "prod/db", NULL,
                    NULL, NULL, M, "the answer has both SecretString and SecretBinary"},
            {"null", GOOD "\"SecretString\":null}", "prod/db", NULL, NULL, NULL, M,
                    "the answer's value is no string"},
            {"a number", GOOD "\"SecretString\":77}", "prod/db", NULL, NULL, NULL, M,
                    "the answer's value is no string"},
            {"a NUL", GOOD "\"SecretString\":\"CANARY\\u0000\"}", "prod/db", NULL, NULL, NULL, M,
                    "the value's text holds a NUL"},
            {"bad base64", GOOD "\"SecretBinary\":\"CANARY\"}", "prod/db", NULL, NULL, NULL, M,
                    "the answer's value: its 6 characters are no base64"},
            {"escaped base64", GOOD "\"SecretBinary\":\"AA\\u003d=\"}", "prod/db", NULL, NULL, NULL,
                    M, "the answer's value: "},
            {"twice", GOOD "\"SecretString\":\"CANARY\",\"SecretString\":\"b\"}", "prod/db", NULL,
                    NULL, NULL, M, "not JSON: byte "},
            {"cut", GOOD "\"SecretString\":\"CANARY", "prod/db", NULL, NULL, NULL, M,
                    "not JSON: byte "},
            {"more", GOOD "\"SecretString\":\"CANARY\"}{}", "prod/db", NULL, NULL, NULL, M,
                    "not JSON: byte "},
            {"HTML", "<html>CANARY</html>", "prod/db", NULL, NULL, NULL, M, "not JSON: byte "},
            {"nothing", "", "prod/db", NULL, NULL, NULL, M, "not JSON: byte "},
            {"a string", "\"CANARY\"", "prod/db", NULL, NULL, NULL, M,
                    "the answer is no JSON object"},
            {"no version",
                    "{\"ARN\":\"" ARN "-AbCdEf\",\"Name\":\"prod/db\",\"SecretString\":"
                    "\"CANARY\"}",
                    "prod/db", NULL, NULL, NULL, M, "the answer has no VersionId"},
    };
    check_rows(laz_secret_read_secret, rows, COUNT(rows));
}

#define PUT(name, rest)                                                                            \
    "{\"Parameter\":{\"ARN\":\"" PARAMETER "\",\"Name\":\"" name                                   \
    "\",\"Type\":\"SecureString\"," rest "}}"

Test(service, takes_the_parameter_that_was_asked_for_and_no_other)
{
    static const char good[] = PUT("/a/b", "\"Version\":3,\"Value\":\"CANARYv\"");
    static const struct row rows[] = {
            {"by name", good, "/a/b", NULL, NULL, "CANARYv", M, NULL},
            {"by version", good, "/a/b:3", NULL, NULL, "CANARYv", M, NULL},
            {"by label", good, "/a/b:blue", NULL, NULL, "CANARYv", M, NULL},
            {"by ARN", good, PARAMETER, NULL, NULL, "CANARYv", M, NULL},
            {"by ARN and version", good, PARAMETER ":3", NULL, NULL, "CANARYv", M, NULL},
            {"another version", good, "/a/b:4", NULL, NULL, NULL, M,
                    "the answer is another version"},
            {"another version of an ARN", good, PARAMETER ":33", NULL, NULL, NULL, M,
                    "the answer is another version"},
            {"another", good, "/a/c", NULL, NULL, NULL, M, "the answer is about another parameter"},
            {"a longer one", good, "/a/b/c", NULL, NULL, NULL, M,
                    "the answer is about another parameter"},
            {"another ARN", good, PARAMETER "c", NULL, NULL, NULL, M,
                    "the answer is about another parameter"},
            {"two selectors", good, "/a/b:3:4", NULL, NULL, NULL, M,
                    "the answer is about another parameter"},
            {"no version", PUT("/a/b", "\"Value\":\"CANARY\""), "/a/b", NULL, NULL, NULL, M,
                    "the answer has no Version"},
            {"no value", PUT("/a/b", "\"Version\":3"), "/a/b", NULL, NULL, NULL, M,
                    "the answer's value is no string"},
            {"no parameter", "{\"Value\":\"CANARY\"}", "/a/b", NULL, NULL, NULL, M,
                    "the answer has no Parameter"},
    };
    check_rows(laz_secret_read_parameter, rows, COUNT(rows));
}

Test(service, takes_what_the_pinned_key_decrypted_and_nothing_else)
{
    static const struct row rows[] = {
            {"good", "{\"KeyId\":\"" KEY "\",\"Plaintext\":\"Q0FOQVJZ\"}", "x", NULL, NULL,
                    "CANARY", M, NULL},
            {"another key", "{\"KeyId\":\"" KEY "0\",\"Plaintext\":\"Q0FOQVJZ\"}", "x", NULL, NULL,
                    NULL, LAZ_SECRET_FAULT_OTHER_KEY, "KMS decrypted it with another key"},
            {"no key", "{\"Plaintext\":\"Q0FOQVJZ\"}", "x", NULL, NULL, NULL, M,
                    "the answer has no KeyId"},
            {"no value", "{\"KeyId\":\"" KEY "\"}", "x", NULL, NULL, NULL, M,
                    "the answer's value is no string"},
            {"no base64", "{\"KeyId\":\"" KEY "\",\"Plaintext\":\"CANARY*\"}", "x", NULL, NULL,
                    NULL, M, "the answer's value: "},
    };
    check_rows(laz_secret_read_decrypted, rows, COUNT(rows));
}

Test(service, says_what_does_not_fit)
{
    char memory[4];
    struct laz_buf buf;
    struct laz_err err = {0};
    struct laz_fetch_item item = item_from("prod/db");
    static const char text[] = GOOD "\"SecretString\":\"CANARY\"}";
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    struct laz_secret_reading reading = {.value = &buf};
    cr_expect_eq(laz_secret_read_secret(&item, text, strlen(text), &reading, &err), -1);
    cr_expect_str_eq(err.message, "the value is too long");
}

Test(service, has_a_word_for_each_fault_and_names_of_services)
{
    for (unsigned i = 0; i < LAZ_SECRET_FAULT_COUNT; i++) {
        cr_expect(strlen(laz_secret_fault_name((enum laz_secret_fault)i)) > 1);
    }
    cr_expect_str_eq(laz_secret_fault_name(LAZ_SECRET_FAULT_COUNT), "?");
    cr_expect_str_eq(laz_secret_target(LAZ_FETCH_KMS), "TrentService.Decrypt");
    cr_expect_str_eq(laz_secret_signing_name(LAZ_FETCH_PARAMETERS), "ssm");
}
