/* SPDX-License-Identifier: Apache-2.0
 *
 * The binary form of a compiled policy: its frame, and all that confines and supervises the
 * workload. What PID 1 does with its helpers is in helpers_codec.c. Encoder and decoder are the
 * same list of fields in the same order, each field written by itself in little-endian. The decoder
 * trusts nothing: PID 1 links it. libc only. Layout: docs/reference/policy-image.md.
 */
#include "policy/codec.h"

#include <linux/audit.h>
#include <stdint.h>
#include <string.h>

#include "core/bpf.h"
#include "policy/section.h"

/* magic, version, length, SHA-256 of everything behind the header */
#define HEADER_SIZE (8 + 4 + 4 + LAZ_SHA256_SIZE)
#define ALIGNMENT   8

_Static_assert(HEADER_SIZE % ALIGNMENT == 0, "offsets in the body are aligned as in the block");

/* ---- encoding ---- */

static void put_u8(struct laz_buf *buf, uint8_t value)
{
    laz_buf_put(buf, &value, 1);
}

static void put_u32(struct laz_buf *buf, uint32_t value)
{
    laz_section_put_uint(buf, value, 4);
}

static void put_u64(struct laz_buf *buf, uint64_t value)
{
    laz_section_put_uint(buf, value, 8);
}

static void put_alignment(struct laz_buf *buf, size_t start)
{
    while ((buf->len - start) % ALIGNMENT != 0 && !buf->overflow) {
        put_u8(buf, 0);
    }
}

void laz_image_put_strings(struct laz_buf *buf, struct laz_strings strings)
{
    const char *cursor = strings.first;
    laz_section_put_uint(buf, strings.n, 4);
    for (uint32_t i = 0; i < strings.n; i++) {
        laz_section_put_string(buf, laz_strings_next(&cursor));
    }
}

static void put_bpf(struct laz_buf *buf, size_t start, struct laz_image_bpf bpf)
{
    put_u32(buf, bpf.n);
    put_alignment(buf, start);
    for (uint32_t i = 0; i < bpf.n; i++) {
        laz_section_put_uint(buf, bpf.insns[i].code, 2);
        put_u8(buf, bpf.insns[i].jt);
        put_u8(buf, bpf.insns[i].jf);
        put_u32(buf, bpf.insns[i].k);
    }
}

static void put_ports(struct laz_buf *buf, size_t start, const uint16_t *ports, uint32_t n)
{
    put_u32(buf, n);
    put_alignment(buf, start);
    for (uint32_t i = 0; i < n; i++) {
        laz_section_put_uint(buf, ports[i], 2);
    }
}

static void put_workload(struct laz_buf *buf, const struct laz_image *image)
{
    put_u32(buf, image->uid);
    put_u32(buf, image->gid);
    put_u32(buf, image->n_groups);
    for (uint32_t i = 0; i < image->n_groups; i++) {
        put_u32(buf, image->groups[i]);
    }
    laz_section_put_string(buf, image->cwd);
    put_u32(buf, image->umask);
    laz_image_put_strings(buf, image->env_pass);
    laz_image_put_strings(buf, image->env_set);
    put_u32(buf, (uint32_t)image->exec_budget);
    put_u64(buf, image->keep_capabilities);
    put_u32(buf, image->n_limits);
    for (uint32_t i = 0; i < image->n_limits; i++) {
        put_u32(buf, image->limits[i].resource);
        put_u64(buf, image->limits[i].value);
    }
}

