/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches, and answers to them. A record goes in byte for byte, inside a JSON string, or not at
 * all.
 */
#include "sink/cloudwatch_codec.h"

#include <time.h>

#include "core/json.h"
#include "core/json_read.h"
#include "core/num.h"

/* Each byte escaped as two, and around each event a time and the names of members. */
#define LONGER_MS   5000U /* than our own wait, where the service asks for it */
#define BODY_MAX    (2 * LAZ_CLOUDWATCH_BATCH_MAX + 64 * LAZ_CLOUDWATCH_EVENTS_MAX + 4096)
#define KEPT_MAX    (64U << 10) /* bytes of memory that a batch keeps for the next one */
#define NODES       32
#define TIME_LENGTH 27 /* 2026-11-21T23:59:01.123456Z */

void laz_cloudwatch_batch_init(struct laz_cloudwatch_batch *batch)
{
    *batch = (struct laz_cloudwatch_batch){0};
    laz_buf_init_heap(&batch->body, BODY_MAX);
}

void laz_cloudwatch_batch_done(struct laz_cloudwatch_batch *batch)
{
    laz_buf_done(&batch->body);
}

void laz_cloudwatch_batch_begin(
        struct laz_cloudwatch_batch *batch, const char *group, const char *stream)
{
    struct laz_json json;
    if (batch->body.cap > KEPT_MAX) {
        laz_buf_done(&batch->body);
        laz_cloudwatch_batch_init(batch);
    }
    batch->body.len = 0;
    batch->body.overflow = false;
    batch->bytes = 0;
    batch->n = 0;
    batch->last_ms = 0;
    batch->is_ended = false;
    laz_json_init(&json, &batch->body);
    laz_json_object(&json, NULL);
    laz_json_string(&json, "logGroupName", group);
    laz_json_string(&json, "logStreamName", stream);
    laz_json_array(&json, "logEvents");
}

/* One object in one line, of nothing but printable UTF-8. */
static bool is_record(const char *text, size_t length)
{
    if (length < 2 || text[0] != '{' || text[length - 1] != '}') {
        return false;
    }
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c >= 0x20 && c < 0x7F ? 1 : laz_utf8_length(text + i, length - i);
        if (n == 0 || c < 0x20 || c == 0x7F) {
            return false;
        }
        i += n;
    }
    return true;
}

/* Of "ts", or of the member that it is in an event of OCSF, which no text inside the record can
 * imitate: a quote in it is escaped. The byte behind the key; NULL if it is not there. */
static const char *find_time(const char *text, size_t length)
{
    static const char *const keys[] = {"\"ts\":\"", "\"original_time\":\""};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t n = strlen(keys[i]);
        const char *at = memmem(text, length, keys[i], n);
        if (at != NULL && (size_t)(text + length - at) >= n + TIME_LENGTH) {
            return at + n;
        }
    }
    return NULL;
}

static bool read_time(const char *text, size_t length, int64_t *ret)
{
    char copy[TIME_LENGTH + 1];
    struct tm parts = {0};
    uint64_t micros = 0;
    const char *at = find_time(text, length);
    if (at == NULL) {
        return false;
    }
    (void)memcpy(copy, at, TIME_LENGTH);
    copy[TIME_LENGTH] = '\0';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &parts);
    if (end != copy + 19 || copy[19] != '.' || copy[TIME_LENGTH - 1] != 'Z') {
        return false;
    }
    for (const char *c = copy + 20; c < copy + TIME_LENGTH - 1; c++) {
        if (*c < '0' || *c > '9') {
            return false;
        }
        micros = micros * 10 + (uint64_t)(*c - '0');
    }
    *ret = (int64_t)timegm(&parts) * 1000 + (int64_t)(micros / 1000);
    return true;
}

enum laz_cloudwatch_fit laz_cloudwatch_batch_add(
        struct laz_cloudwatch_batch *batch, const char *text, size_t length, int64_t now_ms)
{
    struct laz_json json;
    int64_t time_ms = now_ms;
    length -= length > 0 && text[length - 1] == '\n' ? 1 : 0;
    if (!is_record(text, length)) {
        return LAZ_CLOUDWATCH_NO_RECORD;
    }
    if (length > LAZ_CLOUDWATCH_MESSAGE_MAX) {
        return LAZ_CLOUDWATCH_TOO_LONG;
    }
    if (batch->n == LAZ_CLOUDWATCH_EVENTS_MAX || batch->is_ended ||
            length + LAZ_CLOUDWATCH_EVENT_BYTES > LAZ_CLOUDWATCH_BATCH_MAX - batch->bytes) {
        return LAZ_CLOUDWATCH_FULL;
    }
    if (!read_time(text, length, &time_ms) || time_ms > now_ms ||
            time_ms < now_ms - LAZ_CLOUDWATCH_OWN_TIME_MS) {
        time_ms = now_ms;
    }
    time_ms += batch->skew_ms;
    time_ms = batch->n > 0 && time_ms < batch->last_ms ? batch->last_ms : time_ms;
    size_t before = batch->body.len;
    laz_json_init(&json, &batch->body);
    json.comma = batch->n > 0;
    laz_json_object(&json, NULL);
    laz_json_i64(&json, "timestamp", time_ms);
    laz_json_bytes(&json, "message", text, length);
    laz_json_object_end(&json);
    if (batch->body.overflow) {
        batch->body.len = before;
        batch->body.overflow = false;
        return LAZ_CLOUDWATCH_NO_MEMORY;
    }
    batch->last_ms = time_ms;
    batch->bytes += length + LAZ_CLOUDWATCH_EVENT_BYTES;
    batch->n++;
    return LAZ_CLOUDWATCH_FITS;
}

