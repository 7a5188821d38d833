/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a compiled policy that says what PID 1 does with its helpers: what it hands to each
 * of them unread, and where the values of secrets go. Encoder and decoder are the same list of
 * fields in the same order. The decoder trusts nothing: PID 1 links it. libc only. Layout:
 * docs/reference/policy-image.md.
 */
#include <string.h>

#include "policy/codec.h"
#include "policy/section.h"

static void put_shipping(struct laz_buf *buf, const struct laz_image *image)
{
    laz_section_put_uint(buf, image->ships, 1);
    if (!image->ships) {
        return;
    }
    laz_section_put_uint(buf, image->capture, 1);
    laz_section_put_uint(buf, image->passthrough, 1);
    laz_section_put_uint(buf, image->start_acked, 1);
    laz_section_put_uint(buf, image->pipe_bytes, 4);
    laz_section_put_uint(buf, image->start_wait_ms, 4);
    laz_section_put_string(buf, image->spool_dir);
    laz_section_put_uint(buf, image->ship_length, 4);
    laz_buf_put(buf, image->ship, image->ship_length);
    laz_section_put_uint(buf, image->sense_length, 4);
    laz_buf_put(buf, image->sense, image->sense_length);
    laz_section_put_uint(buf, image->sense_required, 1);
}

static void put_renewal(struct laz_buf *buf, const struct laz_image *image)
{
    laz_section_put_uint(buf, image->refresh_ms, 4);
    laz_section_put_uint(buf, image->refresh_jitter, 1);
    laz_section_put_uint(buf, image->refresh_least_ms, 4);
    laz_section_put_uint(buf, image->stale_ms, 4);
    laz_section_put_uint(buf, image->stale_then, 1);
    laz_section_put_uint(buf, image->retire_ms, 4);
    laz_section_put_uint(buf, image->fetched.n, 4);
    laz_buf_put(buf, image->renewals, (size_t)LAZ_IMAGE_RENEWAL_BYTES * image->fetched.n);
}

static void put_secrets(struct laz_buf *buf, const struct laz_image *image)
{
    const uint8_t *cursor = image->deliveries;
    laz_section_put_uint(buf, image->fetches, 1);
    if (!image->fetches) {
        return;
    }
    laz_section_put_string(buf, image->secrets_dir);
    laz_section_put_uint(buf, image->fetch_wait_ms, 4);
    laz_section_put_uint(buf, image->fetch_length, 4);
    laz_buf_put(buf, image->fetch, image->fetch_length);
    laz_image_put_strings(buf, image->fetched);
    laz_image_put_strings(buf, image->inherited);
    laz_section_put_uint(buf, image->n_deliveries, 4);
    for (uint32_t i = 0; i < image->n_deliveries; i++) {
        struct laz_image_delivery delivery;
        laz_image_delivery_next(&cursor, &delivery);
        laz_section_put_uint(buf, delivery.item, 1);
        laz_section_put_uint(buf, delivery.fd, 1);
        laz_section_put_uint(buf, delivery.mode, 2);
        laz_section_put_string(buf, delivery.path);
    }
    put_renewal(buf, image);
}

static void put_tunnel(struct laz_buf *buf, const struct laz_image *image)
{
    laz_section_put_uint(buf, image->n_tunnels, 1);
    if (image->n_tunnels == 0) {
        return;
    }
    laz_section_put_uint(buf, image->tunnels_in, 4);
    laz_section_put_uint(buf, image->n_identities, 4);
    laz_buf_put(buf, image->identities, 2 * (size_t)image->n_identities);
    laz_section_put_uint(buf, image->tunnel_length, 4);
    laz_buf_put(buf, image->tunnel, image->tunnel_length);
}

static void put_health(struct laz_buf *buf, const struct laz_image *image)
{
    laz_section_put_uint(buf, image->watches, 1);
    if (!image->watches) {
        return;
    }
    laz_section_put_uint(buf, image->health_shows, 1);
    laz_buf_put(buf, image->health_identity, sizeof(image->health_identity));
    laz_section_put_uint(buf, image->startup_deadline_ms, 4);
    laz_section_put_uint(buf, image->lb_least_ms, 4);
    laz_image_put_strings(buf, image->reported);
    laz_section_put_uint(buf, image->n_commands, 4);
    for (uint32_t i = 0; i < image->n_commands; i++) {
        laz_image_put_strings(buf, laz_image_command(image, i));
    }
    laz_section_put_uint(buf, image->health_length, 4);
    laz_buf_put(buf, image->health, image->health_length);
}

static void take_shipping(struct laz_section *in, struct laz_image *image)
{
    image->ships = laz_section_bool(in);
    if (!image->ships) {
        return;
    }
    image->capture = laz_section_bool(in);
    image->passthrough = laz_section_bool(in);
    image->start_acked = laz_section_bool(in);
    image->pipe_bytes = laz_section_below(in, 4, LAZ_IMAGE_PIPE_MAX, "a pipe is too large");
    image->start_wait_ms = laz_section_u32(in, 0, UINT32_MAX);
    image->spool_dir = laz_section_path(in);
    image->ship_length =
            laz_section_below(in, 4, LAZ_IMAGE_SHIP_MAX, "what ship is told is too long");
    image->ship = laz_section_bytes(in, image->ship_length);
    image->sense_length =
            laz_section_below(in, 4, LAZ_IMAGE_SENSE_MAX, "what sense is told is too long");
    image->sense = laz_section_bytes(in, image->sense_length);
    image->sense_required = laz_section_bool(in);
}

