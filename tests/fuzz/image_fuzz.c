/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as the body of a compiled policy, under a header that agrees. What is taken is walked to
 * its end, as PID 1 does, and is written again byte for byte.
 */
#include "policy/image.h"

#include <stdlib.h>
#include <string.h>

#include "core/bpf.h"
#include "fuzz.h"

#define HEADER_SIZE 48 /* magic, version, length, digest */

static size_t walk(struct laz_strings strings)
{
    size_t length = 0;
    const char *at = strings.first;
    for (uint32_t i = 0; i < strings.n; i++) {
        length += strlen(laz_strings_next(&at)) + 1;
    }
    return length;
}

static void check(const struct laz_image *image, const uint8_t *block, size_t length)
{
    size_t all = walk(image->env_pass) + walk(image->env_set) + walk(image->relaxations) +
            strlen(image->name) + strlen(image->cwd);
    const uint8_t *cursor = image->paths;
    for (uint32_t i = 0; i < image->n_paths; i++) {
        struct laz_image_path path;
        laz_image_path_next(&cursor, &path);
        require(path.path[0] == '/');
        all += strlen(path.path) + 1;
    }
    if (image->ships) {
        all += strlen(image->spool_dir) + image->ship_length + image->sense_length;
        require(image->spool_dir[0] == '/');
        require(image->pipe_bytes <= LAZ_IMAGE_PIPE_MAX);
        require(image->ship >= block && image->ship + image->ship_length <= block + length);
        require(image->sense >= block && image->sense + image->sense_length <= block + length);
    } else {
        require(!image->capture && image->spool_dir == NULL && image->ship_length == 0);
    }
    cursor = image->deliveries;
    for (uint32_t i = 0; i < image->n_deliveries; i++) {
        struct laz_image_delivery delivery;
        laz_image_delivery_next(&cursor, &delivery);
        require(delivery.item < image->fetched.n && delivery.path[0] != '/');
        require((delivery.fd == 0) == (delivery.path[0] != '\0'));
        all += strlen(delivery.path) + 1;
    }
    if (image->fetches) {
        all += walk(image->fetched) + walk(image->inherited) + image->fetch_length;
        require(image->secrets_dir[0] == '/' && image->fetched.n + 1 == image->inherited.n);
        require(image->fetch >= block && image->fetch + image->fetch_length <= block + length);
    } else {
        require(image->secrets_dir == NULL && image->fetched.n == 0 && image->n_deliveries == 0);
    }
    for (uint32_t i = 0; i < image->n_commands; i++) {
        struct laz_strings words = laz_image_command(image, i);
        require(words.n > 0 && words.n <= LAZ_IMAGE_ARGS_MAX && words.first[0] == '/');
        all += walk(words);
    }
    if (image->watches) {
        all += walk(image->reported) + image->health_length;
        require(image->health >= block && image->health + image->health_length <= block + length);
    }
    require(all <= length);
    require(laz_bpf_is_valid(image->plain.insns, image->plain.n));
    struct laz_buf again;
    struct laz_err err = {0};
    laz_buf_init_heap(&again, LAZ_IMAGE_MAX + 1);
    require(laz_image_encode(image, &again, &err) == 0);
    require(again.len == length && memcmp(again.data, block, length) == 0);
    laz_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > LAZ_IMAGE_MAX - HEADER_SIZE) {
        return 0;
    }
    size_t length = HEADER_SIZE + size;
    uint8_t *block = malloc(length); /* malloc aligns by 16 */
    require(block != NULL);
    (void)memcpy(block, LAZ_IMAGE_MAGIC, 8);
    for (unsigned i = 0; i < 4; i++) {
        block[8 + i] = (uint8_t)(LAZ_IMAGE_VERSION >> (8 * i));
        block[12 + i] = (uint8_t)(length >> (8 * i));
    }
    if (size > 0) {
        (void)memcpy(block + HEADER_SIZE, data, size);
    }
    laz_sha256_of(block + HEADER_SIZE, size, block + 16);
    struct laz_image image;
    struct laz_err err = {0};
    if (laz_image_decode(block, length, &image, &err) == 0) {
        check(&image, block, length);
    } else {
        require(err.kind == LAZ_E_IMAGE_CORRUPT && err.message[0] != '\0');
    }
    free(block);
    return 0;
}
