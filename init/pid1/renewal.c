/* SPDX-License-Identifier: Apache-2.0
 *
 * Renewal of secrets, around the plan of rotation.c: fetch what is due, hide what is new from the
 * logs, have a whole new generation made of it, and only then tell the workload. What fails on the
 * way leaves everything as it was. libc only.
 */
#include <string.h>

#include "core/deadline.h"
#include "init/pid1/pid1.h"

#define STEP_LOOK_NS    (100 * LAZ_NS_PER_MS) /* somebody else is at work, and wakes us when done */
#define STEP_MAX_NS     (30000 * LAZ_NS_PER_MS) /* and nobody waits for longer */
#define RETIRE_AGAIN_NS (600000 * LAZ_NS_PER_MS)
#define STEPS_MAX       16
#define GONE            "not-found: its source has it no more"
#define TAKEN_BACK      "rolled-back: the workload failed its checks with what its source has"

/* What came of an item, the worst last: that counts for its whole group. */
enum verdict {
    VERDICT_UNCHANGED,
    VERDICT_CHANGED,
    VERDICT_PUT_OFF,
    VERDICT_FAILED,
};

static struct laz_rotation_said said_of(const struct laz_secret_seen *seen)
{
    return (struct laz_rotation_said){
            .renew = seen->renew, .expires = seen->expires, .now = laz_pid1_wall_s()};
}

void laz_pid1_begin_renewal(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    laz_rotation_begin(&secrets->rotation, secrets->image, secrets->seed, now_ns);
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        const struct laz_rotation_said said = said_of(&secrets->items[i].now);
        if (secrets->rotation.items[i].first == i) {
            laz_rotation_told(&secrets->rotation, i, &said, now_ns);
        }
    }
}

/* ---- what came of one item, or of one group: `item` is its first ---- */

static bool is_of(const struct laz_secrets *secrets, uint32_t item, uint32_t first)
{
    return (secrets->rotation.items[first].members >> item & 1) != 0;
}

/* Its source has confirmed what the workload has, or will have now. */
static void confirm(struct laz_pid1 *pid1, uint32_t item, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    const struct laz_rotation_said said = said_of(&secrets->items[item].said);
    laz_rotation_good(&secrets->rotation, item, &said, now_ns);
    secrets->why[item][0] = '\0';
    /* What has expired does so before it is stale no more: nothing flaps. */
    laz_pid1_turn_ages(pid1, now_ns);
    bool is_expired = laz_rotation_at(&secrets->rotation, item)->is_expired;
    laz_pid1_set_unready(pid1, LAZ_UNREADY_EXPIRED, item, is_expired);
    laz_pid1_set_unready(pid1, LAZ_UNREADY_STALE, item, false);
}

static void keep_why(struct laz_secrets *secrets, uint32_t item, const char *why)
{
    size_t length = strnlen(why, LAZ_WHY_MAX);
    (void)memmove(secrets->why[item], why, length);
    secrets->why[item][length] = '\0';
}

static void on_failed(struct laz_pid1 *pid1, uint32_t item, const char *why, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    keep_why(secrets, item, why);
    laz_rotation_failed(&secrets->rotation, item, now_ns);
    laz_trail_refetched(&pid1->trail, secrets, item, secrets->why[item]);
}

/* The values that the workload has are what was said just now, with its version and its times. */
static void take_words(struct laz_secrets *secrets, uint32_t first)
{
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        if (is_of(secrets, i, first)) {
            secrets->items[i].now = secrets->items[i].said;
        }
    }
}

static void on_unchanged(struct laz_pid1 *pid1, uint32_t number, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    bool had_failed = secrets->rotation.items[number].failures > 0;
    take_words(secrets, number);
    confirm(pid1, number, now_ns);
    if (had_failed) {
        laz_trail_refetched(&pid1->trail, secrets, number, "");
    }
}

/* Why an item that fetch has said nothing of is not there. */
static const char *why_not(const struct laz_pid1 *pid1)
{
    const char *said = pid1->helpers.fetch.err.message;
    return said[0] != '\0' ? said : "unavailable: lazaret-helper fetch did not answer in time";
}

