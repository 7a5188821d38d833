/* SPDX-License-Identifier: Apache-2.0
 *
 * Records about secrets: names, versions and fingerprints, and never a value. libc only.
 */
#include "core/format.h"
#include "init/pid1/helpers.h"
#include "init/pid1/trail_record.h"

static void fetched(struct laz_trail *trail, const char *name, const struct laz_secret_seen *seen,
        const char *why)
{
    bool is_absent = seen->outcome == LAZ_OUTCOME_ABSENT;
    bool is_odd = why[0] != '\0';
    struct laz_json *json = laz_trail_begin(trail, "secret.fetch", is_absent || is_odd ? 3 : 1,
            name, is_absent ? "absent" : "fetched");
    laz_json_string(json, "version", seen->version);
    laz_json_string(json, "fingerprint", seen->fingerprint);
    if (is_odd) {
        laz_json_string(json, "message", why);
    }
    laz_trail_write(trail);
}

void laz_trail_fetched(struct laz_trail *trail, const struct laz_secrets *secrets)
{
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        fetched(trail, laz_secrets_name(secrets, i), &secrets->items[i].now, secrets->why[i]);
    }
}

static void delivered(struct laz_trail *trail, const char *name, const char *dir,
        const struct laz_image_delivery *delivery)
{
    struct laz_json *json = laz_trail_begin(trail, "secret.deliver", 1, name, "delivered");
    if (delivery->fd == LAZ_IMAGE_FD_VARIABLE) {
        laz_json_string(json, "variable", delivery->path);
    } else if (delivery->fd != 0) {
        laz_json_u64(json, "fd", delivery->fd);
    } else {
        laz_json_string(json, "dir", dir);
        laz_json_string(json, "path", delivery->path);
    }
    laz_trail_write(trail);
}

void laz_trail_delivered(struct laz_trail *trail, const struct laz_secrets *secrets)
{
    const uint8_t *cursor = secrets->image->deliveries;
    struct laz_image_delivery delivery;
    for (unsigned n = 0; laz_secrets_next(secrets, &cursor, &n, &delivery);) {
        delivered(trail, laz_secrets_name(secrets, delivery.item), secrets->image->secrets_dir,
                &delivery);
    }
}

void laz_trail_refetched(
        struct laz_trail *trail, const struct laz_secrets *secrets, uint32_t item, const char *why)
{
    bool has_failed = why[0] != '\0';
    const struct laz_secret_seen *now = &secrets->items[item].now;
    struct laz_json *json = laz_trail_begin(trail, "secret.fetch", has_failed ? 5 : 1,
            laz_secrets_name(secrets, item), has_failed ? "failed" : "unchanged");
    laz_json_string(json, "version", now->version);
    laz_json_string(json, "fingerprint", now->fingerprint);
    if (has_failed) {
        laz_json_string(json, "message", why);
        laz_json_u64(json, "failures", laz_rotation_at(&secrets->rotation, item)->failures);
    }
    laz_trail_write(trail);
}

void laz_trail_rotated(struct laz_trail *trail, const struct laz_secrets *secrets, uint32_t item,
        bool is_back, const char *why)
{
    bool has_failed = why[0] != '\0';
    const struct laz_secret_item *it = &secrets->items[item];
    struct laz_json *json = laz_trail_begin(trail, is_back ? "secret.rollback" : "secret.rotate",
            has_failed || is_back ? 7 : 2, laz_secrets_name(secrets, item),
            has_failed        ? "failed"
                    : is_back ? "rolled-back"
                              : "rotated");
    laz_json_string(json, "version", it->said.version);
    laz_json_string(json, "fingerprint", it->said.fingerprint);
    laz_json_string(json, "old_version", it->now.version);
    laz_json_string(json, "old_fingerprint", it->now.fingerprint);
    laz_json_u64(json, "generation", secrets->generation);
    if (has_failed) {
        laz_json_string(json, "message", why);
    }
    laz_trail_write(trail);
}

void laz_trail_not_retired(struct laz_trail *trail, const struct laz_secrets *secrets)
{
    char name[24];
    (void)laz_format(name, sizeof(name), "generation %u", secrets->retiring);
    struct laz_json *json = laz_trail_begin(trail, "secret.retire", 5, name, "failed");
    laz_json_u64(json, "generation", secrets->retiring);
    laz_json_string(json, "message", secrets->err.message);
    laz_trail_write(trail);
}

void laz_trail_aged(struct laz_trail *trail, const struct laz_secrets *secrets, uint32_t item,
        bool is_expired, uint64_t seconds)
{
    const struct laz_secret_seen *now = &secrets->items[item].now;
    struct laz_json *json = laz_trail_begin(trail, is_expired ? "secret.expired" : "secret.stale",
            7, laz_secrets_name(secrets, item), is_expired ? "expired" : "stale");
    laz_json_string(json, "version", now->version);
    laz_json_string(json, "fingerprint", now->fingerprint);
    laz_json_u64(json, "seconds", seconds);
    laz_json_string(json, "message", secrets->why[item]);
    laz_trail_write(trail);
}

void laz_trail_ready(struct laz_trail *trail, bool is_ready, const char *reason, const char *item)
{
    struct laz_json *json = laz_trail_begin(trail, is_ready ? "ready.on" : "ready.off",
            is_ready ? 1 : 7, reason, is_ready ? "ready" : "not-ready");
    laz_json_string(json, "item", item);
    laz_trail_write(trail);
}

void laz_trail_told_of_change(
        struct laz_trail *trail, int signal_number, uint32_t generation, const char *act)
{
    char name[24];
    int severity = strcmp(act, "sent") == 0 ? 1 : strcmp(act, "deferred") == 0 ? 3 : 6;
    (void)laz_format(name, sizeof(name), "signal %d", signal_number);
    struct laz_json *json = laz_trail_begin_about(
            trail, laz_trail_workload(trail), "secret.signal", severity, name, act);
    laz_json_u64(json, "generation", generation);
    laz_trail_write(trail);
}