static void put_landlock(struct laz_buf *buf, size_t start, const struct laz_image *image)
{
    const uint8_t *cursor = image->paths;
    put_u32(buf, image->n_paths);
    for (uint32_t i = 0; i < image->n_paths; i++) {
        struct laz_image_path path;
        laz_image_path_next(&cursor, &path);
        put_u8(buf, (uint8_t)path.class);
        put_u8(buf, path.optional);
        laz_section_put_string(buf, path.path);
    }
    put_u8(buf, image->isolate_signals);
    put_u8(buf, image->isolate_abstract_sockets);
    put_u8(buf, image->tcp_bind_any);
    put_u8(buf, image->tcp_connect_any);
    put_u8(buf, (uint8_t)image->tls_plain);
    put_ports(buf, start, image->tcp_bind, image->n_tcp_bind);
    put_ports(buf, start, image->tcp_connect, image->n_tcp_connect);
}

static void put_supervision(struct laz_buf *buf, const struct laz_image *image)
{
    put_u32(buf, image->flood_burst);
    put_u32(buf, image->flood_per_second);
    put_u32(buf, image->flood_hold_ms);
    put_u32(buf, image->flood_kill_after);
    laz_buf_put(buf, image->signal_map, sizeof(image->signal_map));
    put_u64(buf, image->signal_guard);
    put_u64(buf, image->signal_group);
    put_u64(buf, image->signal_stop);
    put_u32(buf, image->n_exit_map);
    for (uint32_t i = 0; i < image->n_exit_map; i++) {
        put_u8(buf, image->exit_map[i].from);
        put_u8(buf, image->exit_map[i].to);
        put_u8(buf, image->exit_map[i].only_if_stop_requested);
    }
    put_u32(buf, image->stop_timeout_ms);
    put_u32(buf, image->lb_grace_ms);
    put_u32(buf, image->grace_ms);
    put_u32(buf, image->drain_ms);
    put_u32(buf, image->flush_ms);
    laz_image_put_strings(buf, image->relaxations);
}

/* Fill in what the header knows only at the end. */
static void seal(struct laz_buf *buf, size_t start)
{
    uint8_t digest[LAZ_SHA256_SIZE];
    size_t length = buf->len - start;
    uint8_t *header = (uint8_t *)buf->data + start;
    laz_sha256_of(header + HEADER_SIZE, length - HEADER_SIZE, digest);
    for (unsigned i = 0; i < 4; i++) {
        header[12 + i] = (uint8_t)(length >> (8 * i));
    }
    (void)memcpy(header + 16, digest, sizeof(digest));
}

/* What the decoder would refuse must not be written; and the arrays of struct laz_image end here.
 */
static bool has_room(const struct laz_image *image)
{
    return image->n_groups <= LAZ_IMAGE_GROUPS_MAX && image->n_limits <= LAZ_LIMIT_COUNT &&
            image->n_exit_map <= LAZ_IMAGE_EXIT_MAP_MAX &&
            image->n_paths <= LAZ_IMAGE_STRINGS_MAX && image->n_tcp_bind <= LAZ_IMAGE_PORTS_MAX &&
            image->n_tcp_connect <= LAZ_IMAGE_PORTS_MAX &&
            image->env_pass.n <= LAZ_IMAGE_STRINGS_MAX &&
            image->env_set.n <= LAZ_IMAGE_STRINGS_MAX &&
            image->relaxations.n <= LAZ_IMAGE_STRINGS_MAX &&
            image->ship_length <= LAZ_IMAGE_SHIP_MAX &&
            image->sense_length <= LAZ_IMAGE_SENSE_MAX &&
            image->fetch_length <= LAZ_IMAGE_FETCH_MAX &&
            image->fetched.n <= LAZ_IMAGE_FETCHED_MAX &&
            image->inherited.n <= LAZ_IMAGE_FETCHED_MAX + 1 &&
            image->n_deliveries <= LAZ_IMAGE_DELIVERIES_MAX &&
            image->n_tunnels <= LAZ_IMAGE_TUNNELS_MAX &&
            image->n_identities <= LAZ_IMAGE_IDENTITIES_MAX &&
            image->tunnel_length <= LAZ_IMAGE_TUNNEL_MAX &&
            image->with_events.n <= LAZ_IMAGE_BPF_MAX && image->plain.n <= LAZ_IMAGE_BPF_MAX;
}