/* A relative path that stays where it begins, and leaves init's own names, "..data" and such,
 * alone. */
static bool is_below(const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length > LAZ_IMAGE_BELOW_MAX) {
        return false;
    }
    for (const char *part = path;; part++) {
        const char *end = strchrnul(part, '/');
        size_t n = (size_t)(end - part);
        if (n == 0 || (n == 1 && part[0] == '.') || (n >= 2 && part[0] == '.' && part[1] == '.')) {
            return false;
        }
        part = end;
        if (*part == '\0') {
            return true;
        }
    }
}

static void take_deliveries(struct laz_section *in, struct laz_image *image)
{
    uint64_t taken[4] = {0}; /* descriptors */
    image->n_deliveries = laz_section_below(in, 4, LAZ_IMAGE_DELIVERIES_MAX, "too many deliveries");
    image->deliveries = in->at;
    for (uint32_t i = 0; i < image->n_deliveries && in->wrong == NULL; i++) {
        uint32_t item = (uint32_t)laz_section_uint(in, 1, 0, UINT64_MAX);
        uint32_t fd = (uint32_t)laz_section_uint(in, 1, 0, UINT64_MAX);
        uint32_t mode = (uint32_t)laz_section_uint(in, 2, 0, UINT64_MAX);
        const char *path = laz_section_string(in, 0, SIZE_MAX);
        bool is_free = fd >= LAZ_IMAGE_FD_MIN && (taken[fd / 64] >> (fd % 64) & 1) == 0;
        bool fits = fd == 0 ? is_below(path) && (mode == 0400 || mode == 0440 || mode == 0444)
                : fd == LAZ_IMAGE_FD_VARIABLE ? mode == 0400 && path[0] != '\0' &&
                        strchr(path, '=') == NULL && strchr(path, '/') == NULL
                                              : path[0] == '\0' && mode == 0400 && is_free;
        laz_section_require(
                in, item < image->fetched.n && fits, "a delivery does not fit together");
        taken[fd / 64] |= UINT64_C(1) << (fd % 64);
    }
}

/* Of two items of one group, both are renewed or neither. */
static bool is_together(const struct laz_image *image, uint32_t item)
{
    struct laz_image_renewal mine = laz_image_renewal_at(image, item);
    for (uint32_t i = 0; mine.group != 0 && i < item; i++) {
        struct laz_image_renewal other = laz_image_renewal_at(image, i);
        if (other.group == mine.group && other.is_renewed != mine.is_renewed) {
            return false;
        }
    }
    return mine.group <= LAZ_IMAGE_TOGETHER_MAX;
}

static void take_renewal(struct laz_section *in, struct laz_image *image)
{
    image->refresh_ms = laz_section_u32(in, 0, UINT32_MAX);
    image->refresh_jitter = (uint32_t)laz_section_uint(in, 1, 0, 50);
    image->refresh_least_ms = laz_section_u32(in, 0, image->refresh_ms);
    image->stale_ms = laz_section_u32(in, 0, UINT32_MAX);
    image->stale_then = (enum laz_stale_then)laz_section_uint(in, 1, 0, LAZ_STALE_THEN_COUNT - 1);
    image->retire_ms = laz_section_u32(in, 0, UINT32_MAX);
    uint32_t n = laz_section_u32(in, image->fetched.n, image->fetched.n);
    image->renewals = laz_section_bytes(in, (size_t)LAZ_IMAGE_RENEWAL_BYTES * n);
    bool is_any = false;
    for (uint32_t i = 0; i < image->fetched.n && in->wrong == NULL; i++) {
        const uint8_t *bytes = image->renewals + (size_t)LAZ_IMAGE_RENEWAL_BYTES * i;
        laz_section_require(in,
                bytes[0] <= 1 && bytes[1] <= LAZ_SIGNAL_MAX && (bytes[1] == 0 || bytes[0] == 1) &&
                        is_together(image, i),
                "what is renewed does not fit together");
        is_any = is_any || bytes[0] == 1;
    }
    bool is_idle = image->refresh_jitter == 0 && image->stale_ms == 0 &&
            image->stale_then == LAZ_STALE_STOP && image->retire_ms == 0 && !is_any;
    bool fits = image->refresh_ms == 0
            ? is_idle
            : is_any && image->refresh_least_ms > 0 && image->stale_ms > image->refresh_ms;
    laz_section_require(in, fits, "when it is renewed does not fit together");
}