static enum verdict judge(const struct laz_pid1 *pid1, uint32_t number, const char **ret_why)
{
    const struct laz_secrets *secrets = &pid1->helpers.secrets;
    const struct laz_secret_item *item = &secrets->items[number];
    bool has_crashed = !secrets->is_done && pid1->helpers.fetch.err.kind != LAZ_E_NONE;
    bool is_told = item->said.is_known && !has_crashed &&
            (item->said.outcome != LAZ_OUTCOME_FETCHED ||
                    (item->fresh >= 0 && item->fresh_masks >= 0));
    if (!is_told && pid1->renewal.has_yielded) {
        return VERDICT_PUT_OFF;
    }
    if (!is_told || item->said.outcome == LAZ_OUTCOME_FAILED) {
        *ret_why = is_told ? secrets->why[number] : why_not(pid1);
        return VERDICT_FAILED;
    }
    if (item->said.outcome == LAZ_OUTCOME_ABSENT && item->now.outcome == LAZ_OUTCOME_FETCHED) {
        *ret_why = GONE;
        return VERDICT_FAILED;
    }
    return item->said.outcome == LAZ_OUTCOME_FETCHED && laz_secrets_differs(item)
            ? VERDICT_CHANGED
            : VERDICT_UNCHANGED;
}

static void on_changed(struct laz_pid1 *pid1, uint32_t first, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    const char *why = "";
    uint32_t members = secrets->rotation.items[first].members;
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        if ((members >> i & 1) != 0) {
            secrets->items[i].is_changed = judge(pid1, i, &why) == VERDICT_CHANGED;
        }
    }
    if (!laz_secrets_was_taken_back(secrets, first)) {
        return;
    }
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        secrets->items[i].is_changed = secrets->items[i].is_changed && (members >> i & 1) == 0;
    }
    const struct laz_rotation_said said = said_of(&secrets->items[first].now);
    laz_rotation_back(&secrets->rotation, first, &said, now_ns); /* its source is well */
    keep_why(secrets, first, TAKEN_BACK);
    laz_trail_refetched(&pid1->trail, secrets, first, TAKEN_BACK);
}

/* What differs of it becomes what the workload has, if all of it is good. */
static void judge_group(struct laz_pid1 *pid1, uint32_t first, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    enum verdict worst = VERDICT_UNCHANGED;
    const char *why = "";
    if (secrets->rollback.phase == LAZ_ROLLBACK_WANTED &&
            (secrets->rollback.items >> first & 1) != 0) {
        laz_rotation_put_off(&secrets->rotation, first, now_ns); /* that comes first */
        return;
    }
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        const char *its_why = "";
        enum verdict its = is_of(secrets, i, first) ? judge(pid1, i, &its_why) : VERDICT_UNCHANGED;
        why = its > worst ? its_why : why;
        worst = its > worst ? its : worst;
    }
    switch (worst) {
    case VERDICT_UNCHANGED:
        on_unchanged(pid1, first, now_ns);
        break;
    case VERDICT_CHANGED:
        on_changed(pid1, first, now_ns);
        break;
    case VERDICT_PUT_OFF:
        laz_rotation_put_off(&secrets->rotation, first, now_ns);
        break;
    case VERDICT_FAILED:
        on_failed(pid1, first, why, now_ns);
        break;
    }
}

static bool has_changed(const struct laz_secrets *secrets, uint32_t first)
{
    bool has = false;
    for (uint32_t i = first; i < secrets->image->fetched.n; i++) {
        has = has || (is_of(secrets, i, first) && secrets->items[i].is_changed);
    }
    return has;
}

/* ---- what came of all of them ---- */

static void come_to_rest(struct laz_pid1 *pid1)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    laz_secrets_forget(secrets, 0);
    laz_rotation_settled(&secrets->rotation);
    pid1->renewal.has_yielded = false;
    secrets->phase = LAZ_SECRETS_THERE;
}

static void settle(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_helpers *helpers = &pid1->helpers;
    struct laz_secrets *secrets = &helpers->secrets;
    bool is_any = false;
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        if ((secrets->wanted & secrets->rotation.items[i].members) != 0) {
            judge_group(pid1, i, now_ns); /* what it changes comes after it, or is itself */
        }
        if (secrets->items[i].is_changed) {
            is_any = true;
            laz_secrets_push_masks(&secrets->items[i]);
            laz_helpers_hide(helpers, i);
        }
    }
    laz_helpers_end_fetch(helpers);
    if (is_any) {
        secrets->phase = LAZ_SECRETS_REHIDING;
        pid1->renewal.until_ns = now_ns + STEP_MAX_NS;
    } else {
        come_to_rest(pid1);
    }
}

