/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes from an OSSEC manager or from authd, by the first byte. A datagram: whatever it is,
 * it is opened or refused with a reason. A message inside one: what is read is written again byte
 * for byte. A payload: sealed and opened it is the same, and once a bit is turned it is that or
 * nothing. An answer, a line of keys: nothing outside of them is taken.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "sink/ossec_codec.h"
#include "sink/ossec_enrol.h"

static struct laz_ossec_agent agent(void)
{
    static const char line[] = "001 task any 5a5a";
    struct laz_ossec_agent found;
    struct laz_err err = {0};
    require(laz_ossec_read_agent(line, sizeof(line) - 1, &found, &err) == 0);
    return found;
}

static void check_datagram(const uint8_t *bytes, size_t size)
{
    struct laz_ossec_agent own = agent();
    struct laz_ossec_message message;
    struct laz_err err = {0};
    char memory[LAZ_OSSEC_MESSAGE_MAX];
    if (laz_ossec_open(&own, bytes, size, memory, &message, &err) != 0) {
        require(err.kind == LAZ_E_SINK && err.message[0] != '\0');
    } else {
        require(message.length <= LAZ_OSSEC_MESSAGE_MAX);
    }
}

static void check_message(const char *bytes, size_t size)
{
    struct laz_ossec_message message;
    struct laz_err err = {0};
    struct laz_buf again;
    if (laz_ossec_read_message(bytes, size, &message, &err) != 0) {
        require(err.kind == LAZ_E_SINK && err.message[0] != '\0');
        return;
    }
    laz_buf_init_heap(&again, size + 1);
    require(message.length > LAZ_OSSEC_PAYLOAD_MAX ||
            (laz_ossec_put_message(&again, &message, &err) == 0 && again.len == size &&
                    memcmp(again.data, bytes, size) == 0));
    laz_buf_done(&again);
}

static void check_payload(const uint8_t *bytes, size_t size)
{
    struct laz_ossec_agent own = agent();
    const uint8_t iv[LAZ_OSSEC_IV_SIZE] = {0};
    const struct laz_ossec_message in = {.random = (uint32_t)size % 65536,
            .global = size > 0 ? bytes[0] : 0,
            .local = 1,
            .payload = (const char *)bytes,
            .length = size};
    struct laz_ossec_message out;
    struct laz_err err = {0};
    char memory[LAZ_OSSEC_MESSAGE_MAX];
    struct laz_buf sealed;
    laz_buf_init_heap(&sealed, 2 * LAZ_OSSEC_DATAGRAM_MAX);
    if (laz_ossec_seal(&sealed, &own, &in, iv, &err) != 0) {
        require(size > LAZ_OSSEC_PAYLOAD_MAX && sealed.len == 0);
        laz_buf_done(&sealed);
        return;
    }
    uint8_t *datagram = (uint8_t *)sealed.data + 5;
    size_t length = sealed.len - 5;
    require(memcmp(sealed.data, "!001!", 5) == 0);
    require(laz_ossec_open(&own, datagram, length, memory, &out, &err) == 0);
    require(out.length == size && memcmp(out.payload, bytes, size) == 0);
    size_t bit = size > 1 ? (bytes[0] * 256U + bytes[1]) % (length * 8) : 0;
    datagram[bit / 8] ^= (uint8_t)(1U << bit % 8);
    require(laz_ossec_open(&own, datagram, length, memory, &out, &err) != 0 ||
            (out.length == size && memcmp(out.payload, bytes, size) == 0));
    laz_buf_done(&sealed);
}

static void check_texts(const char *text, size_t size)
{
    struct laz_ossec_agent found;
    struct laz_err err = {0};
    const char *line = NULL;
    size_t length = 0;
    char sum[33];
    if (laz_ossec_read_agent(text, size, &found, &err) == 0) {
        require(strspn(found.id, "0123456789") == strlen(found.id) && found.id[0] != '\0');
        require(memmem(text, size, found.name, strlen(found.name)) != NULL);
    }
    if (laz_ossec_read_answer(text, size, &line, &length, &err) == 0) {
        require(line >= text && line + length < text + size && line[length] == '\'');
    }
    if (laz_ossec_read_offer(text, size, sum)) {
        require(strspn(sum, "0123456789abcdef") == 32 && sum[32] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 8192) {
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        check_datagram(data + 1, size - 1);
        break;
    case 1:
        check_message((const char *)data + 1, size - 1);
        break;
    case 2:
        check_payload(data + 1, size - 1);
        break;
    default:
        check_texts((const char *)data + 1, size - 1);
        break;
    }
    return 0;
}
