/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's state machine, in two ways: every state that can be reached is met with every event and
 * held against the invariants, and the rows of the contract are told as stories.
 */
#include "init/pid1/step.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#define NOW UINT64_C(5000000000)

static struct laz_image image_of(uint32_t lb_grace_ms, uint32_t drain_ms)
{
    struct laz_image image = {
            .lb_grace_ms = lb_grace_ms, .grace_ms = 2000, .drain_ms = drain_ms, .flush_ms = 2000};
    for (int s = 1; s <= LAZ_SIGNAL_MAX; s++) {
        image.signal_map[s] = (uint8_t)s;
    }
    image.signal_map[SIGHUP] = 0;        /* dropped */
    image.signal_map[SIGUSR2] = SIGQUIT; /* mapped */
    image.signal_stop = LAZ_SIGNAL_BIT(SIGTERM) | LAZ_SIGNAL_BIT(SIGINT);
    image.signal_group = LAZ_SIGNAL_BIT(SIGUSR2);
    image.n_exit_map = 1;
    image.exit_map[0] =
            (struct laz_image_exit){.from = 143, .to = 0, .only_if_stop_requested = true};
    return image;
}

static struct laz_event signal_event(int number, bool is_trusted)
{
    return (struct laz_event){.type = LAZ_EVENT_SIGNAL,
            .signal = {.number = number, .is_trusted = is_trusted, .pid = is_trusted ? 0 : 7}};
}

static int exit_status(int code)
{
    return code << 8;
}

/* ---- the model: every reachable state, every event ---- */

#define STATES_MAX 40000
#define SLOTS      131072 /* a power of two, and so many that few states meet in one */

/* A state, and what the world would know beside it. */
struct node {
    struct laz_state state;
    bool main_reaped;
};

static const struct laz_event events[] = {
        {.type = LAZ_EVENT_SIGNAL, .signal = {.number = SIGTERM, .is_trusted = true}},
        {.type = LAZ_EVENT_SIGNAL, .signal = {.number = SIGTERM, .pid = 7}},
        {.type = LAZ_EVENT_SIGNAL, .signal = {.number = SIGUSR1, .pid = 7}},
        {.type = LAZ_EVENT_SIGNAL, .signal = {.number = SIGUSR2, .pid = 7}},
        {.type = LAZ_EVENT_SIGNAL, .signal = {.number = SIGHUP, .pid = 7}},
        {.type = LAZ_EVENT_FORKED},
        {.type = LAZ_EVENT_STARTED},
        {.type = LAZ_EVENT_START_FAILED, .code = 102},
        {.type = LAZ_EVENT_MAIN_EXITED, .status = 3 << 8},
        {.type = LAZ_EVENT_MAIN_EXITED, .status = SIGTERM},
        {.type = LAZ_EVENT_EMPTY},
        {.type = LAZ_EVENT_TIMEOUT},
        {.type = LAZ_EVENT_KILL_AFTER},
        {.type = LAZ_EVENT_FLUSHED},
        {.type = LAZ_EVENT_AUDIT_LOST},
        {.type = LAZ_EVENT_SENSE_LOST},
        {.type = LAZ_EVENT_SECRET_STALE},
        {.type = LAZ_EVENT_DRAINED},
        {.type = LAZ_EVENT_START_OVERDUE},
};

#define N_EVENTS (sizeof(events) / sizeof(events[0]))