/* The workload has again what it had before the last renewal. */
static void on_back(struct laz_pid1 *pid1, uint32_t first, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    laz_secrets_be_as_before(secrets, first);
    const struct laz_rotation_said said = said_of(&secrets->items[first].now);
    laz_rotation_back(&secrets->rotation, first, &said, now_ns);
    keep_why(secrets, first, TAKEN_BACK);
    laz_pid1_set_unready(
            pid1, LAZ_UNREADY_EXPIRED, first, secrets->rotation.items[first].is_expired);
}

static bool is_going_back(const struct laz_secrets *secrets)
{
    return secrets->rollback.phase == LAZ_ROLLBACK_UNDER_WAY;
}

/* Where nobody asks, it is not known. */
static enum laz_checks checks_of(const struct laz_pid1 *pid1)
{
    return pid1->image.watches ? pid1->helpers.watch.verdict.checks : LAZ_CHECKS_UNKNOWN;
}

static uint32_t tell_changed(struct laz_pid1 *pid1)
{
    const struct laz_secrets *secrets = &pid1->helpers.secrets;
    uint32_t changed = 0;
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        if (secrets->items[i].is_changed) {
            changed |= UINT32_C(1) << i;
            laz_trail_rotated(&pid1->trail, secrets, i, is_going_back(secrets), "");
        }
    }
    return changed;
}

static void adopt(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    uint64_t until_ns = now_ns + pid1->image.retire_ms * LAZ_NS_PER_MS;
    uint32_t changed = tell_changed(pid1);
    bool is_back = is_going_back(secrets);
    if (is_back) {
        laz_rollback_end(&secrets->rollback);
    } else {
        laz_secrets_keep_before(secrets, checks_of(pid1), until_ns);
    }
    laz_secrets_adopt(secrets, until_ns);
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        uint8_t number = laz_image_renewal_at(secrets->image, i).signal;
        bool is_first = (changed & secrets->rotation.items[i].members) != 0;
        if (is_first && is_back) {
            on_back(pid1, i, now_ns);
        } else if (is_first) {
            take_words(secrets, i);
            confirm(pid1, i, now_ns);
        }
        if ((changed >> i & 1) != 0) {
            pid1->renewal.signals |= number == 0 ? 0 : LAZ_SIGNAL_BIT(number);
        }
    }
    laz_helpers_show(&pid1->helpers, changed);
    pid1->renewal.signals_due_ns = now_ns;
    come_to_rest(pid1);
}

/* What the workload still has is hidden for longer than what it did not get. */
static void hide_again(struct laz_pid1 *pid1, uint32_t number)
{
    struct laz_secret_item *item = &pid1->helpers.secrets.items[number];
    if (item->masks[1] >= 0) {
        int masks = item->masks[1];
        item->masks[1] = item->masks[0];
        item->masks[0] = masks;
        laz_helpers_hide(&pid1->helpers, number);
    }
}

/* It is removed then, if there is room to remember it; at the end in any case. */
static void keep_old(struct laz_secrets *secrets, uint32_t generation, uint64_t until_ns)
{
    if (secrets->n_old < LAZ_GENERATIONS_KEPT) {
        secrets->old[secrets->n_old++] =
                (struct laz_generation){.number = generation, .until_ns = until_ns};
    }
}

static void give_up(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    bool is_back = is_going_back(secrets);
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        if (has_changed(secrets, i) && !is_back) {
            keep_why(secrets, i, secrets->err.message);
            laz_rotation_failed(&secrets->rotation, i, now_ns);
        }
        if (secrets->items[i].is_changed) {
            laz_trail_rotated(&pid1->trail, secrets, i, is_back, secrets->err.message);
            hide_again(pid1, i);
        }
    }
    if (is_back) {
        laz_rollback_end(&secrets->rollback);
    }
    if (secrets->phase == LAZ_SECRETS_NOT_REDELIVERED && secrets->is_begun) {
        keep_old(secrets, secrets->generation, now_ns);
    }
    come_to_rest(pid1);
}

/* ---- back ---- */

