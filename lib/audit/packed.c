/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a record is like the one before is judged by what its words say, not by where they are:
 * the caller may have written other words in the same place.
 */
#include "audit/packed.h"

#include "audit/bytes.h"
#include "core/format.h"

#define FRONT      "{\"lz\":1,\"ev\":\"log\",\"seq\":"
#define FRONT_SIZE (sizeof(FRONT) - 1)
#define D          ",\"d\":{"
#define END        "}}\n"
#define DIGITS_MAX 20                        /* of 64 bits */
#define MIDDLE_AT  (FRONT_SIZE + DIGITS_MAX) /* in an unpacker's line: the number ends there */
#define WORDS_MAX  LAZ_TRAIL_LINE_MAX        /* middle and members together */
#define LINE_ROOM  (WORDS_MAX + 64)          /* with what is around them */
#define HEAD_SIZE  16                        /* seq, and two lengths */

_Static_assert(MIDDLE_AT + sizeof(D) + sizeof(END) < 64, "a line that is made has room");

/* ---- writing ---- */

void laz_pack_middle_init(struct laz_pack_middle *middle)
{
    *middle = (struct laz_pack_middle){0};
    laz_buf_init_heap(&middle->text, WORDS_MAX);
    laz_buf_init_heap(&middle->obj, WORDS_MAX);
}

void laz_pack_middle_done(struct laz_pack_middle *middle)
{
    laz_buf_done(&middle->text);
    laz_buf_done(&middle->obj);
}

int laz_pack_middle_make(struct laz_pack_middle *middle, const struct laz_record *record)
{
    struct laz_json json;
    char when[LAZ_RECORD_TIME_SIZE];
    if (middle->text.len > 0 && middle->when.tv_sec == record->when.tv_sec &&
            middle->when.tv_nsec == record->when.tv_nsec &&
            strcmp(middle->obj.data, record->obj) == 0) {
        return 1;
    }
    middle->text.len = middle->obj.len = 0;
    middle->text.overflow = middle->obj.overflow = false;
    laz_record_time(&record->when, when);
    laz_json_init(&json, &middle->text);
    json.comma = true;
    laz_json_string(&json, "task", record->task);
    laz_json_string(&json, "ctr", record->ctr);
    laz_json_string(&json, "obj", record->obj);
    laz_json_string(&json, "ts", when);
    laz_json_string(&json, "chain", record->chain);
    laz_buf_put(&middle->obj, record->obj, strlen(record->obj) + 1);
    middle->when = record->when;
    if (middle->text.overflow || middle->obj.overflow) {
        middle->text.len = 0;
        return -1;
    }
    return 0;
}

size_t laz_packed_line_most(size_t middle_length, size_t members_length)
{
    return MIDDLE_AT + middle_length + sizeof(D) - 1 + members_length + sizeof(END) - 1;
}

static void put_head(const struct laz_packed *record, uint8_t ret[HEAD_SIZE])
{
    uint8_t *at = laz_put_be(ret, record->seq, 8);
    at = laz_put_be(at, record->middle.length, 4);
    (void)laz_put_be(at, record->members.length, 4);
}

void laz_packed_put(struct laz_buf *out, const struct laz_packed *record)
{
    uint8_t head[HEAD_SIZE];
    put_head(record, head);
    laz_buf_add(out, head, sizeof(head));
    if (record->middle.length > 0) {
        laz_buf_add(out, record->middle.at, record->middle.length);
    }
    laz_buf_add(out, record->members.at, record->members.length);
}

uint64_t laz_packed_hash(struct laz_hasher *hasher, const struct laz_packed *record)
{
    uint8_t head[HEAD_SIZE];
    put_head(record, head);
    laz_hasher_add(hasher, head, sizeof(head));
    laz_hasher_add(hasher, record->middle.at, record->middle.length);
    laz_hasher_add(hasher, record->members.at, record->members.length);
    return sizeof(head) + record->middle.length + record->members.length;
}

/* ---- reading ---- */

void laz_unpack_init(struct laz_unpacker *unpacker)
{
    laz_buf_init_heap(&unpacker->line, LINE_ROOM);
    unpacker->members_at = 0;
}

void laz_unpack_done(struct laz_unpacker *unpacker)
{
    laz_buf_done(&unpacker->line);
}

void laz_unpack_begin(struct laz_unpacker *unpacker)
{
    unpacker->members_at = 0;
}

/* A packed record begins with a zero: nobody counts to 2^56. */
static bool is_packed(const char *text)
{
    return text[0] == '\0';
}

/* The form alone. */
static bool read_item(const char *text, size_t length, struct laz_packed_item *ret)
{
    if (!is_packed(text)) {
        const char *feed = memchr(text, '\n', length);
        size_t size = feed == NULL ? length : (size_t)(feed - text) + 1;
        *ret = (struct laz_packed_item){.size = size, .line = {.at = text, .length = size}};
        return true;
    }
    if (length < HEAD_SIZE) {
        return false;
    }
    const uint8_t *head = (const uint8_t *)text;
    struct laz_packed record = {.seq = laz_get_be(head, 8),
            .middle = {.at = text + HEAD_SIZE, .length = laz_get_be(head + 8, 4)},
            .members = {.length = laz_get_be(head + 12, 4)}};
    if (record.middle.length + record.members.length > length - HEAD_SIZE) {
        return false;
    }
    record.members.at = record.middle.at + record.middle.length;
    *ret = (struct laz_packed_item){
            .size = HEAD_SIZE + record.middle.length + record.members.length,
            .is_log = true,
            .record = record};
    return true;
}

static bool set_middle(struct laz_unpacker *unpacker, const struct laz_span *middle)
{
    static const char room[MIDDLE_AT];
    struct laz_buf *line = &unpacker->line;
    line->len = 0;
    line->overflow = false;
    laz_buf_add(line, room, sizeof(room));
    laz_buf_add(line, middle->at, middle->length);
    laz_buf_add(line, D, sizeof(D) - 1);
    unpacker->members_at = line->overflow ? 0 : line->len;
    return !line->overflow;
}

int laz_unpack_next(
        struct laz_unpacker *unpacker, const char *text, size_t length, struct laz_packed_item *ret)
{
    if (!read_item(text, length, ret)) {
        return 0;
    }
    if (!ret->is_log) {
        return 1;
    }
    const struct laz_packed *record = &ret->record;
    size_t middle = record->middle.length;
    if (middle == 0 && unpacker->members_at > 0) {
        middle = unpacker->members_at - MIDDLE_AT - (sizeof(D) - 1);
    }
    if (middle == 0 || middle + record->members.length > WORDS_MAX) {
        return 0;
    }
    return record->middle.length == 0 || set_middle(unpacker, &record->middle) ? 1 : -1;
}

const char *laz_unpack_line(
        struct laz_unpacker *unpacker, const struct laz_packed_item *item, size_t *ret_length)
{
    if (!item->is_log) {
        *ret_length = item->line.length;
        return item->line.at;
    }
    struct laz_buf *line = &unpacker->line;
    line->len = unpacker->members_at;
    line->overflow = false;
    laz_buf_add(line, item->record.members.at, item->record.members.length);
    laz_buf_add(line, END, sizeof(END) - 1);
    if (line->overflow) {
        return NULL;
    }
    char *at = line->data + MIDDLE_AT;
    uint64_t seq = item->record.seq;
    do {
        *--at = (char)('0' + seq % 10);
        seq /= 10;
    } while (seq > 0);
    at -= FRONT_SIZE;
    (void)memcpy(at, FRONT, FRONT_SIZE);
    *ret_length = line->len - (size_t)(at - line->data);
    return at;
}