static bool same(const struct node *a, const struct node *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* What has been reached. */
struct reached {
    struct node nodes[STATES_MAX];
    uint32_t slots[SLOTS]; /* 1 + index of a node */
    size_t n;
};

static size_t slot_of(const struct node *node)
{
    uint64_t words[sizeof(*node) / sizeof(uint64_t)];
    static_assert(sizeof(words) == sizeof(*node), "every byte counts");
    memcpy(words, node, sizeof(words));
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        sum = (sum ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        sum ^= sum >> 32;
    }
    return sum % SLOTS;
}

static void reach(struct reached *reached, const struct node *node)
{
    size_t slot = slot_of(node);
    for (; reached->slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        if (same(&reached->nodes[reached->slots[slot] - 1], node)) {
            return;
        }
    }
    cr_assert_lt(reached->n, STATES_MAX, "more states than the model has room for");
    reached->nodes[reached->n++] = *node;
    reached->slots[slot] = (uint32_t)reached->n;
}

static bool wants_deadline(enum laz_phase phase)
{
    return phase >= LAZ_PHASE_LB_GRACE && phase <= LAZ_PHASE_FLUSHING;
}

static void check_deadline(const struct laz_state *state)
{
    if (wants_deadline(state->phase)) {
        cr_assert_gt(state->deadline_ns, NOW, "phase %d has no deadline", state->phase);
    } else if (state->phase == LAZ_PHASE_RUNNING || state->phase == LAZ_PHASE_DONE) {
        cr_assert_eq(state->deadline_ns, 0, "phase %d has a deadline", state->phase);
    }
}

/* What one step may do, given where it started. */
static void check_actions(const struct node *before, const struct laz_event *event,
        const struct laz_state *after, const struct laz_actions *actions, bool *ret_reaped)
{
    unsigned exits = 0;
    bool reaped = before->main_reaped;
    for (unsigned i = 0; i < actions->n; i++) {
        const struct laz_do *action = &actions->items[i];
        switch (action->type) {
        case LAZ_DO_EXIT:
            exits++;
            cr_assert_eq(action->code, after->exit_code);
            break;
        case LAZ_DO_REAP_MAIN:
            cr_assert(!reaped, "main is reaped twice (event %d)", event->type);
            reaped = true;
            break;
        case LAZ_DO_DELIVER:
            cr_assert(!reaped, "a signal for a reaped pid");
            cr_assert(before->state.phase >= LAZ_PHASE_STARTING, "a signal before the fork");
            cr_assert(before->state.phase > LAZ_PHASE_STARTING || event->type == LAZ_EVENT_STARTED,
                    "a signal before the exec");
            cr_assert_neq(action->signal.number, 0);
            break;
        case LAZ_DO_KILL_MAIN:
            cr_assert(!reaped, "a kill for a reaped pid");
            break;
        case LAZ_DO_TERM_OTHERS:
            cr_assert(!reaped, "strays are signalled after main is reaped");
            cr_assert_eq(event->type, LAZ_EVENT_MAIN_EXITED);
            break;
        case LAZ_DO_KILL_OTHERS:
            cr_assert_eq(after->phase, LAZ_PHASE_DRAIN_KILLED);
            break;
        case LAZ_DO_ABORT_START:
            cr_assert_lt(before->state.phase, LAZ_PHASE_KILLING);
            cr_assert(after->phase == LAZ_PHASE_DONE || after->phase == LAZ_PHASE_FLUSHING);
            break;
        case LAZ_DO_FLUSH:
            cr_assert(before->state.ships || before->state.wipes, "nobody is there to flush");
            cr_assert_eq(after->phase, LAZ_PHASE_FLUSHING);
            cr_assert_eq(action->code, after->exit_code);
            break;
        case LAZ_DO_RELEASE:
        case LAZ_DO_NOTE:
            break;
        }
    }
    bool became_done = before->state.phase != LAZ_PHASE_DONE && after->phase == LAZ_PHASE_DONE;
    cr_assert_eq(exits, became_done ? 1 : 0, "%u exits, event %d in phase %d", exits, event->type,
            before->state.phase);
    *ret_reaped = reaped;
}

/* No signal disappears: it is delivered, held, noted, or it stops the start. */
static void check_signal_kept(const struct node *before, const struct laz_event *event,
        const struct laz_state *after, const struct laz_actions *actions)
{
    if (event->type != LAZ_EVENT_SIGNAL || before->state.phase == LAZ_PHASE_DONE) {
        return;
    }
    bool kept = after->n_held > before->state.n_held;
    for (unsigned i = 0; i < actions->n; i++) {
        enum laz_action_type type = actions->items[i].type;
        kept = kept || type == LAZ_DO_DELIVER || type == LAZ_DO_NOTE || type == LAZ_DO_ABORT_START;
    }
    cr_assert(
            kept, "signal %d in phase %d left no trace", event->signal.number, before->state.phase);
}

static size_t explore(const struct laz_image *image, bool ships, bool wipes)
{
    struct reached *reached = calloc(1, sizeof(*reached));
    cr_assert_not_null(reached);
    const struct node *nodes = reached->nodes;
    struct node first;
    memset(&first, 0, sizeof(first)); /* the padding too: states are compared byte by byte */
    first.state.ships = ships;
    first.state.wipes = wipes;
    reach(reached, &first);
    bool phases[LAZ_PHASE_COUNT] = {0};
    for (size_t i = 0; i < reached->n; i++) {
        phases[nodes[i].state.phase] = true;
        for (size_t e = 0; e < N_EVENTS; e++) {
            /* impossible worlds: the image is there from FORKED on, main ends once */
            if (events[e].type == LAZ_EVENT_MAIN_EXITED && nodes[i].main_reaped) {
                continue;
            }
            struct node next = nodes[i];
            struct laz_actions actions;
            bool has_image = ships || wipes || next.state.phase > LAZ_PHASE_SETUP ||
                    events[e].type == LAZ_EVENT_FORKED;
            laz_step(&next.state, has_image ? image : NULL, &events[e], NOW, &actions);
            check_actions(&nodes[i], &events[e], &next.state, &actions, &next.main_reaped);
            check_signal_kept(&nodes[i], &events[e], &next.state, &actions);
            check_deadline(&next.state);
            cr_assert_geq(next.state.phase, nodes[i].state.phase, "a phase went back");
            if (next.state.n_held > 2 || next.state.n_stops > 4) {
                continue; /* more of the same */
            }
            reach(reached, &next);
        }
    }
    for (int p = 0; p < LAZ_PHASE_COUNT; p++) {
        bool expected = (p != LAZ_PHASE_LB_GRACE || image->lb_grace_ms > 0) &&
                (p != LAZ_PHASE_DRAINING || image->drain_ms > 0) &&
                (p != LAZ_PHASE_FLUSHING || ships || wipes);
        cr_assert_eq(phases[p], expected, "phase %d", p);
    }
    size_t n = reached->n;
    free(reached);
    return n;
}

Test(step, holds_its_invariants_in_every_reachable_state)
{
    struct laz_image plain = image_of(0, 1000);
    struct laz_image with_grace = image_of(500, 1000);
    struct laz_image no_drain = image_of(0, 0);
    no_drain.drain_ms = 0;
    for (int helpers = 0; helpers < 4; helpers++) {
        bool ships = (helpers & 1) != 0;
        bool wipes = (helpers & 2) != 0;
        cr_assert_gt(explore(&plain, ships, wipes), 50);
        cr_assert_gt(explore(&with_grace, ships, wipes), 50);
        cr_assert_gt(explore(&no_drain, ships, wipes), 30);
    }
}

/* ---- the contract, row by row ---- */

struct story {
    struct laz_image image;
    struct laz_state state;
    struct laz_actions actions;
};

static void tell(struct story *story, struct laz_event event)
{
    laz_step(&story->state, &story->image, &event, NOW, &story->actions);
}

static struct story running(void)
{
    struct story story = {.image = image_of(0, 1000)};
    tell(&story, (struct laz_event){.type = LAZ_EVENT_FORKED});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_STARTED});
    cr_assert_eq(story.state.phase, LAZ_PHASE_RUNNING);
    return story;
}

