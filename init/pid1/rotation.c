/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of renewal. An item's next time counts from its last one, not from when the answer came,
 * so that no answer, however late, changes how often anybody is asked.
 */
#include "init/pid1/rotation.h"

#include "core/deadline.h"

#define NS_PER_S  UINT64_C(1000000000)
#define RANDOM    UINT64_C(0x2545F4914F6CDD1D)
#define TOGETHER  (LAZ_ROTATION_TOGETHER_MS * LAZ_NS_PER_MS)
#define DOUBLINGS 20 /* a second, so often doubled, is longer than any interval */

/* Marsaglia's xorshift64*: even, and of no use to whoever wants to guess a key; nobody does. */
static uint64_t next_random(struct laz_rotation *rotation)
{
    uint64_t x = rotation->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rotation->random = x;
    return x * RANDOM;
}

/* That long, give or take the policy's share of it. */
static uint64_t vary(struct laz_rotation *rotation, uint64_t ms)
{
    uint64_t width_ns = ms * 2 * rotation->image->refresh_jitter * (LAZ_NS_PER_MS / 100);
    uint64_t least_ns = ms * LAZ_NS_PER_MS - width_ns / 2;
    return width_ns == 0 ? least_ns : least_ns + next_random(rotation) % (width_ns + 1);
}

static uint64_t least_ns(const struct laz_rotation *rotation)
{
    return rotation->image->refresh_least_ms * LAZ_NS_PER_MS;
}

/* Whoever speaks of one of a group speaks of its first. */
static struct laz_rotation_item *plan_of(struct laz_rotation *rotation, uint32_t item)
{
    return &rotation->items[rotation->items[item].first];
}

const struct laz_rotation_item *laz_rotation_at(const struct laz_rotation *rotation, uint32_t item)
{
    return &rotation->items[rotation->items[item].first];
}

static uint32_t find_first(const struct laz_image *image, uint32_t item)
{
    uint8_t group = laz_image_renewal_at(image, item).group;
    uint32_t first = 0;
    while (first < item && (group == 0 || laz_image_renewal_at(image, first).group != group)) {
        first++;
    }
    return first;
}

void laz_rotation_begin(struct laz_rotation *rotation, const struct laz_image *image, uint64_t seed,
        uint64_t now_ns)
{
    rotation->image = image;
    rotation->random = seed == 0 ? RANDOM : seed; /* of 0 nothing but 0 follows */
    for (uint32_t i = 0; i < image->fetched.n; i++) {
        struct laz_rotation_item *item = &rotation->items[i];
        item->first = find_first(image, i);
        item->members = 0;
        plan_of(rotation, i)->members |= UINT32_C(1) << i;
        if (item->first != i) {
            continue;
        }
        item->is_renewed = laz_image_renewal_at(image, i).is_renewed;
        item->asked_ns = item->good_ns = now_ns;
        item->due_ns = item->is_renewed ? now_ns + vary(rotation, image->refresh_ms) : 0;
    }
}

/* ---- what is due ---- */

static bool is_sound(const struct laz_rotation_item *item)
{
    return item->is_renewed && item->failures == 0;
}

static uint64_t stale_ns(const struct laz_rotation *rotation, const struct laz_rotation_item *item)
{
    return item->good_ns + rotation->image->stale_ms * LAZ_NS_PER_MS;
}

static bool is_of_failed(const struct laz_rotation *rotation)
{
    for (uint32_t i = 0; i < rotation->image->fetched.n; i++) {
        if ((rotation->asked >> i & 1) != 0 && is_sound(&rotation->items[i])) {
            return false;
        }
    }
    return rotation->asked != 0;
}

uint64_t laz_rotation_due_ns(const struct laz_rotation *rotation)
{
    uint64_t due_ns = 0;
    if (rotation->image == NULL) {
        return 0;
    }
    bool may_yield = is_of_failed(rotation);
    laz_sooner(&due_ns, rotation->asked != 0 ? rotation->until_ns : 0);
    for (uint32_t i = 0; i < rotation->image->fetched.n; i++) {
        const struct laz_rotation_item *item = &rotation->items[i];
        bool may_be_asked = rotation->asked == 0 || (may_yield && is_sound(item));
        laz_sooner(&due_ns, item->is_expired ? 0 : item->expires_ns);
        if (!item->is_renewed) {
            continue;
        }
        laz_sooner(&due_ns, may_be_asked && !rotation->is_over ? item->due_ns : 0);
        laz_sooner(&due_ns, item->is_stale || item->is_timed ? 0 : stale_ns(rotation, item));
    }
    return due_ns;
}

