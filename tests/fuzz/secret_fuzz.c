/* SPDX-License-Identifier: Apache-2.0
 *
 * What Secrets Manager, Parameter Store and KMS answer, and what a value's text says. The first
 * byte chooses who is asked. What counts names what was asked for; a value that is taken comes out
 * of the same answer again; what is refused leaves nothing, says which kind of fault it is, and not
 * a byte of a value. What is decoded is encoded to the same text; an object has one
 * spelling.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/json_read.h"
#include "secret/by_path.h"
#include "secret/coding.h"
#include "secret/members.h"
#include "secret/value.h"

#define NODES 4096
#define KEY   "arn:aws:kms:eu-west-1:111122223333:key/a"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct laz_fetch_item item = {.name = "it",
        .from = "/a",
        .region = "",
        .json_key = "k",
        .stage = "",
        .version = "",
        .kms_key = KEY,
        .min_bytes = 1,
        .max_bytes = LAZ_FETCH_VALUE_MAX};

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Whole texts of the answer are in no message: what a message may have is ours, and short. */
static void check_message(const struct laz_err *err, enum laz_secret_fault fault)
{
    require(err->kind == LAZ_E_SECRET && fault < LAZ_SECRET_FAULT_COUNT);
    require(strlen(err->message) < 160);
    for (const char *c = err->message; *c != '\0'; c++) {
        require(isprint((unsigned char)*c) != 0);
    }
}

static int read_answer(unsigned who, const char *text, size_t length,
        struct laz_secret_reading *reading, struct laz_err *err)
{
    return who == 0    ? laz_secret_read_secret(&item, text, length, reading, err)
            : who == 1 ? laz_secret_read_parameter(&item, text, length, reading, err)
                       : laz_secret_read_decrypted(&item, text, length, reading, err);
}

static void check_answer(unsigned who, const char *text, size_t length)
{
    static const char *const members[] = {"Name", "Parameter", "KeyId"};
    struct laz_json_node *nodes = calloc(NODES, sizeof(*nodes));
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SECRET};
    struct laz_json_doc doc;
    struct laz_buf value;
    struct laz_err err = {0};
    laz_buf_init_wiped(&value, length + 2);
    struct laz_secret_reading reading = {.value = &value, .fault = LAZ_SECRET_FAULT_COUNT};
    require(nodes != NULL);
    if (read_answer(who, text, length, &reading, &err) != 0) {
        check_message(&err, reading.fault);
        require(value.len == 0);
    } else {
        require(laz_json_read(text, length, &room, &doc, &err) == 0);
        require(laz_json_member(&doc, laz_json_root(&doc), members[who]) != NULL);
        require(value.len <= length && !value.overflow);
        require(strlen(reading.version) <= LAZ_SECRET_VERSION_MAX);
        require(who == 2 || reading.version[0] != '\0');
    }
    laz_buf_done(&value);
    free(nodes);
}

static void check_coding(const char *text, size_t length)
{
    for (unsigned form = 0; form <= LAZ_SECRET_CODING_LAST; form++) {
        struct laz_buf bytes;
        struct laz_buf again;
        struct laz_err err = {0};
        laz_buf_init_wiped(&bytes, length + 2);
        laz_buf_init_wiped(&again, 2 * length + 8);
        if (laz_secret_decode((enum laz_secret_form)form, text, length, &bytes, &err) == 0) {
            laz_secret_encode((enum laz_secret_form)form, bytes.data, bytes.len, &again);
            require(again.len == length);
            for (size_t i = 0; i < length; i++) {
                require(again.data[i] == text[i] ||
                        (form == LAZ_SECRET_FORM_HEX &&
                                again.data[i] == tolower((unsigned char)text[i])));
            }
        } else {
            check_message(&err, LAZ_SECRET_FAULT_MALFORMED);
            require(bytes.len == 0);
        }
        laz_buf_done(&bytes);
        laz_buf_done(&again);
    }
}