bool laz_cloudwatch_batch_end(struct laz_cloudwatch_batch *batch)
{
    if (!batch->is_ended) {
        laz_buf_str(&batch->body, "]}");
        batch->is_ended = !batch->body.overflow;
    }
    return batch->is_ended;
}

/* ---- answers ---- */

/* An index that may be absent, and not be beyond the batch. */
static bool take_index(const struct laz_json_doc *doc, const struct laz_json_node *info,
        const char *name, uint32_t n, uint32_t *ret)
{
    const struct laz_json_node *node = laz_json_member(doc, info, name);
    uint64_t value = 0;
    if (node == NULL || node->type == LAZ_JSON_NULL) {
        return true;
    }
    if (!laz_json_number(doc, node, n, &value)) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

int laz_cloudwatch_read_answer(const char *text, size_t length, uint32_t n,
        struct laz_cloudwatch_rejected *ret, struct laz_err *err)
{
    struct laz_json_node nodes[NODES];
    const struct laz_json_room room = {.nodes = nodes, .max = NODES, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_cloudwatch_rejected rejected = {.too_new_start = n};
    if (laz_json_read(text, length, &room, &doc, err) != 0) {
        return -1;
    }
    const struct laz_json_node *root = laz_json_root(&doc);
    if (root->type != LAZ_JSON_OBJECT) {
        return laz_err_set(err, LAZ_E_SINK, 0, "an answer that is none");
    }
    const struct laz_json_node *info = laz_json_member(&doc, root, "rejectedLogEventsInfo");
    bool has_info = info != NULL && info->type != LAZ_JSON_NULL;
    if (has_info &&
            (info->type != LAZ_JSON_OBJECT ||
                    !take_index(&doc, info, "tooOldLogEventEndIndex", n, &rejected.too_old_end) ||
                    !take_index(&doc, info, "expiredLogEventEndIndex", n, &rejected.expired_end) ||
                    !take_index(
                            &doc, info, "tooNewLogEventStartIndex", n, &rejected.too_new_start))) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it rejects events that were not sent");
    }
    *ret = rejected;
    return 0;
}

const char *laz_cloudwatch_why_rejected(
        const struct laz_cloudwatch_rejected *rejected, uint32_t index)
{
    if (index < rejected->too_old_end) {
        return "CloudWatch Logs rejects it: too old";
    }
    if (index < rejected->expired_end) {
        return "CloudWatch Logs rejects it: older than the retention of the log group";
    }
    return index >= rejected->too_new_start ? "CloudWatch Logs rejects it: too new" : NULL;
}

enum laz_cloudwatch_verdict laz_cloudwatch_judge(unsigned status, const char *code)
{
    static const struct {
        const char *code;
        enum laz_cloudwatch_verdict verdict;
    } rows[] = {
            {"DataAlreadyAcceptedException", LAZ_CLOUDWATCH_TAKEN},
            {"ThrottlingException", LAZ_CLOUDWATCH_AGAIN},
            {"Throttling", LAZ_CLOUDWATCH_AGAIN},
            {"TooManyRequestsException", LAZ_CLOUDWATCH_AGAIN},
            {"LimitExceededException", LAZ_CLOUDWATCH_AGAIN},
            {"RequestLimitExceeded", LAZ_CLOUDWATCH_AGAIN},
            {"SlowDown", LAZ_CLOUDWATCH_AGAIN},
            {"RequestTimeout", LAZ_CLOUDWATCH_AGAIN},
            {"RequestTimeoutException", LAZ_CLOUDWATCH_AGAIN},
            {"OperationAbortedException", LAZ_CLOUDWATCH_AGAIN},
            {"ServiceUnavailableException", LAZ_CLOUDWATCH_AGAIN},
            {"ExpiredToken", LAZ_CLOUDWATCH_CREDENTIALS},
            {"ExpiredTokenException", LAZ_CLOUDWATCH_CREDENTIALS},
            {"UnrecognizedClientException", LAZ_CLOUDWATCH_CREDENTIALS},
            {"InvalidClientTokenId", LAZ_CLOUDWATCH_CREDENTIALS},
            {"RequestExpired", LAZ_CLOUDWATCH_CLOCK},
            {"RequestTimeTooSkewed", LAZ_CLOUDWATCH_CLOCK},
            {"SignatureDoesNotMatch", LAZ_CLOUDWATCH_CLOCK},
            {"InvalidSignatureException", LAZ_CLOUDWATCH_CLOCK},
            {"ResourceNotFoundException", LAZ_CLOUDWATCH_MISSING},
            {"InvalidParameterException", LAZ_CLOUDWATCH_UNFIT},
            {"RequestEntityTooLargeException", LAZ_CLOUDWATCH_UNFIT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && status != 200; i++) {
        if (strcmp(rows[i].code, code) == 0) {
            return rows[i].verdict;
        }
    }
    if (status == 200) {
        return LAZ_CLOUDWATCH_TAKEN;
    }
    if (status == 413) {
        return LAZ_CLOUDWATCH_UNFIT;
    }
    return status >= 500 || status == 429 ? LAZ_CLOUDWATCH_AGAIN : LAZ_CLOUDWATCH_REFUSED;
}

uint32_t laz_cloudwatch_wait_ms(uint32_t own_ms, uint32_t asked_ms)
{
    uint32_t longer_ms = asked_ms > own_ms ? asked_ms - own_ms : 0;
    return own_ms + (longer_ms < LONGER_MS ? longer_ms : LONGER_MS);
}
