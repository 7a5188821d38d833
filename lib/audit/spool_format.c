/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a segment. Layouts: docs/reference/spool-format.md.
 */
#include "audit/spool_format.h"

#include "audit/bytes.h"
#include "core/num.h"

#define CHECK_SIZE     4
#define NONCE_AT       (LAZ_SPOOL_BLOCK_HEAD - CHECK_SIZE - LAZ_SPOOL_NONCE_SIZE)
#define NAME_DIGITS    8
#define SEAL_COUNT_AT  44
#define FORMAT_VERSION 1
#define FORMAT_SUITE   1

static const uint8_t head_magic[4] = {'L', 'Z', 'S', 'P'};

static uint8_t *put_bytes(uint8_t *ret, const void *bytes, size_t size)
{
    (void)memcpy(ret, bytes, size);
    return ret + size;
}

size_t laz_spool_head_encode(struct laz_spool_head *head, const struct laz_spool_seal *seals,
        uint8_t ret[LAZ_SPOOL_HEAD_MAX])
{
    size_t length = LAZ_SPOOL_HEAD_FIXED + LAZ_SPOOL_HEAD_END;
    for (uint32_t i = 0; i < head->n_seals; i++) {
        length += LAZ_SPOOL_SEAL_FIXED + seals[i].length;
    }
    head->length = (uint32_t)length;
    uint8_t *at = put_bytes(ret, head_magic, sizeof(head_magic));
    at = laz_put_be(at, FORMAT_VERSION, 2);
    at = laz_put_be(at, FORMAT_SUITE, 2);
    at = laz_put_be(at, head->length, 4);
    at = laz_put_be(at, head->segment, 4);
    at = put_bytes(at, head->chain, sizeof(head->chain));
    at = laz_put_be(at, head->first_seq, 8);
    at = laz_put_be(at, head->previous_end, 4);
    at = laz_put_be(at, head->n_seals, 4);
    at = put_bytes(at, head->previous, sizeof(head->previous));
    at = put_bytes(at, head->salt, sizeof(head->salt));
    for (uint32_t i = 0; i < head->n_seals; i++) {
        at = laz_put_be(at, seals[i].kind, 2);
        at = laz_put_be(at, seals[i].length, 2);
        at = put_bytes(at, seals[i].key_id, sizeof(seals[i].key_id));
        at = put_bytes(at, seals[i].bytes, seals[i].length);
    }
    laz_sha256_of(ret, (size_t)(at - ret), head->digest);
    at = put_bytes(at, head->digest, sizeof(head->digest));
    (void)memset(at, 0, LAZ_SPOOL_TAG_SIZE);
    return length;
}

/* Do the seals fill the head, up to its end? */
static bool seals_fit(const uint8_t *bytes, uint32_t n_seals, size_t length)
{
    size_t at = LAZ_SPOOL_HEAD_FIXED;
    size_t end = length - LAZ_SPOOL_HEAD_END;
    for (uint32_t i = 0; i < n_seals; i++) {
        if (end - at < LAZ_SPOOL_SEAL_FIXED) {
            return false;
        }
        size_t sealed = laz_get_be(bytes + at + 2, 2);
        at += LAZ_SPOOL_SEAL_FIXED;
        if (sealed > LAZ_SPOOL_SEALED_MAX || end - at < sealed) {
            return false;
        }
        at += sealed;
    }
    return at == end;
}

const char *laz_spool_head_decode(const uint8_t *bytes, size_t size, struct laz_spool_head *ret)
{
    if (size < LAZ_SPOOL_HEAD_FIXED + LAZ_SPOOL_HEAD_END ||
            memcmp(bytes, head_magic, sizeof(head_magic)) != 0) {
        return "it is no segment";
    }
    if (laz_get_be(bytes + 4, 2) != FORMAT_VERSION || laz_get_be(bytes + 6, 2) != FORMAT_SUITE) {
        return "another version of Lazaret wrote it";
    }
    struct laz_spool_head head = {.length = (uint32_t)laz_get_be(bytes + 8, 4),
            .segment = (uint32_t)laz_get_be(bytes + 12, 4),
            .first_seq = laz_get_be(bytes + 32, 8),
            .previous_end = (uint32_t)laz_get_be(bytes + 40, 4),
            .n_seals = (uint32_t)laz_get_be(bytes + SEAL_COUNT_AT, 4)};
    if (head.length < LAZ_SPOOL_HEAD_FIXED + LAZ_SPOOL_HEAD_END || head.length > size ||
            head.length > LAZ_SPOOL_HEAD_MAX || head.n_seals > LAZ_SPOOL_SEALS_MAX ||
            !seals_fit(bytes, head.n_seals, head.length)) {
        return "its head is damaged";
    }
    const uint8_t *end = bytes + head.length - LAZ_SPOOL_HEAD_END;
    laz_sha256_of(bytes, (size_t)(end - bytes), head.digest);
    if (memcmp(head.digest, end, sizeof(head.digest)) != 0) {
        return "its head is damaged";
    }
    (void)memcpy(head.chain, bytes + 16, sizeof(head.chain));
    (void)memcpy(head.previous, bytes + 48, sizeof(head.previous));
    (void)memcpy(head.salt, bytes + 80, sizeof(head.salt));
    (void)memcpy(head.tag, end + LAZ_SHA256_SIZE, sizeof(head.tag));
    *ret = head;
    return NULL;
}