static unsigned count(const struct laz_actions *actions, enum laz_action_type type)
{
    unsigned n = 0;
    for (unsigned i = 0; i < actions->n; i++) {
        n += actions->items[i].type == type ? 1 : 0;
    }
    return n;
}

Test(step, a_stop_during_setup_ends_with_128_plus_its_number)
{
    struct laz_state state = {0};
    struct laz_actions actions;
    struct laz_event term = signal_event(SIGTERM, true);
    laz_step(&state, NULL, &term, NOW, &actions);
    cr_assert_eq(state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(state.exit_code, 143);
    cr_assert_eq(count(&actions, LAZ_DO_ABORT_START), 1);
}

Test(step, a_configured_stop_signal_held_during_setup_stops_the_start)
{
    struct laz_image image = image_of(0, 1000);
    image.signal_stop = LAZ_SIGNAL_BIT(SIGQUIT);
    struct laz_state state = {0};
    struct laz_actions actions;
    struct laz_event quit = signal_event(SIGQUIT, true);
    struct laz_event forked = {.type = LAZ_EVENT_FORKED};
    laz_step(&state, NULL, &quit, NOW, &actions);
    cr_assert_eq(state.n_held, 1);
    laz_step(&state, &image, &forked, NOW, &actions);
    cr_assert_eq(state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(state.exit_code, 128 + SIGQUIT);
}

Test(step, a_configured_stop_signal_of_nobody_who_may_stop_does_not_stop_the_start)
{
    struct laz_image image = image_of(0, 1000);
    image.signal_stop = LAZ_SIGNAL_BIT(SIGQUIT);
    struct laz_state state = {0};
    struct laz_actions actions;
    struct laz_event quit = signal_event(SIGQUIT, false);
    laz_step(&state, NULL, &quit, NOW, &actions);
    const struct laz_event forked = {.type = LAZ_EVENT_FORKED};
    laz_step(&state, &image, &forked, NOW, &actions);
    cr_assert_eq(count(&actions, LAZ_DO_ABORT_START), 0);
    cr_assert_eq(state.phase, LAZ_PHASE_STARTING);
    cr_assert_not(state.stop_requested);
}

Test(step, held_signals_are_delivered_in_order_after_exec)
{
    struct story story = {.image = image_of(0, 1000)};
    const int numbers[] = {SIGUSR1, SIGWINCH, SIGHUP, SIGUSR2, 40};
    for (size_t i = 0; i < 5; i++) {
        tell(&story, signal_event(numbers[i], false));
    }
    tell(&story, (struct laz_event){.type = LAZ_EVENT_FORKED});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_STARTED});
    cr_assert_eq(story.actions.n, 5);
    cr_assert_eq(story.actions.items[0].signal.number, SIGUSR1);
    cr_assert_eq(story.actions.items[1].signal.number, SIGWINCH);
    cr_assert_eq(story.actions.items[2].type, LAZ_DO_NOTE, "HUP is mapped to nothing");
    cr_assert_eq(story.actions.items[3].signal.number, SIGQUIT, "USR2 is mapped to QUIT");
    cr_assert(story.actions.items[3].group);
    cr_assert_eq(story.actions.items[4].signal.number, 40);
}