/* json-key "k", and what is in it decoded. */
static void check_value(const char *text, size_t length)
{
    for (unsigned form = 0; form <= LAZ_SECRET_CODING_LAST; form++) {
        struct laz_fetch_item with = item;
        const struct laz_buf from = {.data = laz_unconst(text), .len = length};
        struct laz_buf value;
        struct laz_err err = {0};
        enum laz_secret_fault fault = LAZ_SECRET_FAULT_COUNT;
        with.decode = (enum laz_secret_form)form;
        laz_buf_init_wiped(&value, length + 2);
        if (laz_secret_unpack(&with, &from, &value, &fault, &err) != 0) {
            check_message(&err, fault);
        } else {
            require(value.len <= length && !value.overflow);
        }
        laz_buf_done(&value);
    }
}

static int count(void *context, const char *bytes, size_t length, struct laz_err *err)
{
    size_t *n = context;
    (void)bytes;
    (void)length;
    (void)err;
    ++*n;
    return 0;
}

/* JSON in one spelling: written again it is the same; and a line for each member. */
static void check_members(const char *text, size_t length)
{
    const struct laz_buf object = {.data = laz_unconst(text), .len = length};
    struct laz_buf json;
    struct laz_buf again;
    struct laz_buf lines;
    struct laz_err err = {0};
    size_t n = 0;
    const struct laz_members_visit visit = {.take = count, .context = &n};
    laz_buf_init_wiped(&json, 8 * length + 8);
    laz_buf_init_wiped(&again, 8 * length + 8);
    laz_buf_init_wiped(&lines, 8 * length + 8);
    if (laz_members_json(&object, &json, &err) != 0) {
        check_message(&err, LAZ_SECRET_FAULT_MALFORMED);
        require(laz_members_dotenv(&object, &lines, &err) != 0);
    } else {
        require(laz_members_json(&json, &again, &err) == 0);
        require(again.len == json.len && memcmp(again.data, json.data, json.len) == 0);
        require(laz_members_each(&json, &visit, &err) == 0 && n > 0);
        if (laz_members_dotenv(&object, &lines, &err) == 0) {
            for (size_t i = 0; i < lines.len; i++) {
                n -= lines.data[i] == '\n' ? 1 : 0;
            }
            require(n == 0);
        }
    }
    laz_buf_done(&json);
    laz_buf_done(&again);
    laz_buf_done(&lines);
}

/* The same page twice, as if it were two: what comes of it is an object, sorted, and again. */
static void check_pages(const char *text, size_t length)
{
    static struct laz_by_path by_path;
    static const struct laz_fetch_item tree = {
            .name = "it", .source = LAZ_SECRET_PARAMETER_TREE, .from = "/a"};
    struct laz_buf value;
    struct laz_buf json;
    struct laz_err err = {0};
    by_path = (struct laz_by_path){0};
    laz_buf_init_wiped(&value, 2 * length + 8);
    laz_buf_init_wiped(&json, 8 * length + 8);
    struct laz_secret_reading reading = {.value = &value, .fault = LAZ_SECRET_FAULT_COUNT};
    require(laz_by_path_init(&by_path, &tree, &err) == 0);
    int result = laz_by_path_take(&by_path, text, length, &reading, &err);
    if (result == 0 && by_path.token.len > 0) {
        result = laz_by_path_take(&by_path, text, length, &reading, &err);
    }
    if (result != 0) {
        check_message(&err, reading.fault);
        require(value.len == 0);
    } else if (by_path.token.len == 0) {
        require(by_path.n > 0 && value.len <= length + 8);
        if (laz_members_json(&value, &json, &err) != 0) { /* a NUL in one of them */
            check_message(&err, LAZ_SECRET_FAULT_MALFORMED);
        }
    }
    laz_by_path_done(&by_path);
    laz_buf_done(&value);
    laz_buf_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8192) {
        return 0;
    }
    const char *text = (const char *)data + 1;
    switch (data[0] % 7) {
    case 3:
        check_coding(text, size - 1);
        break;
    case 4:
        check_value(text, size - 1);
        break;
    case 5:
        check_members(text, size - 1);
        break;
    case 6:
        check_pages(text, size - 1);
        break;
    default:
        check_answer(data[0] % 7, text, size - 1);
        break;
    }
    return 0;
}