/* "": an identity can be what it was. */
static const char *why_not_back(const struct laz_pid1 *pid1, uint32_t item)
{
    const struct laz_secrets *secrets = &pid1->helpers.secrets;
    const struct laz_rotation_said said = said_of(&secrets->before[item].seen);
    return pid1->helpers.launcher_chan < 0 ? "the process that delivers secrets has ended"
            : said.expires != 0 && said.expires <= said.now ? "what it was is not valid any more"
                                                            : "";
}

/* What identities were becomes one more generation. All parts of one have the same end. */
static void go_back(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    uint32_t kept = secrets->kept;
    bool is_any = false;
    laz_secrets_forget(secrets, 0);
    for (uint32_t i = 0; i < secrets->image->fetched.n; i++) {
        if ((kept >> i & 1) == 0) {
            continue;
        }
        const char *why = why_not_back(pid1, i);
        laz_secrets_restore(secrets, i);
        if (why[0] == '\0') {
            is_any = true;
            hide_again(pid1, i);
        } else {
            secrets->items[i].is_changed = false;
            laz_trail_rotated(&pid1->trail, secrets, i, true, why);
        }
    }
    if (!is_any) {
        laz_rollback_end(&secrets->rollback);
        come_to_rest(pid1);
        return;
    }
    secrets->rollback.phase = LAZ_ROLLBACK_UNDER_WAY;
    laz_secrets_begin_generation(secrets);
    pid1->renewal.until_ns = now_ns + STEP_MAX_NS;
}

static void give_up_hiding(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_err *err = &pid1->helpers.secrets.err;
    *err = (struct laz_err){0};
    (void)laz_err_set(
            err, LAZ_E_AUDIT, 0, "lazaret-helper ship does not say that the logs hide what is new");
    give_up(pid1, now_ns);
}

/* ---- what is due ---- */

static bool can_retire(const struct laz_pid1 *pid1)
{
    return pid1->helpers.launcher_chan >= 0 && pid1->helpers.secrets.n_ordered == 0;
}

static bool retire_one(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    unsigned i = 0;
    while (i < secrets->n_old && secrets->old[i].until_ns > now_ns) {
        i++;
    }
    bool is_due = i < secrets->n_old;
    if (!can_retire(pid1) || (!is_due && secrets->n_old <= LAZ_GENERATIONS_KEPT)) {
        return false;
    }
    struct laz_generation *old = secrets->old + (is_due ? i : 0);
    uint32_t number = old->number;
    secrets->n_old--;
    (void)memmove(old, old + 1, (size_t)(secrets->old + secrets->n_old - old) * sizeof(*old));
    laz_secrets_retire(secrets, number);
    pid1->renewal.until_ns = now_ns + STEP_MAX_NS;
    return true;
}

/* Values of before can still be read. */
static void on_not_retired(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    laz_trail_not_retired(&pid1->trail, secrets);
    keep_old(secrets, secrets->retiring, now_ns + RETIRE_AGAIN_NS);
    secrets->phase = LAZ_SECRETS_THERE;
}

static void begin_next(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_helpers *helpers = &pid1->helpers;
    struct laz_secrets *secrets = &helpers->secrets;
    bool goes_back = secrets->rollback.phase == LAZ_ROLLBACK_WANTED;
    if (goes_back && secrets->n_ordered == 0) {
        go_back(pid1, now_ns);
    }
    if (goes_back || retire_one(pid1, now_ns) || !laz_helpers_fetch_is_gone(helpers)) {
        return;
    }
    uint32_t items = laz_rotation_take(&secrets->rotation, now_ns);
    if (items != 0) {
        laz_helpers_refetch(helpers, items, laz_rotation_patience_ms(&secrets->rotation), now_ns);
    }
}

static void watch_fetch(struct laz_pid1 *pid1, uint64_t now_ns)
{
    const struct laz_rotation *rotation = &pid1->helpers.secrets.rotation;
    pid1->renewal.has_yielded = laz_rotation_yields(rotation, now_ns);
    if (pid1->renewal.has_yielded || now_ns >= rotation->until_ns) {
        laz_helpers_end_fetch(&pid1->helpers);
    }
}

static void watch_hiding(struct laz_pid1 *pid1, uint64_t now_ns)
{
    if (laz_helpers_have_hidden(&pid1->helpers)) {
        laz_secrets_begin_generation(&pid1->helpers.secrets);
        pid1->renewal.until_ns = now_ns + STEP_MAX_NS;
    } else if (now_ns >= pid1->renewal.until_ns) {
        give_up_hiding(pid1, now_ns);
    }
}

