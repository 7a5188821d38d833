/* SPDX-License-Identifier: Apache-2.0
 *
 * Which answers of Vault are the secret that was asked for.
 */
#include "secret/kv.h"

#include <string.h>

#include <criterion/criterion.h>

#define MEMORY     4096
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))
#define WHOLE(data, metadata)                                                                      \
    "{\"request_id\":\"x\",\"data\":{\"data\":" data ",\"metadata\":" metadata "},\"auth\":null}"

static struct laz_fetch_item item_of(const char *version)
{
    return (struct laz_fetch_item){
            .name = "it", .source = LAZ_SECRET_VAULT, .from = "kv/data/a", .version = version};
}

Test(kv, is_asked_for_by_its_path_and_its_number)
{
    char memory[MEMORY];
    struct laz_buf buf;
    struct laz_fetch_item item = item_of("");
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_kv(&item, &buf);
    cr_expect_str_eq(buf.data, "/v1/kv/data/a");
    item.version = "3";
    laz_buf_init_fixed(&buf, memory, sizeof(memory));
    laz_secret_ask_kv(&item, &buf);
    cr_expect_str_eq(buf.data, "/v1/kv/data/a?version=3");
}

Test(kv, is_the_object_as_it_is_written_with_its_version)
{
    static const struct {
        const char *text;
        const char *wanted; /* version */
        const char *value;  /* NULL: refused */
        const char *said;   /* the version, or the message */
    } rows[] = {
            {WHOLE("{\"a\": \"CANARY\", \"n\":1.50e+06}", "{\"version\":3}"), "",
                    "{\"a\": \"CANARY\", \"n\":1.50e+06}", "3"},
            {WHOLE("{}", "{\"version\":12,\"destroyed\":false}"), "12", "{}", "12"},
            {WHOLE("{\"a\":\"CANARY\"}", "{\"version\":3}"), "2", NULL,
                    "the answer is another version"},
            {WHOLE("{\"a\":\"CANARY\"}", "{\"version\":3,\"destroyed\":true}"), "", NULL,
                    "the answer is a version that is destroyed"},
            {WHOLE("{\"a\":\"CANARY\"}", "{\"version\":3,\"destroyed\":0}"), "", NULL,
                    "the answer is a version that is destroyed"},
            {WHOLE("{\"a\":\"CANARY\"}", "{\"version\":0}"), "", NULL,
                    "the answer has no metadata with a version: is it a KV of version 2?"},
            {WHOLE("{\"a\":\"CANARY\"}", "{\"version\":\"3\"}"), "", NULL,
                    "the answer has no metadata with a version: is it a KV of version 2?"},
            {WHOLE("null", "{\"version\":3}"), "", NULL,
                    "the answer has no object data.data: is it a KV of version 2?"},
            {WHOLE("[1]", "{\"version\":3}"), "", NULL,
                    "the answer has no object data.data: is it a KV of version 2?"},
            {"{\"data\":{\"a\":\"CANARY\"}}", "", NULL,
                    "the answer has no object data.data: is it a KV of version 2?"},
            {"{\"data\":[{\"data\":{}}]}", "", NULL,
                    "the answer has no object data.data: is it a KV of version 2?"},
            {"[]", "", NULL, "the answer has no object data.data: is it a KV of version 2?"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char memory[MEMORY];
        struct laz_buf value;
        struct laz_fetch_item item = item_of(rows[i].wanted);
        struct laz_secret_reading reading = {.value = &value, .fault = LAZ_SECRET_FAULT_COUNT};
        struct laz_err err = {0};
        laz_buf_init_fixed(&value, memory, sizeof(memory));
        int result = laz_secret_read_kv(&item, rows[i].text, strlen(rows[i].text), &reading, &err);
        if (rows[i].value != NULL) {
            cr_assert_eq(result, 0, "%s: %s", rows[i].text, err.message);
            cr_expect_str_eq(value.data, rows[i].value);
            cr_expect_str_eq(reading.version, rows[i].said);
        } else {
            cr_expect(result == -1 && value.len == 0, "%s", rows[i].text);
            cr_expect_eq(reading.fault, LAZ_SECRET_FAULT_MALFORMED, "%s", rows[i].text);
            cr_expect_str_eq(err.message, rows[i].said, "%s", rows[i].text);
        }
    }
}

Test(kv, is_too_long_for_what_there_is)
{
    static const char text[] = WHOLE("{\"a\":\"CANARY-CANARY\"}", "{\"version\":3}");
    char memory[16];
    struct laz_buf value;
    const struct laz_fetch_item item = item_of("");
    struct laz_secret_reading reading = {.value = &value};
    struct laz_err err = {0};
    laz_buf_init_fixed(&value, memory, sizeof(memory));
    cr_expect_eq(laz_secret_read_kv(&item, text, sizeof(text) - 1, &reading, &err), -1);
    cr_expect_eq(reading.fault, LAZ_SECRET_FAULT_LENGTH);
    cr_expect_str_eq(err.message, "the secret is too long");
}
