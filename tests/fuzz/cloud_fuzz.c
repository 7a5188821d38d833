/* SPDX-License-Identifier: Apache-2.0
 *
 * What AWS's services and agents answer, and what goes to them. A key that is taken is printable
 * and ends some time; a code is letters and digits; nothing of an answer is in a message. A record
 * that goes into a batch comes out of its JSON byte for byte, and one that does not is none, or too
 * long.
 */
#include <ctype.h>
#include <stdlib.h>

#include "core/json_read.h"
#include "fuzz.h"
#include "net/aws_credentials.h"
#include "sink/cloudwatch_codec.h"

#define NOW INT64_C(1795347763000)

static void check_printable(const char *text, size_t max)
{
    require(text[0] != '\0' && strlen(text) <= max);
    for (const char *c = text; *c != '\0'; c++) {
        require(*c > ' ' && *c <= '~');
    }
}

static void check_answer(const char *text, size_t length)
{
    struct laz_aws_key key = {0};
    struct laz_err err = {0};
    struct laz_err other = {0};
    struct laz_cloudwatch_rejected rejected;
    char code[64];
    if (laz_aws_parse_key(text, length, &key, &err) == 0) {
        check_printable(key.access_key, LAZ_AWS_ACCESS_KEY_MAX);
        check_printable(key.secret_key, LAZ_AWS_SECRET_MAX);
        check_printable(key.token, LAZ_AWS_TOKEN_MAX);
    } else {
        require(strncmp(err.message, "not JSON: byte ", 15) == 0 ||
                strncmp(err.message, "credentials without ", 20) == 0);
    }
    laz_aws_parse_code(text, length, code, sizeof(code));
    for (const char *c = code; *c != '\0'; c++) {
        require(isalnum((unsigned char)*c) != 0);
    }
    (void)laz_cloudwatch_judge((unsigned)length, code);
    if (laz_cloudwatch_read_answer(text, length, 5, &rejected, &other) == 0) {
        require(rejected.too_old_end <= 5 && rejected.expired_end <= 5 &&
                rejected.too_new_start <= 5);
    }
}

static void check_batch(const struct laz_cloudwatch_batch *batch, const char *text, size_t length)
{
    struct laz_json_node nodes[32];
    const struct laz_json_room room = {.nodes = nodes, .max = 32, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    struct laz_buf message;
    uint64_t stamp = 0;
    require(laz_json_read(batch->body.data, batch->body.len, &room, &doc, &err) == 0);
    const struct laz_json_node *list = laz_json_member(&doc, laz_json_root(&doc), "logEvents");
    const struct laz_json_node *event = laz_json_next(&doc, list, NULL);
    laz_buf_init_heap(&message, length + 1);
    require(laz_json_text(&doc, laz_json_member(&doc, event, "message"), &message));
    require(message.len == length && memcmp(message.data, text, length) == 0);
    require(laz_json_number(&doc, laz_json_member(&doc, event, "timestamp"), UINT64_MAX, &stamp));
    require(stamp <= (uint64_t)NOW && stamp >= (uint64_t)(NOW - LAZ_CLOUDWATCH_OWN_TIME_MS));
    require(laz_json_next(&doc, list, event) == NULL);
    laz_buf_done(&message);
}

static void check_record(const char *text, size_t length)
{
    struct laz_cloudwatch_batch batch;
    laz_cloudwatch_batch_init(&batch);
    laz_cloudwatch_batch_begin(&batch, "g", "s");
    size_t line = length > 0 && text[length - 1] == '\n' ? length - 1 : length;
    switch (laz_cloudwatch_batch_add(&batch, text, length, NOW)) {
    case LAZ_CLOUDWATCH_FITS:
        require(batch.n == 1 && batch.bytes == line + LAZ_CLOUDWATCH_EVENT_BYTES);
        require(laz_cloudwatch_batch_end(&batch));
        check_batch(&batch, text, line);
        break;
    case LAZ_CLOUDWATCH_NO_RECORD:
        require(batch.n == 0);
        break;
    case LAZ_CLOUDWATCH_FULL:
    case LAZ_CLOUDWATCH_TOO_LONG:
    case LAZ_CLOUDWATCH_NO_MEMORY:
        abort();
    }
    laz_cloudwatch_batch_done(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 20000) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        check_answer((const char *)data + 1, size - 1);
    } else {
        check_record((const char *)data + 1, size - 1);
    }
    return 0;
}
