/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from a RELP server, and what goes to a syslog one, by the first byte. Bytes from a
 * server: in whatever pieces they come, the same frames come out, each of which is put together
 * again byte for byte. Bytes as a record: what becomes a message is one line, with our header, and
 * the record behind it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/json_read.h"
#include "core/num.h"
#include "fuzz.h"
#include "sink/ocsf.h"
#include "sink/relp_codec.h"
#include "sink/syslog_codec.h"

static void check_answer(const struct laz_relp_decoder *decoder)
{
    struct laz_relp_answer answer;
    struct laz_err err = {0};
    if (laz_relp_read_answer(decoder->data, decoder->length, &answer, &err) == 0) {
        require(answer.code <= 999);
        for (const char *c = answer.text; *c != '\0'; c++) {
            require(*c >= ' ' && *c <= '~');
        }
    }
    if (laz_relp_offers_syslog(decoder->data, decoder->length)) {
        require(memmem(decoder->data, decoder->length, "commands=", 9) != NULL &&
                memmem(decoder->data, decoder->length, "syslog", 6) != NULL);
    }
}

/* All frames, put together again; whether it broke, and where. */
static bool decode(const uint8_t *bytes, size_t size, size_t piece, struct laz_buf *again,
        uint64_t *ret_position)
{
    struct laz_relp_decoder decoder;
    struct laz_err err = {0};
    bool is_broken = false;
    laz_relp_decoder_init(&decoder);
    for (size_t at = 0, used = 0; at < size && !is_broken; at += used) {
        size_t left = size - at < piece ? size - at : piece;
        switch (laz_relp_decode(&decoder, bytes + at, left, &used, &err)) {
        case LAZ_RELP_NEEDS_MORE:
            require(used == left);
            break;
        case LAZ_RELP_HAS_FRAME:
            require(used > 0 && used <= left);
            laz_relp_put_head(again, decoder.txnr, decoder.command, decoder.length);
            laz_buf_put(again, decoder.data, decoder.length);
            laz_buf_char(again, '\n');
            check_answer(&decoder);
            break;
        case LAZ_RELP_IS_BROKEN:
            require(err.kind == LAZ_E_SINK && err.message[0] != '\0');
            is_broken = true;
            break;
        }
    }
    *ret_position = decoder.position;
    return is_broken;
}

static void check_stream(const uint8_t *bytes, size_t size)
{
    static const size_t pieces[] = {1, 2, 3, 7, 64, SIZE_MAX};
    struct laz_buf first;
    uint64_t first_position = 0;
    laz_buf_init_heap(&first, 2 * size + LAZ_RELP_HEAD_MAX);
    bool is_broken = decode(bytes, size, pieces[0], &first, &first_position);
    require(!first.overflow && first.len <= size);
    require(first.len == 0 || memcmp(first.data, bytes, first.len) == 0);
    for (size_t i = 1; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct laz_buf again;
        uint64_t position = 0;
        laz_buf_init_heap(&again, 2 * size + LAZ_RELP_HEAD_MAX);
        require(decode(bytes, size, pieces[i], &again, &position) == is_broken);
        require(position == first_position && again.len == first.len);
        require(again.len == 0 || memcmp(again.data, first.data, again.len) == 0);
        laz_buf_done(&again);
    }
    laz_buf_done(&first);
}

/* What becomes an event of OCSF is one line of JSON, whatever the record says. */
static void check_event(const char *text, size_t size)
{
    static struct laz_json_node nodes[8192];
    const struct laz_json_room room = {.nodes = nodes, .max = 8192, .kind = LAZ_E_SINK};
    struct laz_json_doc doc;
    struct laz_err err = {0};
    struct laz_buf buf;
    laz_buf_init_heap(&buf, 8 * size + 4096);
    if (laz_ocsf_line(&buf, "host", text, size, &err) != 0) {
        require(err.kind == LAZ_E_SINK && buf.len == 0);
    } else {
        require(!buf.overflow && memchr(buf.data, '\n', buf.len) == buf.data + buf.len - 1);
        require(memcmp(buf.data, LAZ_OCSF_START, sizeof(LAZ_OCSF_START) - 1) == 0);
        require(laz_json_read(buf.data, buf.len - 1, &room, &doc, &err) == 0);
        require(memmem(buf.data, buf.len, "{\"lz\":1,", 8) == NULL);
    }
    laz_buf_done(&buf);
}

static void check_record(const uint8_t *bytes, size_t size)
{
    struct laz_syslog_origin origin;
    struct laz_err err = {0};
    struct laz_buf buf;
    char host[64];
    size_t host_length = size < sizeof(host) - 1 ? size : sizeof(host) - 1;
    (void)memcpy(host, bytes, host_length);
    host[host_length] = '\0';
    laz_syslog_origin_init(&origin, host, (uint32_t)size);
    laz_buf_init_heap(&buf, size + LAZ_SYSLOG_HEAD_MAX + 1);
    if (laz_syslog_put(&buf, &origin, size > 0 ? bytes[0] : 0, (const char *)bytes, size, &err) !=
            0) {
        require(err.kind == LAZ_E_SINK && buf.len == 0);
        laz_buf_done(&buf);
        return;
    }
    require(!buf.overflow && buf.len > size);
    size_t head = buf.len - (size - 1);
    require(memcmp(buf.data + head, bytes, size - 1) == 0);
    require(buf.data[0] == '<' && memcmp(buf.data + 4, ">1 ", 3) == 0);
    require(memcmp(buf.data + head - 3, " - ", 3) == 0);
    size_t blanks = 0;
    for (size_t i = 0; i < buf.len; i++) {
        unsigned char c = (unsigned char)buf.data[i];
        require(c >= ' ' && c != 0x7f);
        require(i >= head || c <= '~');
        blanks += i < head && c == ' ';
    }
    require(blanks == 7);
    laz_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 20000) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        check_stream(data + 1, size - 1);
    } else {
        check_record(data + 1, size - 1);
        check_event((const char *)data + 1, size - 1);
    }
    return 0;
}
