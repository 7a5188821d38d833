/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of the compiled policy that the role `sense` reads. Encoder and decoder are the same
 * list of fields in the same order, little-endian. The decoder trusts nothing; it needs nothing
 * else of this area. Layout: docs/reference/policy-image.md.
 */
#include <string.h>

#include "core/words.h"
#include "policy/section.h"
#include "policy/sense.h"

#define FORMAT   2
#define NAME_MAX 63 /* bytes of a policy's name */

LAZ_WORDS(laz_detector_name, laz_detector, LAZ_DETECTORS, LAZ_DETECTOR_COUNT)
LAZ_WORDS(
        laz_volume_require_name, laz_volume_require, LAZ_VOLUME_REQUIRES, LAZ_VOLUME_REQUIRE_COUNT)

/* ---- Encoding ---- */

static void put_list(struct laz_buf *buf, const char *const *texts, uint32_t n)
{
    laz_section_put_uint(buf, n, 4);
    for (uint32_t i = 0; i < n; i++) {
        laz_section_put_string(buf, texts[i]);
    }
}

static void put_plain(struct laz_buf *buf, const struct laz_sense_config *config)
{
    laz_section_put_uint(buf, config->plain, 1);
    laz_section_put_uint(buf, config->n_tls_only, 4);
    for (uint32_t i = 0; i < config->n_tls_only; i++) {
        laz_section_put_uint(buf, config->tls_only[i], 2);
    }
    laz_section_put_uint(buf, config->n_peers, 4);
    for (uint32_t i = 0; i < config->n_peers; i++) {
        laz_buf_put(buf, config->peers[i].address, sizeof(config->peers[i].address));
        laz_section_put_uint(buf, config->peers[i].port, 2);
    }
}

static void put_body(struct laz_buf *buf, const struct laz_sense_config *config)
{
    laz_section_put_uint(buf, FORMAT, 4);
    laz_section_put_string(buf, config->name);
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        laz_section_put_uint(buf, config->level[i], 1);
    }
    laz_section_put_uint(buf, config->interval_ms, 4);
    laz_section_put_uint(buf, config->window_ms, 4);
    laz_section_put_uint(buf, config->rehash_ms, 4);
    put_list(buf, config->foreign, config->n_foreign);
    laz_section_put_uint(buf, config->n_ports, 4);
    for (uint32_t i = 0; i < config->n_ports; i++) {
        laz_section_put_uint(buf, config->ports[i].port, 2);
        laz_section_put_uint(buf, config->ports[i].protocol, 1);
    }
    put_list(buf, config->watch, config->n_watch);
    put_list(buf, config->except, config->n_except);
    put_plain(buf, config);
    laz_section_put_uint(buf, config->n_volumes, 4);
    for (uint32_t i = 0; i < config->n_volumes; i++) {
        laz_section_put_string(buf, config->volumes[i].path);
        laz_section_put_uint(buf, config->volumes[i].require, 1);
        laz_section_put_string(buf, config->volumes[i].attested_by);
    }
    laz_section_put_uint(buf, config->uid, 4);
    laz_section_put_uint(buf, config->gid, 4);
    laz_section_put_uint(buf, config->n_groups, 4);
    for (uint32_t i = 0; i < config->n_groups; i++) {
        laz_section_put_uint(buf, config->groups[i], 4);
    }
    laz_section_put_uint(buf, config->keep_capabilities, 8);
    laz_section_put_uint(buf, config->is_bounded, 1);
}

