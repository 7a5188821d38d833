/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of the compiled policy that the role `sense` reads. Encoder and decoder are the same
 * list of fields in the same order, little-endian. The decoder trusts nothing; it needs nothing
 * else of this area. Layout: docs/reference/policy-image.md.
 */
#include <string.h>

#include "policy/sense.h"

#define FORMAT   1
#define NAME_MAX 63 /* bytes of a policy's name */

const char *laz_detector_name(enum laz_detector value)
{
    static const char *const words[] = {
#define X(id, word) word,
            LAZ_DETECTORS(X)
#undef X
    };
    return (size_t)value < LAZ_DETECTOR_COUNT ? words[value] : "?";
}

/* ---- Encoding ---- */

static void put_uint(struct laz_buf *buf, uint64_t value, unsigned size)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    laz_buf_put(buf, bytes, size);
}

static void put_string(struct laz_buf *buf, const char *text)
{
    laz_buf_put(buf, text, strlen(text) + 1);
}

static void put_list(struct laz_buf *buf, const char *const *texts, uint32_t n)
{
    put_uint(buf, n, 4);
    for (uint32_t i = 0; i < n; i++) {
        put_string(buf, texts[i]);
    }
}

static void put_body(struct laz_buf *buf, const struct laz_sense_config *config)
{
    put_uint(buf, FORMAT, 4);
    put_string(buf, config->name);
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        put_uint(buf, config->level[i], 1);
    }
    put_uint(buf, config->interval_ms, 4);
    put_uint(buf, config->window_ms, 4);
    put_uint(buf, config->rehash_ms, 4);
    put_list(buf, config->foreign, config->n_foreign);
    put_uint(buf, config->n_ports, 4);
    for (uint32_t i = 0; i < config->n_ports; i++) {
        put_uint(buf, config->ports[i].port, 2);
        put_uint(buf, config->ports[i].protocol, 1);
    }
    put_list(buf, config->watch, config->n_watch);
    put_list(buf, config->except, config->n_except);
    put_uint(buf, config->uid, 4);
    put_uint(buf, config->gid, 4);
    put_uint(buf, config->n_groups, 4);
    for (uint32_t i = 0; i < config->n_groups; i++) {
        put_uint(buf, config->groups[i], 4);
    }
    put_uint(buf, config->keep_capabilities, 8);
    put_uint(buf, config->is_bounded, 1);
}

int laz_sense_encode(
        const struct laz_sense_config *config, struct laz_buf *ret, struct laz_err *err)
{
    size_t start = ret->len;
    if (config->n_foreign > LAZ_SENSE_FOREIGN_MAX || config->n_ports > LAZ_SENSE_PORTS_MAX ||
            config->n_watch > LAZ_SENSE_WATCH_MAX || config->n_except > LAZ_SENSE_WATCH_MAX ||
            config->n_groups > LAZ_SENSE_GROUPS_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "more names, ports, paths or groups than \"sense\" can have");
    }
    put_body(ret, config);
    if (ret->overflow || ret->len - start > LAZ_SENSE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "what \"sense\" is told is longer than %d bytes: watch folders in place of files",
                LAZ_SENSE_MAX);
    }
    return 0;
}

/* ---- Decoding ---- */

/* A cursor that remembers its first mistake: after one, everything reads as zero. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    const char *wrong; /* static; NULL while all is well */
};

static void require(struct cursor *in, bool holds, const char *what)
{
    if (!holds && in->wrong == NULL) {
        in->wrong = what;
    }
}

static uint64_t take_uint(struct cursor *in, unsigned size, uint64_t min, uint64_t max)
{
    uint64_t value = 0;
    if (in->wrong != NULL || (size_t)(in->end - in->at) < size) {
        require(in, false, "it ends too early");
        return 0;
    }
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)in->at[i] << (8 * i);
    }
    in->at += size;
    require(in, value >= min && value <= max, "a number is out of range");
    return in->wrong == NULL ? value : 0;
}