int laz_image_encode(const struct laz_image *image, struct laz_buf *ret, struct laz_err *err)
{
    static const uint8_t no_digest[LAZ_SHA256_SIZE];
    if (!has_room(image)) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "a list of the policy has more entries than a compiled policy may have");
    }
    size_t start = ret->len;
    laz_buf_put(ret, LAZ_IMAGE_MAGIC, 8);
    put_u32(ret, LAZ_IMAGE_VERSION);
    put_u32(ret, 0);
    laz_buf_put(ret, no_digest, sizeof(no_digest));
    put_u32(ret, image->audit_arch);
    laz_buf_put(ret, image->source_digest, sizeof(image->source_digest));
    laz_section_put_string(ret, image->name);
    put_u8(ret, (uint8_t)image->mode);
    for (size_t i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        put_u8(ret, (uint8_t)image->require[i]);
    }
    put_u32(ret, image->landlock_min_abi);
    put_workload(ret, image);
    put_landlock(ret, start, image);
    put_bpf(ret, start, image->with_events);
    put_bpf(ret, start, image->plain);
    put_supervision(ret, image);
    laz_image_put_helpers(ret, image);
    if (ret->overflow || ret->len - start > LAZ_IMAGE_MAX) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "the compiled policy is larger than %d bytes", LAZ_IMAGE_MAX);
    }
    seal(ret, start);
    return 0;
}

/* ---- decoding ---- */

static void fail(struct laz_section *in, const char *what)
{
    laz_section_require(in, false, what);
}

static uint64_t take_uint(struct laz_section *in, unsigned size)
{
    return laz_section_uint(in, size, 0, UINT64_MAX);
}

static uint32_t take_u32(struct laz_section *in)
{
    return (uint32_t)take_uint(in, 4);
}

static const char *take_string(struct laz_section *in)
{
    return laz_section_string(in, 0, SIZE_MAX);
}

static void take_alignment(struct laz_section *in)
{
    while (in->wrong == NULL && (uintptr_t)in->at % ALIGNMENT != 0) {
        if (take_uint(in, 1) != 0) {
            fail(in, "padding is not zero");
        }
    }
}

struct laz_strings laz_image_take_strings(struct laz_section *in)
{
    struct laz_strings strings = {
            .n = laz_section_below(in, 4, LAZ_IMAGE_STRINGS_MAX, "a list is too long")};
    strings.first = (const char *)in->at;
    for (uint32_t i = 0; i < strings.n && in->wrong == NULL; i++) {
        (void)laz_section_string(in, 0, SIZE_MAX);
    }
    return strings;
}

static struct laz_image_bpf take_bpf(struct laz_section *in)
{
    struct laz_image_bpf bpf = {
            .n = laz_section_below(in, 4, LAZ_IMAGE_BPF_MAX, "a filter is too long")};
    take_alignment(in);
    /* Both supported architectures are little-endian: the bytes are the kernel's struct already. */
    bpf.insns = (const void *)laz_section_bytes(in, bpf.n * sizeof(struct sock_filter));
    if (in->wrong == NULL && !laz_bpf_is_valid(bpf.insns, bpf.n)) {
        fail(in, "a filter is not one that the kernel takes");
    }
    return bpf;
}

static const uint16_t *take_ports(struct laz_section *in, uint32_t *ret_n)
{
    *ret_n = laz_section_below(in, 4, LAZ_IMAGE_PORTS_MAX, "too many ports");
    take_alignment(in);
    const uint16_t *ports = (const void *)laz_section_bytes(in, *ret_n * sizeof(uint16_t));
    for (uint32_t i = 1; in->wrong == NULL && i < *ret_n; i++) {
        if (ports[i] <= ports[i - 1]) {
            fail(in, "ports are out of order");
        }
    }
    return ports;
}