int laz_sense_encode(
        const struct laz_sense_config *config, struct laz_buf *ret, struct laz_err *err)
{
    size_t start = ret->len;
    if (config->n_foreign > LAZ_SENSE_FOREIGN_MAX || config->n_ports > LAZ_SENSE_PORTS_MAX ||
            config->n_tls_only > LAZ_SENSE_TLS_ONLY_MAX || config->n_peers > LAZ_SENSE_PEERS_MAX ||
            config->n_watch > LAZ_SENSE_WATCH_MAX || config->n_except > LAZ_SENSE_WATCH_MAX ||
            config->n_groups > LAZ_SENSE_GROUPS_MAX || config->n_volumes > LAZ_SENSE_VOLUMES_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "more names, ports, paths, volumes or groups than \"sense\" can have");
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

static uint32_t take_paths(struct laz_section *in, const char **ret)
{
    uint32_t n = laz_section_u32(in, 0, LAZ_SENSE_WATCH_MAX);
    for (uint32_t i = 0; i < n; i++) {
        ret[i] = laz_section_string(in, 1, LAZ_SENSE_MAX);
        laz_section_require(in, ret[i][0] == '/', "a path is not absolute");
    }
    return n;
}

static void take_plain(struct laz_section *in, struct laz_sense_config *config)
{
    config->plain = laz_section_bool(in);
    config->n_tls_only = laz_section_u32(in, 0, LAZ_SENSE_TLS_ONLY_MAX);
    for (uint32_t i = 0; i < config->n_tls_only; i++) {
        config->tls_only[i] = (uint16_t)laz_section_uint(in, 2, 1, UINT16_MAX);
        laz_section_require(in, i == 0 || config->tls_only[i] > config->tls_only[i - 1],
                "ports are out of order");
    }
    config->n_peers = laz_section_u32(in, 0, LAZ_SENSE_PEERS_MAX);
    for (uint32_t i = 0; i < config->n_peers; i++) {
        const uint8_t *address = laz_section_bytes(in, sizeof(config->peers[i].address));
        if (address != NULL) {
            (void)memcpy(config->peers[i].address, address, sizeof(config->peers[i].address));
        }
        config->peers[i].port = (uint16_t)laz_section_uint(in, 2, 1, UINT16_MAX);
    }
    laz_section_require(in, config->plain || (config->n_tls_only == 0 && config->n_peers == 0),
            "clear text is not looked for");
}

static void take_volumes(struct laz_section *in, struct laz_sense_config *config)
{
    config->n_volumes = laz_section_u32(in, 0, LAZ_SENSE_VOLUMES_MAX);
    for (uint32_t i = 0; i < config->n_volumes; i++) {
        struct laz_sense_volume *volume = &config->volumes[i];
        volume->path = laz_section_string(in, 1, LAZ_SENSE_MAX);
        volume->require =
                (enum laz_volume_require)laz_section_uint(in, 1, 0, LAZ_VOLUME_REQUIRE_COUNT - 1);
        volume->attested_by = laz_section_string(in, 0, LAZ_SENSE_MAX);
        bool is_attested = volume->attested_by[0] != '\0';
        laz_section_require(in, volume->path[0] == '/', "a path is not absolute");
        laz_section_require(in,
                is_attested ? volume->require != LAZ_VOLUME_REQUIRE_ENCRYPTED
                            : volume->require != LAZ_VOLUME_REQUIRE_ATTESTED,
                "a volume does not fit together");
    }
}

static void take_expected(struct laz_section *in, struct laz_sense_config *config)
{
    config->uid = laz_section_u32(in, 0, UINT32_MAX);
    config->gid = laz_section_u32(in, 0, UINT32_MAX);
    config->n_groups = laz_section_u32(in, 0, LAZ_SENSE_GROUPS_MAX);
    for (uint32_t i = 0; i < config->n_groups; i++) {
        config->groups[i] = laz_section_u32(in, 0, UINT32_MAX);
    }
    config->keep_capabilities = laz_section_uint(in, 8, 0, UINT64_MAX);
    config->is_bounded = laz_section_bool(in);
}

static void take_body(struct laz_section *in, struct laz_sense_config *config)
{
    laz_section_require(
            in, laz_section_u32(in, 0, UINT32_MAX) == FORMAT, "another version wrote it");
    config->name = laz_section_string(in, 1, NAME_MAX);
    for (unsigned i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        config->level[i] = (enum laz_level)laz_section_uint(in, 1, 0, LAZ_LEVEL_COUNT - 1);
    }
    config->interval_ms = laz_section_u32(in, LAZ_SENSE_INTERVAL_MIN, LAZ_SENSE_INTERVAL_MAX);
    config->window_ms = laz_section_u32(in, LAZ_SENSE_WINDOW_MIN, LAZ_SENSE_WINDOW_MAX);
    config->rehash_ms = laz_section_u32(in, LAZ_SENSE_REHASH_MIN, LAZ_SENSE_REHASH_MAX);
    config->n_foreign = laz_section_u32(in, 0, LAZ_SENSE_FOREIGN_MAX);
    for (uint32_t i = 0; i < config->n_foreign; i++) {
        config->foreign[i] = laz_section_string(in, 1, LAZ_SENSE_COMM_MAX);
    }
    config->n_ports = laz_section_u32(in, 0, LAZ_SENSE_PORTS_MAX);
    for (uint32_t i = 0; i < config->n_ports; i++) {
        config->ports[i].port = (uint16_t)laz_section_uint(in, 2, 1, UINT16_MAX);
        config->ports[i].protocol =
                (enum laz_sense_protocol)laz_section_uint(in, 1, 0, LAZ_SENSE_PROTOCOL_COUNT - 1);
    }
    config->n_watch = take_paths(in, config->watch);
    config->n_except = take_paths(in, config->except);
    take_plain(in, config);
    take_volumes(in, config);
    take_expected(in, config);
}

int laz_sense_decode(
        const void *block, size_t length, struct laz_sense_config *ret, struct laz_err *err)
{
    struct laz_section in = {.at = block, .end = (const uint8_t *)block + length};
    struct laz_sense_config config = {0};
    laz_section_require(&in, length <= LAZ_SENSE_MAX, "it is too long");
    take_body(&in, &config);
    laz_section_require(&in, in.at == in.end, "bytes are left over");
    if (in.wrong != NULL) {
        return laz_err_set(
                err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy, what sense is told: %s", in.wrong);
    }
    *ret = config;
    return 0;
}