void laz_spool_head_seal(const uint8_t *bytes, uint32_t i, struct laz_spool_seal *ret)
{
    const uint8_t *at = bytes + LAZ_SPOOL_HEAD_FIXED;
    for (uint32_t n = 0; n < i; n++) {
        at += LAZ_SPOOL_SEAL_FIXED + laz_get_be(at + 2, 2);
    }
    ret->kind = (uint16_t)laz_get_be(at, 2);
    ret->length = (uint16_t)laz_get_be(at + 2, 2);
    (void)memcpy(ret->key_id, at + 4, sizeof(ret->key_id));
    (void)memcpy(ret->bytes, at + LAZ_SPOOL_SEAL_FIXED, ret->length);
}

void laz_spool_nonce(uint32_t segment, uint64_t counter, uint8_t ret[LAZ_SPOOL_NONCE_SIZE])
{
    (void)laz_put_be(laz_put_be(ret, segment, 4), counter, 8);
}

const uint8_t *laz_spool_block_nonce(const uint8_t bytes[LAZ_SPOOL_BLOCK_HEAD])
{
    return bytes + NONCE_AT;
}

/* What tells a head from other bytes where nobody has the key; no protection against anybody. */
static void fill_check(const struct laz_spool_head *head, const uint8_t bytes[LAZ_SPOOL_BLOCK_HEAD],
        uint8_t ret[CHECK_SIZE])
{
    uint8_t digest[LAZ_SHA256_SIZE];
    struct laz_sha256 hash;
    laz_sha256_init(&hash);
    laz_sha256_add(&hash, head->digest, sizeof(head->digest));
    laz_sha256_add(&hash, bytes, LAZ_SPOOL_BLOCK_HEAD - CHECK_SIZE);
    laz_sha256_end(&hash, digest);
    (void)memcpy(ret, digest, CHECK_SIZE);
}

void laz_spool_block_encode(const struct laz_spool_head *head,
        const struct laz_spool_block_head *block, uint8_t ret[LAZ_SPOOL_BLOCK_HEAD])
{
    uint8_t *at = laz_put_be(ret, block->length, 4);
    at = laz_put_be(at, block->first_seq, 8);
    at = laz_put_be(at, block->n_records, 4);
    at = laz_put_be(at, block->place_seq, 8);
    at = put_bytes(at, block->place_h, sizeof(block->place_h));
    laz_spool_nonce(head->segment, block->counter, at);
    fill_check(head, ret, at + LAZ_SPOOL_NONCE_SIZE);
}

bool laz_spool_block_decode(const struct laz_spool_head *head,
        const uint8_t bytes[LAZ_SPOOL_BLOCK_HEAD], struct laz_spool_block_head *ret)
{
    struct laz_spool_block_head block = {.length = (uint32_t)laz_get_be(bytes, 4),
            .first_seq = laz_get_be(bytes + 4, 8),
            .n_records = (uint32_t)laz_get_be(bytes + 12, 4),
            .place_seq = laz_get_be(bytes + 16, 8),
            .counter = laz_get_be(bytes + NONCE_AT + 4, 8)};
    if (laz_get_be(bytes + NONCE_AT, 4) != head->segment || block.length < 2 ||
            block.length > LAZ_SPOOL_TEXT_MAX || block.counter == 0) {
        return false;
    }
    uint8_t check[CHECK_SIZE];
    fill_check(head, bytes, check);
    if (memcmp(check, bytes + LAZ_SPOOL_BLOCK_HEAD - CHECK_SIZE, CHECK_SIZE) != 0) {
        return false;
    }
    (void)memcpy(block.place_h, bytes + 24, sizeof(block.place_h));
    *ret = block;
    return true;
}

/* By the segment's number in the nonce, which is rare; the rest is looked at where it stands. */
size_t laz_spool_block_search(
        const struct laz_spool_head *head, const uint8_t *bytes, size_t from, size_t size)
{
    uint8_t number[4];
    struct laz_spool_block_head ignored;
    (void)laz_put_be(number, head->segment, sizeof(number));
    while (from < size && size - from >= LAZ_SPOOL_BLOCK_MORE) {
        size_t last = size - LAZ_SPOOL_BLOCK_MORE; /* where a head can begin at most */
        const uint8_t *found = memmem(
                bytes + from + NONCE_AT, last - from + sizeof(number), number, sizeof(number));
        if (found == NULL) {
            break;
        }
        from = (size_t)(found - bytes) - NONCE_AT;
        if (laz_spool_block_decode(head, bytes + from, &ignored)) {
            return from;
        }
        from++;
    }
    return size;
}

void laz_spool_name(uint32_t number, char ret[LAZ_SPOOL_NAME_SIZE])
{
    struct laz_buf name;
    laz_buf_init_fixed(&name, ret, LAZ_SPOOL_NAME_SIZE);
    laz_buf_printf(&name, "%08u.lzs", (unsigned)number);
}

uint32_t laz_spool_number(const char *name)
{
    if (strlen(name) != LAZ_SPOOL_NAME_SIZE - 1 || strcmp(name + NAME_DIGITS, ".lzs") != 0) {
        return 0;
    }
    uint64_t number = 0;
    size_t zeros = strspn(name, "0");
    if (zeros >= NAME_DIGITS ||
            !laz_parse_u64(name + zeros, NAME_DIGITS - zeros, LAZ_SPOOL_NUMBER_MAX, &number)) {
        return 0;
    }
    return (uint32_t)number;
}