/* signals.guard and signals.group name the signals that reach init, not what they are mapped to. */
Test(step, guards_and_groups_by_the_number_that_came)
{
    struct story story = running();
    story.image.signal_guard = LAZ_SIGNAL_BIT(SIGUSR2);
    tell(&story, signal_event(SIGUSR2, false));
    cr_assert_eq(story.actions.n, 1);
    cr_assert_eq(story.actions.items[0].signal.number, SIGQUIT);
    cr_assert(story.actions.items[0].guard && story.actions.items[0].group);
    story.image.signal_guard = story.image.signal_group = LAZ_SIGNAL_BIT(SIGQUIT);
    tell(&story, signal_event(SIGUSR2, false));
    cr_assert(!story.actions.items[0].guard && !story.actions.items[0].group);
}

/* ---- with a helper that keeps the trail ---- */

Test(step, the_end_waits_for_the_trail_and_keeps_its_code)
{
    struct story story = running();
    story.state.ships = true;
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = exit_status(3)});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    cr_assert_eq(story.state.phase, LAZ_PHASE_FLUSHING);
    cr_assert_eq(count(&story.actions, LAZ_DO_FLUSH), 1);
    cr_assert_eq(count(&story.actions, LAZ_DO_EXIT), 0);
    cr_assert_eq(story.state.deadline_ns, NOW + UINT64_C(2000) * 1000000);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_FLUSHED});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(story.actions.items[0].code, 3);
}

Test(step, a_trail_that_is_not_delivered_in_time_does_not_hold_the_end)
{
    struct story story = running();
    story.state.ships = true;
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = exit_status(3)});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(story.state.exit_code, 3);
}

/* Until the secrets are removed. */
Test(step, the_end_waits_for_files_to_be_wiped_and_not_for_long)
{
    struct story story = running();
    story.state.wipes = true;
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = exit_status(3)});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    cr_assert_eq(story.state.phase, LAZ_PHASE_FLUSHING);
    cr_assert_eq(count(&story.actions, LAZ_DO_FLUSH), 1);
    cr_assert_eq(story.state.deadline_ns, NOW + LAZ_WIPE_WAIT_MS * UINT64_C(1000000));
    static struct story silent; /* two of them are too much for one frame */
    silent = story;
    tell(&silent, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    cr_assert_eq(silent.state.phase, LAZ_PHASE_DONE);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_FLUSHED});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(story.actions.items[0].code, 3);
}