/* Of those without a failure, who is due by then. */
static uint32_t sound_until(const struct laz_rotation *rotation, uint64_t until_ns)
{
    uint32_t items = 0;
    for (uint32_t i = 0; i < rotation->image->fetched.n; i++) {
        bool is_due = is_sound(&rotation->items[i]) && rotation->items[i].due_ns <= until_ns;
        items |= (uint32_t)is_due << i;
    }
    return items;
}

/* The one that has waited longest. */
static uint32_t one_that_failed(const struct laz_rotation *rotation, uint64_t now_ns)
{
    uint64_t first_ns = UINT64_MAX;
    uint32_t found = 0;
    for (uint32_t i = 0; i < rotation->image->fetched.n; i++) {
        const struct laz_rotation_item *item = &rotation->items[i];
        if (item->failures > 0 && item->due_ns <= now_ns && item->due_ns < first_ns) {
            first_ns = item->due_ns;
            found = UINT32_C(1) << i;
        }
    }
    return found;
}

uint32_t laz_rotation_patience_ms(const struct laz_rotation *rotation)
{
    uint32_t half_ms = rotation->image->refresh_ms / 2;
    return half_ms < rotation->image->fetch_wait_ms ? half_ms : rotation->image->fetch_wait_ms;
}

uint32_t laz_rotation_take(struct laz_rotation *rotation, uint64_t now_ns)
{
    if (rotation->image == NULL || rotation->is_over || rotation->asked != 0) {
        return 0;
    }
    uint32_t items = sound_until(rotation, now_ns) != 0 ? sound_until(rotation, now_ns + TOGETHER)
                                                        : one_that_failed(rotation, now_ns);
    uint32_t all = 0;
    for (uint32_t i = 0; i < rotation->image->fetched.n; i++) {
        if ((items >> i & 1) != 0) {
            rotation->items[i].is_asked = true;
            rotation->items[i].asked_ns = now_ns;
            all |= rotation->items[i].members;
        }
    }
    rotation->asked = all;
    uint64_t patience_ms = (uint64_t)laz_rotation_patience_ms(rotation) + LAZ_SECRETS_SLACK_MS;
    rotation->until_ns = now_ns + patience_ms * LAZ_NS_PER_MS;
    return all;
}

bool laz_rotation_yields(const struct laz_rotation *rotation, uint64_t now_ns)
{
    return is_of_failed(rotation) && sound_until(rotation, now_ns) != 0;
}

/* ---- what came of it ---- */

/* A time of that clock, on ours. */
static uint64_t on_our_clock(uint64_t then, uint64_t now, uint64_t now_ns)
{
    uint64_t left = then > now ? then - now : 0;
    return left > UINT64_MAX / NS_PER_S / 2 ? UINT64_MAX / 2 : now_ns + left * NS_PER_S;
}

static void plan_times(struct laz_rotation *rotation, struct laz_rotation_item *item, uint64_t now,
        uint64_t now_ns)
{
    uint64_t earliest_ns = item->asked_ns + least_ns(rotation);
    item->expires_ns = item->expires == 0 ? 0 : on_our_clock(item->expires, now, now_ns);
    if (item->renew != 0) {
        item->due_ns = on_our_clock(item->renew, now, now_ns);
        item->due_ns = item->due_ns < earliest_ns ? earliest_ns : item->due_ns;
    }
}

void laz_rotation_told(struct laz_rotation *rotation, uint32_t number,
        const struct laz_rotation_said *said, uint64_t now_ns)
{
    struct laz_rotation_item *item = plan_of(rotation, number);
    bool is_past = said->expires != 0 && said->expires <= said->now;
    item->is_expired = item->is_expired && is_past; /* it was said already */
    item->is_timed = said->renew != 0 && said->expires != 0;
    item->expires = said->expires;
    item->renew = item->is_renewed ? said->renew : 0;
    rotation->has_times |= item->expires != 0 || item->renew != 0;
    plan_times(rotation, item, said->now, now_ns);
}

void laz_rotation_good(struct laz_rotation *rotation, uint32_t number,
        const struct laz_rotation_said *said, uint64_t now_ns)
{
    struct laz_rotation_item *item = plan_of(rotation, number);
    bool had_failed = item->failures > 0;
    uint64_t from_ns = had_failed ? item->asked_ns : item->due_ns;
    uint64_t earliest_ns = item->asked_ns + least_ns(rotation);
    item->failures = 0;
    item->good_ns = now_ns;
    item->is_asked = item->is_stale = false;
    if (item->is_renewed) {
        item->due_ns = from_ns + vary(rotation, rotation->image->refresh_ms);
        item->due_ns = item->due_ns < earliest_ns ? earliest_ns : item->due_ns;
    }
    laz_rotation_told(rotation, number, said, now_ns);
}

