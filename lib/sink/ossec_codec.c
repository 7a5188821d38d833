/* SPDX-License-Identifier: Apache-2.0
 *
 * Coding datagrams of OSSEC's agent protocol. What comes from outside is bounded at each layer
 * before the next one looks at it.
 */
#include "sink/ossec_codec.h"

#include <stdio.h>
#include <zlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/format.h"
#include "core/num.h"

#define MD5_SIZE     16
#define SUM_LENGTH   32 /* the same in hexadecimal digits */
#define RANDOM_AT    SUM_LENGTH
#define GLOBAL_AT    (RANDOM_AT + 5)
#define LOCAL_AT     (GLOBAL_AT + 11)
#define PAYLOAD_AT   (LOCAL_AT + 5)
#define RANDOM_MAX   99999
#define PADDING      8
#define AES_MARK     "#AES:"
#define AES_BLOCK    16
#define WINDOW_BITS  13 /* of deflate: there is never more than 8 KiB to look back at */
#define MEMORY_LEVEL 6
#define LEVEL        9
#define OFFER        "#!-up file "
#define OFFERED      " merged.mg"

static int sum_of(const void *bytes, size_t length, char ret[SUM_LENGTH + 1], struct laz_err *err)
{
    uint8_t digest[MD5_SIZE];
    EVP_MD *md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    bool is_good = md5 != NULL && EVP_Digest(bytes, length, digest, NULL, md5, NULL) == 1;
    EVP_MD_free(md5);
    if (!is_good) {
        return laz_err_set(err, LAZ_E_SINK, 0,
                "OSSEC's agent protocol needs MD5, which this OpenSSL does not have (FIPS)");
    }
    laz_format_hex(digest, sizeof(digest), ret);
    return 0;
}

int laz_ossec_probe(struct laz_err *err)
{
    char sum[SUM_LENGTH + 1];
    return sum_of("", 0, sum, err);
}

/* ---- client.keys ---- */

/* The next word and the blank behind it; its length, 0 if there is none. */
static size_t take_word(const char **at, const char *end, const char **ret)
{
    const char *blank = memchr(*at, ' ', (size_t)(end - *at));
    size_t length = (size_t)((blank == NULL ? end : blank) - *at);
    *ret = *at;
    *at += length + (blank == NULL ? 0 : 1);
    return length;
}

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return true;
}

int laz_ossec_read_agent(
        const char *line, size_t length, struct laz_ossec_agent *ret, struct laz_err *err)
{
    const char *at = line;
    const char *end = line + length;
    const char *id = NULL;
    const char *name = NULL;
    const char *address = NULL;
    char sum[SUM_LENGTH + 1];
    size_t n_id = take_word(&at, end, &id);
    size_t n_name = take_word(&at, end, &name);
    size_t n_address = take_word(&at, end, &address);
    if (length > LAZ_OSSEC_LINE_MAX || !is_printable(line, length) || at >= end) {
        return laz_err_set(err, LAZ_E_SINK, 0, "no agent's key: it is not \"ID NAME ADDRESS KEY\"");
    }
    if (n_id == 0 || n_id > LAZ_OSSEC_ID_MAX || strspn(id, "0123456789") < n_id) {
        return laz_err_set(err, LAZ_E_SINK, 0, "no agent's key: its id is not a number");
    }
    if (n_name == 0 || n_name > LAZ_OSSEC_NAME_MAX || name[0] == '#' || name[0] == '!') {
        return laz_err_set(err, LAZ_E_SINK, 0, "no agent's key: its name is none, or was removed");
    }
    if (sum_of(at, (size_t)(end - at), sum, err) != 0) {
        return -1;
    }
    *ret = (struct laz_ossec_agent){0};
    (void)memcpy(ret->id, id, n_id);
    (void)memcpy(ret->name, name, n_name);
    ret->is_anywhere = (n_address == 3 && memcmp(address, "any", 3) == 0) ||
            memchr(address, '/', n_address) != NULL;
    (void)memcpy(ret->key, sum, sizeof(ret->key));
    OPENSSL_cleanse(sum, sizeof(sum));
    return 0;
}

/* ---- the inner layer ---- */