Test(step, a_lost_trail_does_not_keep_files_from_being_wiped)
{
    struct story story = running();
    story.state.ships = story.state.wipes = true;
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = exit_status(3)});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    cr_assert_eq(story.state.deadline_ns, NOW + UINT64_C(2000) * 1000000);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_AUDIT_LOST});
    cr_assert_eq(story.state.phase, LAZ_PHASE_FLUSHING);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_FLUSHED});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(story.state.exit_code, 3);
}

Test(step, a_workload_that_nobody_records_is_stopped_with_106)
{
    struct story story = running();
    story.state.ships = true;
    tell(&story, (struct laz_event){.type = LAZ_EVENT_AUDIT_LOST});
    cr_assert_eq(story.state.phase, LAZ_PHASE_KILLING);
    cr_assert_eq(count(&story.actions, LAZ_DO_KILL_MAIN), 1);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = SIGKILL});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(story.state.exit_code, 106);
}

Test(step, holds_64_signals_and_says_so_when_there_are_more)
{
    struct story story = {.image = image_of(0, 1000)};
    for (int i = 0; i < LAZ_HELD_MAX; i++) {
        tell(&story, signal_event(SIGUSR1, false));
        cr_assert_eq(story.actions.n, 0);
    }
    tell(&story, signal_event(SIGUSR1, false));
    cr_assert_eq(story.actions.n, 1);
    cr_assert_eq(story.actions.items[0].note, LAZ_NOTE_HELD_OVERFLOW);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_FORKED});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_STARTED});
    cr_assert_eq(count(&story.actions, LAZ_DO_DELIVER), LAZ_HELD_MAX);
}

Test(step, a_stop_signal_from_inside_is_noted_and_not_forwarded)
{
    struct story story = running();
    tell(&story, signal_event(SIGTERM, false));
    cr_assert_eq(story.actions.n, 1);
    cr_assert_eq(story.actions.items[0].note, LAZ_NOTE_STOP_REFUSED);
    cr_assert_eq(story.state.phase, LAZ_PHASE_RUNNING);
}

Test(step, the_third_stop_signal_kills)
{
    struct story story = running();
    tell(&story, signal_event(SIGTERM, true));
    cr_assert_eq(count(&story.actions, LAZ_DO_DELIVER), 1);
    tell(&story, signal_event(SIGTERM, true));
    cr_assert_eq(count(&story.actions, LAZ_DO_DELIVER), 1, "the second is forwarded too");
    tell(&story, signal_event(SIGTERM, true));
    cr_assert_eq(count(&story.actions, LAZ_DO_KILL_MAIN), 1);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = SIGKILL});
    cr_assert_eq(story.state.exit_code, 137);
}

Test(step, the_grace_ends_with_sigkill_and_exit_137_unmapped)
{
    struct story story = running();
    story.image.exit_map[0] = (struct laz_image_exit){.from = 137, .to = 0};
    tell(&story, signal_event(SIGTERM, true));
    cr_assert_eq(story.state.deadline_ns, NOW + UINT64_C(2000000000));
    tell(&story, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    cr_assert_eq(count(&story.actions, LAZ_DO_KILL_MAIN), 1);
    cr_assert_eq(count(&story.actions, LAZ_DO_RELEASE), 1);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = SIGKILL});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    cr_assert_eq(story.state.exit_code, 137);
}

Test(step, lb_grace_delays_the_stop_signal_and_a_second_one_ends_it)
{
    struct story story = running();
    story.image.lb_grace_ms = 500;
    tell(&story, signal_event(SIGTERM, true));
    cr_assert_eq(story.state.phase, LAZ_PHASE_LB_GRACE);
    cr_assert_eq(count(&story.actions, LAZ_DO_DELIVER), 0);
    tell(&story, signal_event(SIGTERM, true));
    cr_assert_eq(story.state.phase, LAZ_PHASE_STOPPING);
    cr_assert_eq(count(&story.actions, LAZ_DO_DELIVER), 1);
}

Test(step, the_exit_map_holds_only_under_its_condition)
{
    struct story asked = running();
    tell(&asked, signal_event(SIGTERM, true));
    tell(&asked, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = SIGTERM});
    cr_assert_eq(asked.state.exit_code, 0, "143 after a stop request is mapped");
}

