/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding and decoding RELP.
 */
#include "sink/relp_codec.h"

#include <assert.h>

#define TXNR_DIGITS   9
#define LENGTH_DIGITS 9

void laz_relp_decoder_init(struct laz_relp_decoder *decoder)
{
    decoder->state = LAZ_RELP_TXNR;
    decoder->position = 0;
    decoder->n = 0;
    decoder->txnr = 0;
}

static int broken(struct laz_relp_decoder *decoder, unsigned char c, const char *expected,
        struct laz_err *err)
{
    decoder->state = LAZ_RELP_BROKEN;
    return laz_err_set(err, LAZ_E_SINK, 0, "not RELP: byte %llu is 0x%02x where %s is due",
            (unsigned long long)decoder->position, c, expected);
}

static void begin(struct laz_relp_decoder *decoder, enum laz_relp_state state)
{
    decoder->state = state;
    decoder->n = 0;
}

/* One more digit of a number without leading zeros. */
static bool take_digit(
        struct laz_relp_decoder *decoder, unsigned char c, uint32_t *number, size_t digits)
{
    if (c < '0' || c > '9' || decoder->n == digits || (decoder->n > 0 && *number == 0)) {
        return false;
    }
    *number = decoder->n == 0 ? (uint32_t)(c - '0') : *number * 10 + (uint32_t)(c - '0');
    decoder->n++;
    return true;
}

static int take_txnr(struct laz_relp_decoder *decoder, unsigned char c, struct laz_err *err)
{
    if (c == ' ' && decoder->n > 0) {
        begin(decoder, LAZ_RELP_COMMAND);
        return 0;
    }
    if (take_digit(decoder, c, &decoder->txnr, TXNR_DIGITS)) {
        return 0;
    }
    return broken(decoder, c, "a transaction number", err);
}

static int take_command(struct laz_relp_decoder *decoder, unsigned char c, struct laz_err *err)
{
    if (c == ' ' && decoder->n > 0) {
        decoder->command[decoder->n] = '\0';
        begin(decoder, LAZ_RELP_LENGTH);
        return 0;
    }
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter || decoder->n == LAZ_RELP_COMMAND_MAX) {
        return broken(decoder, c, "a command", err);
    }
    decoder->command[decoder->n++] = (char)c;
    return 0;
}

static int take_length(struct laz_relp_decoder *decoder, unsigned char c, struct laz_err *err)
{
    if (decoder->n > 0 && decoder->length == 0 && c == '\n') {
        begin(decoder, LAZ_RELP_TRAILER);
        return 1;
    }
    if (decoder->n > 0 && decoder->length > 0 && c == ' ') {
        begin(decoder, LAZ_RELP_DATA);
        return 0;
    }
    if (!take_digit(decoder, c, &decoder->length, LENGTH_DIGITS)) {
        return broken(decoder, c, "a length", err);
    }
    if (decoder->length > LAZ_RELP_DATA_MAX) {
        return broken(decoder, c, "a length of at most 4096", err);
    }
    return 0;
}

/* 1 at the end of a frame, 0 before it, -1 if it is none. */
static int take_byte(struct laz_relp_decoder *decoder, unsigned char c, struct laz_err *err)
{
    switch (decoder->state) {
    case LAZ_RELP_TXNR:
        return take_txnr(decoder, c, err);
    case LAZ_RELP_COMMAND:
        return take_command(decoder, c, err);
    case LAZ_RELP_LENGTH:
        return take_length(decoder, c, err);
    case LAZ_RELP_DATA:
        decoder->data[decoder->n++] = (char)c;
        if (decoder->n == decoder->length) {
            begin(decoder, LAZ_RELP_TRAILER);
        }
        return 0;
    case LAZ_RELP_TRAILER:
        return c == '\n' ? 1 : broken(decoder, c, "the line feed at the end", err);
    case LAZ_RELP_BROKEN:
        break;
    }
    return laz_err_set(err, LAZ_E_SINK, 0, "not RELP");
}

enum laz_relp_progress laz_relp_decode(struct laz_relp_decoder *decoder, const void *bytes,
        size_t length, size_t *ret_used, struct laz_err *err)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < length; i++) {
        int end = take_byte(decoder, at[i], err);
        if (end < 0) {
            *ret_used = i;
            return LAZ_RELP_IS_BROKEN;
        }
        decoder->position++;
        if (end > 0) {
            decoder->data[decoder->length] = '\0';
            begin(decoder, LAZ_RELP_TXNR);
            *ret_used = i + 1;
            return LAZ_RELP_HAS_FRAME;
        }
    }
    *ret_used = length;
    return LAZ_RELP_NEEDS_MORE;
}

int laz_relp_read_answer(
        const char *data, size_t length, struct laz_relp_answer *ret, struct laz_err *err)
{
    struct laz_relp_answer answer = {0};
    for (size_t i = 0; i < 3; i++) {
        if (i == length || data[i] < '0' || data[i] > '9') {
            return laz_err_set(err, LAZ_E_SINK, 0, "not RELP: an answer without a code");
        }
        answer.code = answer.code * 10 + (unsigned)(data[i] - '0');
    }
    if (length > 3 && data[3] != ' ' && data[3] != '\n') {
        return laz_err_set(err, LAZ_E_SINK, 0, "not RELP: an answer without a code");
    }
    for (size_t i = 4, n = 0; data[3] == ' ' && i < length && data[i] != '\n'; i++) {
        if (n == LAZ_RELP_TEXT_MAX) {
            break;
        }
        answer.text[n++] = '?';
        if (data[i] >= ' ' && data[i] <= '~') {
            answer.text[n - 1] = data[i];
        }
    }
    *ret = answer;
    return 0;
}

/* Whether a list with commas has the word. */
static bool has_word(const char *list, const char *end, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *word_end = comma == NULL ? end : comma;
        if ((size_t)(word_end - at) == length && memcmp(at, word, length) == 0) {
            return true;
        }
        at = word_end + 1;
    }
    return false;
}

bool laz_relp_offers_syslog(const char *data, size_t length)
{
    static const char key[] = "commands=";
    for (const char *line = data, *end = data + length; line < end;) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = feed == NULL ? end : feed;
        if ((size_t)(line_end - line) > sizeof(key) - 1 &&
                memcmp(line, key, sizeof(key) - 1) == 0 &&
                has_word(line + sizeof(key) - 1, line_end, "syslog")) {
            return true;
        }
        line = line_end + 1;
    }
    return false;
}

uint32_t laz_relp_txnr_after(uint32_t txnr)
{
    return txnr >= LAZ_RELP_TXNR_MAX ? 1 : txnr + 1;
}

void laz_relp_put_head(struct laz_buf *buf, uint32_t txnr, const char *command, size_t length)
{
    assert(txnr <= LAZ_RELP_TXNR_MAX && length <= 999999999);
    laz_buf_printf(buf, "%u %s %zu", txnr, command, length);
    if (length > 0) {
        laz_buf_char(buf, ' ');
    }
}
