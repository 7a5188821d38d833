/* SPDX-License-Identifier: Apache-2.0
 *
 * Four targets in one, by the first byte. Bytes as a trail: what is taken apart can be put
 * together again byte for byte, and the verdicts agree with each other. Bytes as a list of edits of
 * a whole trail: whatever they change in a record is seen. Bytes as a text of the spool: what is
 * unpacked can be packed again, and is the same.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/digest.h"
#include "audit/verify.h"
#include "core/num.h"
#include "fuzz.h"
#include "tests/fixture/unpack.h"

#define EDIT_SIZE 4 /* where (2 bytes), what, with what */

/* ---- Bytes as a trail ---- */

/* A record of no chain: a chain can take it up, and it is one of the chain's then. */
static void check_adopted(struct laz_span record)
{
    const struct laz_chain_start start = {
            .task = "t", .ctr = "c", .boot = "b", .policy = "", .binary = ""};
    struct laz_chain *chain = NULL;
    struct laz_err err = {0};
    struct laz_buf out;
    struct laz_trail_line parsed;
    laz_buf_init_heap(&out, LAZ_TRAIL_LINE_MAX);
    require(laz_chain_open(&start, &chain, &out, &err) == 0);
    out.len = 0;
    if (record.length <= LAZ_RECORD_MAX) {
        require(laz_chain_adopt(chain, record.at, record.length, &out, &err) == 0);
        require(laz_trail_parse((struct laz_span){.at = out.data, .length = out.len - 1}, &parsed));
        require(parsed.seq == 1);
    }
    laz_chain_free(chain);
    laz_buf_done(&out);
}

static void check_line(const char *line, size_t length)
{
    struct laz_trail_line parsed;
    struct laz_span record = laz_trail_find(line, length);
    if (laz_trail_is_unchained(record)) {
        check_adopted(record);
    }
    if (!laz_trail_parse(record, &parsed)) {
        return;
    }
    struct laz_buf again;
    char hex[2 * LAZ_SIGNATURE_SIZE + 1];
    laz_buf_init_heap(&again, record.length + 1);
    laz_buf_put(&again, parsed.text[0].at, parsed.text[0].length);
    if (parsed.kind != LAZ_TRAIL_LOG) {
        laz_format_hex(parsed.h, sizeof(parsed.h), hex);
        laz_buf_printf(&again, ",\"h\":\"%s\"", hex);
    }
    laz_buf_put(&again, parsed.text[1].at, parsed.text[1].length);
    if (parsed.has_signature) {
        laz_format_hex(parsed.signature, sizeof(parsed.signature), hex);
        laz_buf_printf(&again, ",\"sig\":\"%s\"", hex);
    }
    laz_buf_put(&again, parsed.text[2].at, parsed.text[2].length);
    require(!again.overflow && again.len == record.length &&
            memcmp(again.data, record.at, record.length) == 0);
    laz_buf_done(&again);
}

static void check_verdict(const struct laz_chain_verdict *verdict)
{
    require(verdict->first_seq <= verdict->last_seq && verdict->records > 0);
    require((verdict->integrity == LAZ_INTEGRITY_BROKEN) == (verdict->broken_why != NULL));
    if (verdict->completeness < LAZ_COMPLETE_HEADLESS) {
        require(verdict->first_seq == 0 && verdict->missing == 0);
    }
    /* Of a broken chain it is said of what is left: that may claim losses which no record has. */
    if (verdict->completeness == LAZ_COMPLETE_CLOSED && verdict->integrity == LAZ_INTEGRITY_OK) {
        require(verdict->lost == 0 && verdict->records == verdict->last_seq + 1);
    }
}

static void check_trail(const char *text, size_t length)
{
    struct laz_err err = {0};
    struct laz_verify *verify = laz_verify_new();
    require(verify != NULL && laz_verify_add(verify, text, length, &err) == 0 &&
            laz_verify_run(verify, &err) == 0);
    for (size_t i = 0; i < laz_verify_count(verify); i++) {
        check_verdict(laz_verify_at(verify, i));
    }
    laz_verify_free(verify);
    for (size_t at = 0; at < length;) {
        const char *feed = memchr(text + at, '\n', length - at);
        size_t end = feed == NULL ? length : (size_t)(feed - text);
        check_line(text + at, end - at);
        at = end + 1;
    }
}

/* ---- Bytes as edits ---- */

/* A closed trail with every kind of record. */
static void make_whole(struct laz_buf *ret)
{
    static const struct timespec when = {.tv_sec = 1800000000};
    static const struct laz_anchors no_anchors = {0};
    const struct laz_chain_start start = {
            .task = "t", .ctr = "c", .boot = "b", .policy = "", .binary = "", .when = when};
    const struct laz_record event = {.ev = "x.y", .exe = "", .obj = "o", .act = "", .when = when};
    const struct laz_record line = {.obj = "", .when = when};
    struct laz_chain *chain = NULL;
    struct laz_err err = {0};
    struct laz_buf packed;
    laz_buf_init_heap(ret, 1U << 16);
    laz_buf_init_heap(&packed, 1U << 16);
    require(laz_chain_open(&start, &chain, &packed, &err) == 0);
    for (int i = 0; i < 3; i++) {
        require(laz_chain_event(chain, &event, "\"n\":1", 5, &packed, &err) == 0);
        require(laz_chain_log(chain, &line, "\"msg\":\"m\"", 9, &packed, &err) == 0);
        require(laz_chain_log(chain, &line, "\"msg\":\"n\"", 9, &packed, &err) == 0);
        require(laz_chain_checkpoint(chain, when, &no_anchors, &packed, &err) == 0);
    }
    require(laz_chain_final(chain, when, 0, &no_anchors, &packed, &err) == 0);
    require(unpack_all(packed.data, packed.len, ret) == 1);
    laz_chain_free(chain);
    laz_buf_done(&packed);
}