Test(step, the_exit_map_does_not_hold_without_its_condition)
{
    struct story unasked = running();
    tell(&unasked, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = SIGTERM});
    cr_assert_eq(unasked.state.exit_code, 143, "143 without one is not");
}

Test(step, strays_are_signalled_before_main_is_reaped_and_killed_after_the_drain)
{
    struct story story = running();
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = exit_status(42)});
    cr_assert_eq(story.actions.n, 3);
    cr_assert_eq(story.actions.items[0].type, LAZ_DO_RELEASE);
    cr_assert_eq(story.actions.items[1].type, LAZ_DO_TERM_OTHERS);
    cr_assert_eq(story.actions.items[2].type, LAZ_DO_REAP_MAIN);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    cr_assert_eq(count(&story.actions, LAZ_DO_KILL_OTHERS), 1);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE, "it ends, whoever is left");
    cr_assert_eq(story.state.exit_code, 42);
}

Test(step, every_status_becomes_its_code)
{
    for (int code = 0; code < 256; code++) {
        cr_assert_eq(laz_step_code_of_status(exit_status(code)), code);
    }
    for (int s = 1; s <= LAZ_SIGNAL_MAX; s++) {
        cr_assert_eq(laz_step_code_of_status(s), 128 + s);
        cr_assert_eq(laz_step_code_of_status(s | 0x80), 128 + s, "with a core");
    }
}

Test(step, a_stale_secret_stops_as_a_stop_signal_would_with_103)
{
    struct story story = running();
    tell(&story, (struct laz_event){.type = LAZ_EVENT_SECRET_STALE});
    cr_assert_eq(story.state.phase, LAZ_PHASE_STOPPING);
    cr_expect_eq(count(&story.actions, LAZ_DO_DELIVER), 1, "it has its time");
    cr_expect_eq(count(&story.actions, LAZ_DO_KILL_MAIN), 0);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = exit_status(0)});
    cr_expect_eq(story.state.exit_code, 103);
}

Test(step, a_stale_secret_stops_with_the_signal_that_the_policy_stops_with)
{
    static const struct {
        const char *name;
        uint64_t stop;
        int dropped;
        int wanted; /* 0: none is left */
    } rows[] = {
            {"TERM of several", LAZ_SIGNAL_BIT(SIGTERM) | LAZ_SIGNAL_BIT(SIGINT), 0, SIGTERM},
            {"TERM is dropped", LAZ_SIGNAL_BIT(SIGTERM) | LAZ_SIGNAL_BIT(SIGQUIT), SIGTERM,
                    SIGQUIT},
            {"TERM is none", LAZ_SIGNAL_BIT(SIGHUP) | LAZ_SIGNAL_BIT(SIGUSR1), 0, SIGUSR1},
            {"all are dropped", LAZ_SIGNAL_BIT(SIGTERM), SIGTERM, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct story story = running();
        story.image.signal_stop = rows[i].stop;
        story.image.signal_map[rows[i].dropped] = 0;
        tell(&story, (struct laz_event){.type = LAZ_EVENT_SECRET_STALE});
        cr_expect_eq(
                count(&story.actions, LAZ_DO_DELIVER), rows[i].wanted != 0, "%s", rows[i].name);
        for (size_t n = 0; n < story.actions.n; n++) {
            cr_expect(story.actions.items[n].type != LAZ_DO_DELIVER ||
                            story.actions.items[n].signal.number == rows[i].wanted,
                    "%s", rows[i].name);
        }
    }
}

Test(step, too_many_refused_calls_kill_with_105)
{
    struct story story = running();
    tell(&story, (struct laz_event){.type = LAZ_EVENT_KILL_AFTER});
    cr_assert_eq(count(&story.actions, LAZ_DO_KILL_MAIN), 1);
    tell(&story, (struct laz_event){.type = LAZ_EVENT_MAIN_EXITED, .status = SIGKILL});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_EMPTY});
    cr_assert_eq(story.state.exit_code, 105);
}

Test(step, ends_even_if_main_cannot_be_killed)
{
    struct story story = running();
    tell(&story, signal_event(SIGTERM, true));
    tell(&story, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    tell(&story, (struct laz_event){.type = LAZ_EVENT_TIMEOUT});
    cr_assert_eq(story.state.phase, LAZ_PHASE_DONE);
    cr_assert_eq(story.state.exit_code, 137);
}