static uint32_t take_u32(struct cursor *in, uint32_t min, uint32_t max)
{
    return (uint32_t)take_uint(in, 4, min, max);
}

static const char *take_string(struct cursor *in, size_t min, size_t max)
{
    size_t rest = in->wrong != NULL ? 0 : (size_t)(in->end - in->at);
    const uint8_t *nul = rest == 0 ? NULL : memchr(in->at, 0, rest);
    if (nul == NULL) {
        require(in, false, "a string does not end");
        return "";
    }
    const char *text = (const char *)in->at;
    size_t length = (size_t)(nul - in->at);
    in->at = nul + 1;
    require(in, length >= min && length <= max, "a string is too short or too long");
    return text;
}

static uint32_t take_paths(struct cursor *in, const char **ret)
{
    uint32_t n = take_u32(in, 0, LAZ_SENSE_WATCH_MAX);
    for (uint32_t i = 0; i < n; i++) {
        ret[i] = take_string(in, 1, LAZ_SENSE_MAX);
        require(in, ret[i][0] == '/', "a path is not absolute");
    }
    return n;
}

static void take_expected(struct cursor *in, struct laz_sense_config *config)
{
    config->uid = take_u32(in, 0, UINT32_MAX);
    config->gid = take_u32(in, 0, UINT32_MAX);
    config->n_groups = take_u32(in, 0, LAZ_SENSE_GROUPS_MAX);
    for (uint32_t i = 0; i < config->n_groups; i++) {
        config->groups[i] = take_u32(in, 0, UINT32_MAX);
    }
    config->keep_capabilities = take_uint(in, 8, 0, UINT64_MAX);
    config->is_bounded = take_uint(in, 1, 0, 1) == 1;
}

static void take_body(struct cursor *in, struct laz_sense_config *config)
{
    require(in, take_u32(in, 0, UINT32_MAX) == FORMAT, "another version wrote it");
    config->name = take_string(in, 1, NAME_MAX);
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        config->level[i] = (enum laz_level)take_uint(in, 1, 0, LAZ_LEVEL_COUNT - 1);
    }
    config->interval_ms = take_u32(in, LAZ_SENSE_INTERVAL_MIN, LAZ_SENSE_INTERVAL_MAX);
    config->window_ms = take_u32(in, LAZ_SENSE_WINDOW_MIN, LAZ_SENSE_WINDOW_MAX);
    config->rehash_ms = take_u32(in, LAZ_SENSE_REHASH_MIN, LAZ_SENSE_REHASH_MAX);
    config->n_foreign = take_u32(in, 0, LAZ_SENSE_FOREIGN_MAX);
    for (uint32_t i = 0; i < config->n_foreign; i++) {
        config->foreign[i] = take_string(in, 1, LAZ_SENSE_COMM_MAX);
    }
    config->n_ports = take_u32(in, 0, LAZ_SENSE_PORTS_MAX);
    for (uint32_t i = 0; i < config->n_ports; i++) {
        config->ports[i].port = (uint16_t)take_uint(in, 2, 1, UINT16_MAX);
        config->ports[i].protocol =
                (enum laz_sense_protocol)take_uint(in, 1, 0, LAZ_SENSE_PROTOCOL_COUNT - 1);
    }
    config->n_watch = take_paths(in, config->watch);
    config->n_except = take_paths(in, config->except);
    take_expected(in, config);
}

int laz_sense_decode(
        const void *block, size_t length, struct laz_sense_config *ret, struct laz_err *err)
{
    struct cursor in = {.at = block, .end = (const uint8_t *)block + length};
    struct laz_sense_config config = {0};
    require(&in, length <= LAZ_SENSE_MAX, "it is too long");
    take_body(&in, &config);
    require(&in, in.at == in.end, "bytes are left over");
    if (in.wrong != NULL) {
        return laz_err_set(
                err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy, what sense is told: %s", in.wrong);
    }
    *ret = config;
    return 0;
}
