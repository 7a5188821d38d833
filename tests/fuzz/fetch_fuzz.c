/* SPDX-License-Identifier: Apache-2.0
 *
 * What says where secrets are, by the first byte: the section of a compiled policy that fetch
 * reads, and the names that ECS has for them. What is taken is in range, lies inside the bytes and
 * is written again the same; what is read of a name are parts of it, in its order.
 */
#include "policy/fetch.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/value_from.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_section(const char *bytes, size_t size)
{
    static struct laz_fetch_config config;
    struct laz_err err = {0};
    if (laz_fetch_decode(bytes, size, &config, &err) < 0) {
        require(err.kind == LAZ_E_IMAGE_CORRUPT && err.message[0] != '\0');
        return;
    }
    struct laz_buf again;
    laz_buf_init_heap(&again, LAZ_FETCH_MAX + 1);
    require(laz_fetch_encode(&config, &again, &err) == 0);
    require(again.len == size && memcmp(again.data, bytes, size) == 0);
    laz_buf_done(&again);
    for (uint32_t i = 0; i < config.n_items; i++) {
        const struct laz_fetch_item *item = &config.items[i];
        require(item->from[0] != '\0' && item->min_bytes >= 1);
        require(item->min_bytes <= item->max_bytes && item->max_bytes <= LAZ_FETCH_VALUE_MAX);
        require(item->source != LAZ_SECRET_FILE || item->from[0] == '/');
    }
    for (unsigned i = 0; i < LAZ_FETCH_SERVICE_COUNT; i++) {
        require(config.endpoint[i][0] == '\0' || strncmp(config.endpoint[i], "https://", 8) == 0);
    }
}

/* A part of the text, or nothing. */
static void require_inside(struct laz_slice slice, const char *text, size_t size)
{
    require(slice.length == 0 ||
            (slice.text >= text && slice.length <= size - (size_t)(slice.text - text)));
}

static void check_parts(const struct laz_value_from *parts, const char *text, size_t size)
{
    require(parts->source == LAZ_SECRET_SECRETS_MANAGER || parts->source == LAZ_SECRET_PARAMETER);
    require(parts->from.text == text && parts->from.length > 0);
    require_inside(parts->from, text, size);
    require_inside(parts->region, text, parts->from.length);
    require_inside(parts->json_key, text, size);
    require_inside(parts->stage, text, size);
    require_inside(parts->version, text, size);
    require(memchr(parts->from.text, '\0', parts->from.length) == NULL);
}

static void check_name(const char *text, size_t size)
{
    struct laz_value_from parts;
    if (laz_value_from_split(text, size, &parts) == NULL) {
        check_parts(&parts, text, size);
        /* Without what ECS has behind it, it is the same name again. */
        struct laz_value_from bare;
        require(laz_value_from_split(text, parts.from.length, &bare) == NULL);
        require(bare.source == parts.source && bare.from.length == parts.from.length);
        require(bare.json_key.length == 0 && bare.version.length == 0);
    }
    if (laz_secret_id_split(text, size, &parts) == NULL) {
        check_parts(&parts, text, size);
        require(parts.from.length == size && parts.json_key.length == 0);
    }
    if (laz_parameter_split(text, size, &parts) == NULL) {
        check_parts(&parts, text, size);
        require(parts.from.length == size);
    }
    if (laz_kms_key_is_arn(text, size)) {
        require(memcmp(text, "arn:aws", 7) == 0 && memmem(text, size, ":key/", 5) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    char *copy = malloc(size); /* of its very size and a NUL, as the loader has texts */
    require(copy != NULL);
    (void)memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    if (data[0] % 2 == 0) {
        check_section(copy, size - 1);
    } else {
        check_name(copy, size - 1);
    }
    free(copy);
    return 0;
}