int laz_ossec_put_message(
        struct laz_buf *buf, const struct laz_ossec_message *message, struct laz_err *err)
{
    char sum[SUM_LENGTH + 1] = "00000000000000000000000000000000";
    size_t begin = buf->len;
    if (message->length > LAZ_OSSEC_PAYLOAD_MAX || message->random > RANDOM_MAX ||
            message->local > LAZ_OSSEC_LOCAL_MAX) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it is longer than OSSEC takes");
    }
    laz_buf_put(buf, sum, SUM_LENGTH);
    laz_buf_printf(buf, "%05u%010u:%04u:", message->random, message->global, message->local);
    laz_buf_put(buf, message->payload, message->length);
    if (buf->overflow) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory");
    }
    char *text = buf->data + begin;
    if (sum_of(text + SUM_LENGTH, buf->len - begin - SUM_LENGTH, sum, err) != 0) {
        return -1;
    }
    (void)memcpy(text, sum, SUM_LENGTH);
    return 0;
}

static bool take_number(const char *at, size_t digits, uint64_t max, uint32_t *ret)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(at[i] - '0');
    }
    *ret = (uint32_t)number;
    return number <= max;
}

int laz_ossec_read_message(
        const char *bytes, size_t length, struct laz_ossec_message *ret, struct laz_err *err)
{
    char sum[SUM_LENGTH + 1];
    struct laz_ossec_message message = {0};
    if (length < PAYLOAD_AT || length > LAZ_OSSEC_MESSAGE_MAX) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: %zu bytes", length);
    }
    if (sum_of(bytes + SUM_LENGTH, length - SUM_LENGTH, sum, err) != 0) {
        return -1;
    }
    if (memcmp(sum, bytes, SUM_LENGTH) != 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: its sum is another");
    }
    if (!take_number(bytes + RANDOM_AT, 5, RANDOM_MAX, &message.random) ||
            !take_number(bytes + GLOBAL_AT, 10, UINT32_MAX, &message.global) ||
            !take_number(bytes + LOCAL_AT, 4, LAZ_OSSEC_LOCAL_MAX, &message.local) ||
            bytes[LOCAL_AT - 1] != ':' || bytes[PAYLOAD_AT - 1] != ':') {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: it has no counters");
    }
    message.payload = bytes + PAYLOAD_AT;
    message.length = length - PAYLOAD_AT;
    *ret = message;
    return 0;
}

/* ---- the outer layer ---- */

/* Compressed, behind 1 to 8 exclamation marks, so that it is a multiple of 8 long. `ret` is where
 * it begins in the memory. */
static int pack(const struct laz_buf *plain, uint8_t *memory, uint8_t **ret, size_t *ret_length,
        struct laz_err *err)
{
    z_stream stream = {.next_in = (uint8_t *)plain->data, .avail_in = (uInt)plain->len};
    stream.next_out = memory + PADDING;
    stream.avail_out = LAZ_OSSEC_DATAGRAM_MAX;
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
            Z_OK) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to compress");
    }
    int result = deflate(&stream, Z_FINISH);
    size_t length = LAZ_OSSEC_DATAGRAM_MAX - stream.avail_out;
    (void)deflateEnd(&stream);
    if (result != Z_STREAM_END) {
        return laz_err_set(err, LAZ_E_SINK, 0, "it is longer than OSSEC takes");
    }
    size_t padding = PADDING - length % PADDING;
    *ret = memory + PADDING - padding;
    *ret_length = padding + length;
    (void)memset(*ret, '!', padding);
    return 0;
}

static int unpack(
        const uint8_t *bytes, size_t length, char *memory, size_t *ret_length, struct laz_err *err)
{
    size_t padding = 0;
    while (padding < length && bytes[padding] == '!') {
        padding++;
    }
    if (padding == 0 || padding > PADDING) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: the key is another, or it is none");
    }
    z_stream stream = {
            .next_in = laz_unconst(bytes + padding), .avail_in = (uInt)(length - padding)};
    stream.next_out = (uint8_t *)memory;
    stream.avail_out = LAZ_OSSEC_MESSAGE_MAX;
    if (inflateInit(&stream) != Z_OK) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory to decompress");
    }
    int result = inflate(&stream, Z_FINISH);
    size_t left = stream.avail_in;
    *ret_length = LAZ_OSSEC_MESSAGE_MAX - stream.avail_out;
    (void)inflateEnd(&stream);
    if (result != Z_STREAM_END || left != 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: it cannot be decompressed");
    }
    return 0;
}