/* A user or group: all ones means "leave it" to the kernel. */
static uint32_t take_id(struct laz_section *in)
{
    return laz_section_below(in, 4, UINT32_MAX - 1, "a user or group has no such number");
}

static void take_workload(struct laz_section *in, struct laz_image *image)
{
    image->uid = take_id(in);
    image->gid = take_id(in);
    image->n_groups = laz_section_below(in, 4, LAZ_IMAGE_GROUPS_MAX, "too many groups");
    for (uint32_t i = 0; i < image->n_groups; i++) {
        image->groups[i] = take_id(in);
    }
    image->cwd = take_string(in);
    image->umask = laz_section_below(in, 4, 0777, "the umask is out of range");
    image->env_pass = laz_image_take_strings(in);
    image->env_set = laz_image_take_strings(in);
    image->exec_budget = (int32_t)take_u32(in);
    image->keep_capabilities = take_uint(in, 8);
    image->n_limits = laz_section_below(in, 4, LAZ_LIMIT_COUNT, "too many limits");
    for (uint32_t i = 0; i < image->n_limits; i++) {
        image->limits[i].resource =
                laz_section_below(in, 4, LAZ_LIMIT_COUNT - 1, "an unknown limit");
        image->limits[i].value = take_uint(in, 8);
        if (i > 0 && image->limits[i].resource <= image->limits[i - 1].resource) {
            fail(in, "limits are out of order");
        }
    }
    if (image->cwd[0] != '/' || image->exec_budget < -1 || image->exec_budget == 0) {
        fail(in, "the directory or the exec budget is out of range");
    }
}

static void take_landlock(struct laz_section *in, struct laz_image *image)
{
    image->n_paths = laz_section_below(in, 4, LAZ_IMAGE_STRINGS_MAX, "too many paths");
    image->paths = in->at;
    for (uint32_t i = 0; i < image->n_paths && in->wrong == NULL; i++) {
        (void)laz_section_below(in, 1, LAZ_PATH_COUNT - 1, "an unknown class of path");
        (void)laz_section_bool(in);
        (void)laz_section_path(in);
    }
    image->isolate_signals = laz_section_bool(in);
    image->isolate_abstract_sockets = laz_section_bool(in);
    image->tcp_bind_any = laz_section_bool(in);
    image->tcp_connect_any = laz_section_bool(in);
    image->tls_plain = (enum laz_plain)laz_section_below(
            in, 1, LAZ_PLAIN_COUNT - 1, "an unknown mode of clear text");
    image->tcp_bind = take_ports(in, &image->n_tcp_bind);
    image->tcp_connect = take_ports(in, &image->n_tcp_connect);
}

static void take_signals(struct laz_section *in, struct laz_image *image)
{
    for (size_t i = 0; i < sizeof(image->signal_map); i++) {
        image->signal_map[i] =
                (uint8_t)laz_section_below(in, 1, LAZ_SIGNAL_MAX, "an unknown signal");
    }
    image->signal_guard = take_uint(in, 8);
    image->signal_group = take_uint(in, 8);
    image->signal_stop = take_uint(in, 8);
    image->n_exit_map = laz_section_below(in, 4, LAZ_IMAGE_EXIT_MAP_MAX, "too many exit codes");
    for (uint32_t i = 0; i < image->n_exit_map; i++) {
        image->exit_map[i].from = (uint8_t)take_uint(in, 1);
        image->exit_map[i].to = (uint8_t)take_uint(in, 1);
        image->exit_map[i].only_if_stop_requested = laz_section_bool(in);
    }
}