static void take_secrets(struct laz_section *in, struct laz_image *image)
{
    image->fetches = laz_section_bool(in);
    if (!image->fetches) {
        return;
    }
    image->secrets_dir = laz_section_path(in);
    image->fetch_wait_ms = laz_section_u32(in, 0, UINT32_MAX);
    image->fetch_length =
            laz_section_below(in, 4, LAZ_IMAGE_FETCH_MAX, "what fetch is told is too long");
    image->fetch = laz_section_bytes(in, image->fetch_length);
    image->fetched = laz_image_take_strings(in);
    image->inherited = laz_image_take_strings(in);
    laz_section_require(in,
            image->fetched.n > 0 && image->fetched.n <= LAZ_IMAGE_FETCHED_MAX &&
                    image->inherited.n == image->fetched.n + 1,
            "the names of secrets do not fit together");
    take_deliveries(in, image);
    take_renewal(in, image);
}

static void take_tunnel(struct laz_section *in, struct laz_image *image)
{
    image->n_tunnels =
            laz_section_below(in, 1, LAZ_IMAGE_TUNNELS_MAX, "too many sockets that listen");
    if (image->n_tunnels == 0) {
        return;
    }
    image->tunnels_in = laz_section_u32(in, 0, UINT32_MAX);
    laz_section_require(
            in, image->tunnels_in >> image->n_tunnels == 0, "a socket that there is not");
    image->n_identities = laz_section_below(in, 4, LAZ_IMAGE_IDENTITIES_MAX, "too many identities");
    image->identities = laz_section_bytes(in, 2 * (size_t)image->n_identities);
    for (uint32_t i = 0; in->wrong == NULL && i < 2 * image->n_identities; i++) {
        laz_section_require(in, image->identities[i] < image->fetched.n,
                "an identity is of items that there are not");
    }
    image->tunnel_length =
            laz_section_below(in, 4, LAZ_IMAGE_TUNNEL_MAX, "what tunnel is told is too long");
    image->tunnel = laz_section_bytes(in, image->tunnel_length);
}

static void take_commands(struct laz_section *in, struct laz_image *image)
{
    image->n_commands = laz_section_below(in, 4, LAZ_IMAGE_COMMANDS_MAX, "too many commands");
    image->commands = in->at;
    for (uint32_t i = 0; i < image->n_commands && in->wrong == NULL; i++) {
        struct laz_strings words = laz_image_take_strings(in);
        laz_section_require(in,
                words.n > 0 && words.n <= LAZ_IMAGE_ARGS_MAX && words.first[0] == '/',
                "a command is not one");
    }
}

static void take_health(struct laz_section *in, struct laz_image *image)
{
    image->watches = laz_section_bool(in);
    if (!image->watches) {
        return;
    }
    image->health_shows = laz_section_bool(in);
    for (size_t i = 0; i < 2; i++) {
        image->health_identity[i] = (uint8_t)laz_section_uint(in, 1, 0, LAZ_IMAGE_FETCHED_MAX);
        laz_section_require(in,
                image->health_shows ? image->health_identity[i] < image->fetched.n
                                    : image->health_identity[i] == 0,
                "an identity is of items that there are not");
    }
    image->startup_deadline_ms = laz_section_u32(in, 0, UINT32_MAX);
    image->lb_least_ms = laz_section_u32(in, 0, image->lb_grace_ms);
    image->reported = laz_image_take_strings(in);
    laz_section_require(in, image->reported.n == 2, "what is reported does not fit together");
    take_commands(in, image);
    image->health_length =
            laz_section_below(in, 4, LAZ_IMAGE_HEALTH_MAX, "what health is told is too long");
    image->health = laz_section_bytes(in, image->health_length);
}

void laz_image_put_helpers(struct laz_buf *buf, const struct laz_image *image)
{
    put_shipping(buf, image);
    put_secrets(buf, image);
    put_tunnel(buf, image);
    put_health(buf, image);
}

void laz_image_take_helpers(struct laz_section *in, struct laz_image *image)
{
    take_shipping(in, image);
    take_secrets(in, image);
    take_tunnel(in, image);
    take_health(in, image);
}

void laz_image_delivery_next(const uint8_t **cursor, struct laz_image_delivery *ret)
{
    const uint8_t *at = *cursor;
    ret->item = at[0];
    ret->fd = at[1];
    ret->mode = (uint32_t)(at[2] | at[3] << 8);
    ret->path = (const char *)at + 4;
    *cursor = at + 4 + strlen(ret->path) + 1;
}

struct laz_image_renewal laz_image_renewal_at(const struct laz_image *image, uint32_t item)
{
    const uint8_t *bytes = image->renewals + (size_t)LAZ_IMAGE_RENEWAL_BYTES * item;
    return (struct laz_image_renewal){
            .is_renewed = bytes[0] != 0, .signal = bytes[1], .group = bytes[2]};
}

struct laz_strings laz_image_command(const struct laz_image *image, uint32_t number)
{
    const uint8_t *at = image->commands;
    for (;; number--) {
        struct laz_strings words = {.n = at[0], .first = (const char *)at + 4};
        const char *cursor = words.first;
        if (number == 0) {
            return words;
        }
        for (uint32_t i = 0; i < words.n; i++) {
            (void)laz_strings_next(&cursor);
        }
        at = (const uint8_t *)cursor;
    }
}