/* AES-256-CBC with PKCS#7; the length of what came out, -1 if it cannot be. */
static int crypt_bytes(const struct laz_ossec_agent *agent, const uint8_t *iv, const uint8_t *in,
        size_t length, uint8_t *out, int encrypt)
{
    int first = 0;
    int last = 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    bool is_good = context != NULL &&
            EVP_CipherInit_ex(context, EVP_aes_256_cbc(), NULL, agent->key, iv, encrypt) == 1 &&
            EVP_CipherUpdate(context, out, &first, in, (int)length) == 1 &&
            EVP_CipherFinal_ex(context, out + first, &last) == 1;
    EVP_CIPHER_CTX_free(context);
    return is_good ? first + last : -1;
}

int laz_ossec_seal(struct laz_buf *buf, const struct laz_ossec_agent *agent,
        const struct laz_ossec_message *message, const uint8_t *iv, struct laz_err *err)
{
    char plain_memory[LAZ_OSSEC_MESSAGE_MAX + 1];
    uint8_t memory[LAZ_OSSEC_DATAGRAM_MAX + PADDING + AES_BLOCK];
    uint8_t *sealed = NULL;
    size_t length = 0;
    struct laz_buf plain;
    laz_buf_init_fixed(&plain, plain_memory, sizeof(plain_memory));
    if (laz_ossec_put_message(&plain, message, err) != 0 ||
            pack(&plain, memory, &sealed, &length, err) != 0) {
        return -1;
    }
    int n = crypt_bytes(agent, iv, sealed, length, sealed, 1);
    if (n < 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "OpenSSL does not encrypt with AES-256-CBC");
    }
    if (agent->is_anywhere) {
        laz_buf_printf(buf, "!%s!", agent->id);
    }
    laz_buf_str(buf, AES_MARK);
    laz_buf_put(buf, iv, LAZ_OSSEC_IV_SIZE);
    laz_buf_put(buf, sealed, (size_t)n);
    return 0;
}

int laz_ossec_open(const struct laz_ossec_agent *agent, const uint8_t *datagram, size_t length,
        char *memory, struct laz_ossec_message *ret, struct laz_err *err)
{
    const size_t mark = sizeof(AES_MARK) - 1;
    const size_t head = mark + LAZ_OSSEC_IV_SIZE;
    uint8_t packed[LAZ_OSSEC_DATAGRAM_MAX + AES_BLOCK];
    if (length > 0 && datagram[0] == ':') {
        return laz_err_set(err, LAZ_E_SINK, 0, "the manager answers with Blowfish, not AES");
    }
    if (length < head + AES_BLOCK || length > LAZ_OSSEC_DATAGRAM_MAX ||
            memcmp(datagram, AES_MARK, mark) != 0 || (length - head) % AES_BLOCK != 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: %zu bytes", length);
    }
    int n = crypt_bytes(agent, datagram + mark, datagram + head, length - head, packed, 0);
    if (n < 0) {
        return laz_err_set(err, LAZ_E_SINK, 0, "not OSSEC: the key is another, or it is none");
    }
    size_t plain = 0;
    if (unpack(packed, (size_t)n, memory, &plain, err) != 0) {
        return -1;
    }
    return laz_ossec_read_message(memory, plain, ret, err);
}

bool laz_ossec_read_offer(const char *payload, size_t length, char ret_sum[33])
{
    const size_t offer = sizeof(OFFER) - 1;
    const size_t offered = sizeof(OFFERED) - 1;
    if (length < offer + SUM_LENGTH + offered || memcmp(payload, OFFER, offer) != 0 ||
            memcmp(payload + offer + SUM_LENGTH, OFFERED, offered) != 0) {
        return false;
    }
    for (size_t i = 0; i < SUM_LENGTH; i++) {
        char c = payload[offer + i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    (void)memcpy(ret_sum, payload + offer, SUM_LENGTH);
    ret_sum[SUM_LENGTH] = '\0';
    return true;
}