static void try_again(
        struct laz_rotation *rotation, struct laz_rotation_item *item, uint64_t now_ns)
{
    unsigned doublings = item->failures > 0 ? item->failures - 1 : 0;
    doublings = doublings < DOUBLINGS ? doublings : DOUBLINGS;
    uint64_t wait_ms = (uint64_t)rotation->image->refresh_least_ms << doublings;
    uint64_t most_ms = rotation->image->refresh_ms;
    uint64_t earliest_ns = item->asked_ns + least_ns(rotation);
    item->due_ns = now_ns + vary(rotation, wait_ms < most_ms ? wait_ms : most_ms);
    item->due_ns = item->due_ns < earliest_ns ? earliest_ns : item->due_ns;
    item->is_asked = false;
    item->renew = 0;
}

void laz_rotation_failed(struct laz_rotation *rotation, uint32_t item, uint64_t now_ns)
{
    plan_of(rotation, item)->failures++;
    try_again(rotation, plan_of(rotation, item), now_ns);
}

void laz_rotation_put_off(struct laz_rotation *rotation, uint32_t item, uint64_t now_ns)
{
    try_again(rotation, plan_of(rotation, item), now_ns);
}

void laz_rotation_back(struct laz_rotation *rotation, uint32_t number,
        const struct laz_rotation_said *said, uint64_t now_ns)
{
    struct laz_rotation_item *item = plan_of(rotation, number);
    laz_rotation_told(rotation, number, said, now_ns);
    uint64_t half_ns = item->expires_ns > now_ns ? (item->expires_ns - now_ns) / 2 : 0;
    uint64_t wait_ns = half_ns > least_ns(rotation) ? half_ns : least_ns(rotation);
    item->failures++;
    item->is_asked = false;
    item->renew = 0;
    item->due_ns =
            now_ns + (item->is_timed ? wait_ns : vary(rotation, rotation->image->refresh_ms));
}

void laz_rotation_settled(struct laz_rotation *rotation)
{
    rotation->asked = 0;
}

/* ---- what is too old ---- */

uint32_t laz_rotation_stale(struct laz_rotation *rotation, uint64_t now_ns)
{
    uint32_t found = 0;
    for (uint32_t i = 0; rotation->image != NULL && i < rotation->image->fetched.n; i++) {
        struct laz_rotation_item *item = &rotation->items[i];
        bool may_be = item->is_renewed && !item->is_timed && !item->is_stale;
        if (may_be && now_ns >= stale_ns(rotation, item)) {
            item->is_stale = true;
            found |= UINT32_C(1) << i;
        }
    }
    return found;
}

uint32_t laz_rotation_expired(struct laz_rotation *rotation, uint64_t now_ns)
{
    uint32_t found = 0;
    for (uint32_t i = 0; rotation->image != NULL && i < rotation->image->fetched.n; i++) {
        struct laz_rotation_item *item = &rotation->items[i];
        if (item->expires_ns != 0 && !item->is_expired && now_ns >= item->expires_ns) {
            item->is_expired = true;
            found |= UINT32_C(1) << i;
        }
    }
    return found;
}

uint32_t laz_rotation_look(struct laz_rotation *rotation, uint64_t now, uint64_t now_ns)
{
    uint32_t found = 0;
    for (uint32_t i = 0; rotation->has_times && i < rotation->image->fetched.n; i++) {
        struct laz_rotation_item *item = &rotation->items[i];
        bool is_valid_again = item->is_expired && item->expires > now;
        plan_times(rotation, item, now, now_ns);
        item->is_expired = item->is_expired && !is_valid_again;
        found |= (uint32_t)is_valid_again << i;
    }
    return found;
}

void laz_rotation_want(struct laz_rotation *rotation, uint32_t number, uint64_t now_ns)
{
    struct laz_rotation_item *item = plan_of(rotation, number);
    uint64_t earliest_ns = item->asked_ns + least_ns(rotation);
    earliest_ns = earliest_ns < now_ns ? now_ns : earliest_ns;
    if (!item->is_asked && item->due_ns > earliest_ns) {
        item->due_ns = earliest_ns;
        item->renew = 0;
    }
}