/* One step of what is under way. */
static void step_on(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    bool is_ordered =
            secrets->phase == LAZ_SECRETS_REDELIVERING || secrets->phase == LAZ_SECRETS_RETIRING;
    if (secrets->phase == LAZ_SECRETS_THERE) {
        begin_next(pid1, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_REFETCHING) {
        watch_fetch(pid1, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_REFETCHED) {
        settle(pid1, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_REHIDING) {
        watch_hiding(pid1, now_ns);
    } else if (is_ordered && now_ns >= pid1->renewal.until_ns) {
        laz_secrets_lose_answer(secrets);
    } else if (secrets->phase == LAZ_SECRETS_REDELIVERED) {
        adopt(pid1, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_NOT_REDELIVERED) {
        give_up(pid1, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_NOT_RETIRED) {
        on_not_retired(pid1, now_ns);
    }
}

/* ---- the turn ---- */

/* Of another generation: what came of it is not judged yet. */
static bool is_delivering(const struct laz_secrets *secrets)
{
    return secrets->phase == LAZ_SECRETS_REDELIVERING ||
            secrets->phase == LAZ_SECRETS_REDELIVERED ||
            secrets->phase == LAZ_SECRETS_NOT_REDELIVERED;
}

/* The run ends: what is under way is left where it is, until all is removed. But what the workload
 * may see already, or will with the answer that is to come, is said. */
static void stop(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    if (!pid1->renewal.is_stopped) {
        pid1->renewal.is_stopped = true;
        secrets->rotation.is_over = true;
        laz_helper_drop(&pid1->helpers.fetch);
    }
    if (secrets->phase == LAZ_SECRETS_REDELIVERING && secrets->ordered != LAZ_SECRETS_ORDER_SWAP) {
        secrets->phase = LAZ_SECRETS_OVER;
    } else if (is_delivering(secrets)) {
        step_on(pid1, now_ns);
    }
}

static bool is_idle(const struct laz_pid1 *pid1)
{
    return pid1->helpers.secrets.rotation.image == NULL || pid1->state.phase < LAZ_PHASE_RUNNING;
}

void laz_pid1_turn_renewal(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    if (is_idle(pid1)) {
        return;
    }
    if (pid1->state.phase != LAZ_PHASE_RUNNING) {
        stop(pid1, now_ns);
        return;
    }
    laz_pid1_turn_ages(pid1, now_ns);
    if (laz_rollback_turn(&secrets->rollback, checks_of(pid1), now_ns)) {
        laz_secrets_drop_before(secrets);
    }
    for (unsigned i = 0; i < STEPS_MAX && pid1->state.phase == LAZ_PHASE_RUNNING; i++) {
        enum laz_secrets_phase before = secrets->phase;
        step_on(pid1, now_ns);
        laz_secrets_deliver(secrets, pid1->helpers.launcher_chan);
        if (secrets->phase == before) {
            break;
        }
    }
    laz_pid1_turn_signals(pid1, now_ns);
}

uint64_t laz_pid1_renewal_due_ns(const struct laz_pid1 *pid1, uint64_t now_ns)
{
    uint64_t due_ns = 0;
    if (!pid1->image.fetches || is_idle(pid1) || pid1->state.phase != LAZ_PHASE_RUNNING) {
        return 0;
    }
    const struct laz_secrets *secrets = &pid1->helpers.secrets;
    bool is_resting = secrets->phase == LAZ_SECRETS_THERE;
    bool is_at_work = is_resting ? !laz_helpers_fetch_is_gone(&pid1->helpers)
                                 : secrets->phase != LAZ_SECRETS_REFETCHING;
    if (is_at_work) {
        due_ns = now_ns + STEP_LOOK_NS;
    } else {
        laz_sooner(&due_ns, laz_rotation_due_ns(&secrets->rotation));
    }
    laz_sooner(&due_ns, laz_rollback_due_ns(&secrets->rollback));
    laz_sooner(&due_ns, secrets->rotation.has_times ? pid1->renewal.look_ns : 0);
    for (unsigned i = 0; is_resting && can_retire(pid1) && i < secrets->n_old; i++) {
        laz_sooner(&due_ns, secrets->old[i].until_ns);
    }
    laz_sooner(&due_ns, pid1->renewal.signals == 0 ? 0 : pid1->renewal.signals_due_ns);
    return due_ns;
}