static void take_body(struct laz_section *in, struct laz_image *image)
{
    image->audit_arch = take_u32(in);
    if (image->audit_arch != AUDIT_ARCH_X86_64 && image->audit_arch != AUDIT_ARCH_AARCH64) {
        fail(in, "an unknown architecture");
    }
    const uint8_t *digest = laz_section_bytes(in, LAZ_SHA256_SIZE);
    if (in->wrong == NULL) {
        (void)memcpy(image->source_digest, digest, LAZ_SHA256_SIZE);
    }
    image->name = take_string(in);
    image->mode = (enum laz_mode)laz_section_below(in, 1, LAZ_MODE_COUNT - 1, "an unknown mode");
    for (size_t i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        image->require[i] =
                (enum laz_level)laz_section_below(in, 1, LAZ_LEVEL_COUNT - 1, "an unknown level");
    }
    image->landlock_min_abi = take_u32(in);
    take_workload(in, image);
    take_landlock(in, image);
    image->with_events = take_bpf(in);
    image->plain = take_bpf(in);
    image->flood_burst = take_u32(in);
    image->flood_per_second = take_u32(in);
    image->flood_hold_ms = take_u32(in);
    image->flood_kill_after = take_u32(in);
    take_signals(in, image);
    image->stop_timeout_ms = take_u32(in);
    image->lb_grace_ms = take_u32(in);
    image->grace_ms = take_u32(in);
    image->drain_ms = take_u32(in);
    image->flush_ms = take_u32(in);
    image->relaxations = laz_image_take_strings(in);
    laz_image_take_helpers(in, image);
    if (in->at != in->end) {
        fail(in, "bytes are left over");
    }
}

static int corrupt(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_IMAGE_CORRUPT, 0, "compiled policy: %s", what);
}

int laz_image_decode(const void *block, size_t length, struct laz_image *ret, struct laz_err *err)
{
    struct laz_section in = {.at = block, .end = (const uint8_t *)block + length};
    if ((uintptr_t)block % ALIGNMENT != 0) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "a compiled policy is not aligned in memory");
    }
    const uint8_t *magic = laz_section_bytes(&in, 8);
    if (magic == NULL || memcmp(magic, LAZ_IMAGE_MAGIC, 8) != 0) {
        return corrupt(err, "this is not one");
    }
    uint32_t version = take_u32(&in);
    if (in.wrong == NULL && version != LAZ_IMAGE_VERSION) {
        return laz_err_set(err, LAZ_E_IMAGE_CORRUPT, 0,
                "compiled policy: format %u, this program reads format %d", version,
                LAZ_IMAGE_VERSION);
    }
    uint32_t stated = take_u32(&in);
    const uint8_t *digest = laz_section_bytes(&in, LAZ_SHA256_SIZE);
    if (digest == NULL || stated != length || length > LAZ_IMAGE_MAX) {
        return corrupt(err, "its length is not what it says");
    }
    uint8_t seen[LAZ_SHA256_SIZE];
    laz_sha256_of(in.at, (size_t)(in.end - in.at), seen);
    if (memcmp(seen, digest, sizeof(seen)) != 0) {
        return corrupt(err, "its digest does not match its content");
    }
    struct laz_image image = {0};
    take_body(&in, &image);
    if (in.wrong != NULL) {
        return corrupt(err, in.wrong);
    }
    *ret = image;
    return 0;
}

void laz_image_path_next(const uint8_t **cursor, struct laz_image_path *ret)
{
    ret->class = (enum laz_path_class)(*cursor)[0];
    ret->optional = (*cursor)[1] != 0;
    ret->path = (const char *)*cursor + 2;
    *cursor += 2 + strlen(ret->path) + 1;
}

const char *laz_strings_next(const char **cursor)
{
    const char *text = *cursor;
    *cursor += strlen(text) + 1;
    return text;
}

void laz_image_filter_digest(const struct laz_image *image, uint8_t ret[LAZ_SHA256_SIZE])
{
    struct laz_sha256 hash;
    laz_sha256_init(&hash);
    laz_sha256_add(
            &hash, image->with_events.insns, image->with_events.n * sizeof(struct sock_filter));
    laz_sha256_add(&hash, image->plain.insns, image->plain.n * sizeof(struct sock_filter));
    laz_sha256_end(&hash, ret);
}