static size_t edit(char *text, size_t length, const uint8_t how[EDIT_SIZE])
{
    size_t at = ((size_t)how[0] << 8 | how[1]) % length;
    switch (how[2] % 4) {
    case 0: /* a bit */
        text[at] = (char)(text[at] ^ (1 << (how[3] % 8)));
        return length;
    case 1: /* a byte */
        text[at] = (char)how[3];
        return length;
    case 2: { /* some bytes go */
        size_t n = how[3] < length - at ? how[3] : length - at - 1;
        (void)memmove(text + at, text + at + n, length - at - n);
        return length - n;
    }
    default: { /* a piece is repeated elsewhere */
        size_t n = how[3] < length - at ? how[3] : length - at;
        (void)memmove(text, text + at, n);
        return length;
    }
    }
}

/* Is each record of the one a record of the other, as it stands? */
static bool has_all_records(const char *text, size_t length, const struct laz_buf *whole)
{
    for (size_t at = 0; at < whole->len;) {
        const char *feed = memchr(whole->data + at, '\n', whole->len - at);
        size_t end = (size_t)(feed - whole->data) + 1;
        if (memmem(text, length, whole->data + at, end - at) == NULL) {
            return false;
        }
        at = end;
    }
    return true;
}

static void check_edits(const uint8_t *data, size_t size)
{
    struct laz_buf whole;
    struct laz_err err = {0};
    struct laz_verify_lines lines;
    make_whole(&whole);
    char *text = malloc(whole.len);
    require(text != NULL);
    (void)memcpy(text, whole.data, whole.len);
    size_t length = whole.len;
    for (size_t at = 0; at + EDIT_SIZE <= size; at += EDIT_SIZE) {
        length = edit(text, length, data + at);
    }
    struct laz_verify *verify = laz_verify_new();
    require(verify != NULL && laz_verify_add(verify, text, length, &err) == 0 &&
            laz_verify_run(verify, &err) == 0);
    laz_verify_lines(verify, &lines);
    bool fine = laz_verify_count(verify) == 1 && lines.malformed == 0;
    if (fine) {
        const struct laz_chain_verdict *verdict = laz_verify_at(verify, 0);
        fine = verdict->integrity == LAZ_INTEGRITY_OK &&
                verdict->completeness == LAZ_COMPLETE_CLOSED &&
                verdict->uniqueness == LAZ_UNIQUE_SINGLE;
    }
    /* the last line's feed may be missing: the record is whole without it */
    require(!fine || has_all_records(text, length, &whole) ||
            (length == whole.len - 1 && memcmp(text, whole.data, length) == 0));
    laz_verify_free(verify);
    free(text);
    laz_buf_done(&whole);
}

/* ---- Bytes as a text of the spool ---- */

static void check_packed(const char *text, size_t length)
{
    struct laz_unpacker unpacker;
    struct laz_buf lines;
    struct laz_buf all;
    struct laz_buf again;
    size_t at = 0;
    int got = 1;
    laz_unpack_init(&unpacker);
    laz_buf_init_heap(&lines, 1U << 28);
    laz_buf_init_heap(&all, 1U << 28);
    laz_buf_init_heap(&again, 1U << 28);
    while (at < length && got == 1) {
        struct laz_packed_item item;
        got = laz_unpack_next(&unpacker, text + at, length - at, &item);
        size_t line_length = 0;
        const char *line = got == 1 ? laz_unpack_line(&unpacker, &item, &line_length) : NULL;
        require((got == 1) == (line != NULL));
        if (line == NULL) {
            break;
        }
        laz_buf_put(&lines, line, line_length);
        require(!item.is_log || memmem(line, line_length, ",\"d\":{", 6) != NULL);
        if (item.is_log) {
            laz_packed_put(&again, &item.record);
        } else {
            laz_buf_put(&again, line, line_length);
        }
        at += item.size;
        require(again.len == at && memcmp(again.data, text, at) == 0);
    }
    require(unpack_all(text, length, &all) == got && all.len == lines.len);
    require(all.len == 0 || memcmp(all.data, lines.data, all.len) == 0);
    laz_unpack_done(&unpacker);
    laz_buf_done(&lines);
    laz_buf_done(&all);
    laz_buf_done(&again);
}

/* ---- Bytes as a digest ---- */

/* What is accepted has the files that it names, all of them between its brackets, and no byte that
 * its hash does not cover. */
static void check_digest(const char *text, size_t length)
{
    struct laz_digest digest;
    struct laz_digest_file file;
    uint8_t hash[LAZ_SHA256_SIZE];
    if (!laz_digest_parse(text, length, &digest)) {
        return;
    }
    while (laz_digest_next_file(&digest, &file)) {
        require(file.name.at > text && file.name.at + file.name.length < text + length);
    }
    require(laz_trail_read_text(&digest.files, "],\"digestSignature\":\""));
    require(digest.files.at + 2 * (ptrdiff_t)LAZ_SIGNATURE_SIZE + 3 == text + length);
    laz_sha256_of(text, length, hash);
    require(memcmp(hash, digest.hash, sizeof(hash)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'd') {
        char *copy = malloc(size); /* the byte in front is looked at, and is not its own */
        require(copy != NULL);
        (void)memcpy(copy, data, size);
        check_digest(copy + 1, size - 1);
        free(copy);
    } else if (size > 0 && data[0] == 'e') {
        check_edits(data + 1, size - 1);
    } else if (size > 0 && data[0] == 'p') {
        check_packed((const char *)data + 1, size - 1);
    } else if (size > 0) {
        check_trail((const char *)data, size);
    }
    return 0;
}
