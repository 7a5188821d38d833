/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine of PID 1: the contract of docs/reference/pid1-contract.md, as code without side
 * effects.
 */
#include "init/pid1/step.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "core/deadline.h"

static struct laz_do *add(struct laz_actions *actions, enum laz_action_type type)
{
    /* Full cannot happen: the longest list is a flush of LAZ_HELD_MAX signals and two more. */
    unsigned i = actions->n < LAZ_ACTIONS_MAX ? actions->n++ : LAZ_ACTIONS_MAX - 1;
    actions->items[i] = (struct laz_do){.type = type};
    return &actions->items[i];
}

static void note(struct laz_actions *actions, enum laz_note what, const struct laz_signal *signal)
{
    struct laz_do *action = add(actions, LAZ_DO_NOTE);
    action->note = what;
    action->signal = *signal;
}

static void set_deadline(struct laz_state *state, uint64_t now_ns, uint32_t after_ms)
{
    state->deadline_ns = now_ns + after_ms * LAZ_NS_PER_MS;
}

static void leave(struct laz_state *state, struct laz_actions *actions)
{
    state->phase = LAZ_PHASE_DONE;
    state->deadline_ns = 0;
    add(actions, LAZ_DO_EXIT)->code = state->exit_code;
}

static void finish(struct laz_state *state, const struct laz_image *image, int code,
        uint64_t now_ns, struct laz_actions *actions)
{
    state->exit_code = code;
    if (!state->ships && !state->wipes) {
        leave(state, actions);
        return;
    }
    uint32_t flush_ms = state->ships ? image->flush_ms : 0;
    uint32_t wipe_ms = state->wipes ? LAZ_WIPE_WAIT_MS : 0;
    state->phase = LAZ_PHASE_FLUSHING;
    set_deadline(state, now_ns, flush_ms > wipe_ms ? flush_ms : wipe_ms);
    add(actions, LAZ_DO_FLUSH)->code = code;
}

static bool has_signal(uint64_t set, int signal_number)
{
    return (set & LAZ_SIGNAL_BIT(signal_number)) != 0;
}

static bool is_stop(const struct laz_image *image, int signal_number)
{
    if (image == NULL) {
        return signal_number == SIGTERM || signal_number == SIGINT;
    }
    return has_signal(image->signal_stop, signal_number);
}

static void deliver(
        const struct laz_image *image, struct laz_actions *actions, const struct laz_signal *signal)
{
    int mapped = image->signal_map[signal->number];
    if (mapped == 0) {
        note(actions, LAZ_NOTE_DROPPED, signal);
        return;
    }
    struct laz_do *action = add(actions, LAZ_DO_DELIVER);
    action->signal = *signal;
    action->signal.number = mapped;
    action->group = has_signal(image->signal_group, signal->number);
    action->guard = has_signal(image->signal_guard, signal->number);
}

static void force(struct laz_state *state, const struct laz_signal *cause, uint64_t now_ns,
        struct laz_actions *actions)
{
    state->forced = true;
    state->phase = LAZ_PHASE_KILLING;
    set_deadline(state, now_ns, LAZ_KILL_WAIT_MS);
    note(actions, LAZ_NOTE_FORCED, cause);
    add(actions, LAZ_DO_KILL_MAIN);
    add(actions, LAZ_DO_RELEASE);
}

static void forward_stop(struct laz_state *state, const struct laz_image *image,
        const struct laz_signal *signal, uint64_t now_ns, struct laz_actions *actions)
{
    state->phase = LAZ_PHASE_STOPPING;
    set_deadline(state, now_ns, image->grace_ms);
    add(actions, LAZ_DO_RELEASE);
    deliver(image, actions, signal);
}

static void kill_strays(struct laz_state *state, uint64_t now_ns, struct laz_actions *actions)
{
    state->phase = LAZ_PHASE_DRAIN_KILLED;
    set_deadline(state, now_ns, LAZ_STRAY_WAIT_MS);
    add(actions, LAZ_DO_KILL_OTHERS);
}

static void on_stop_signal(struct laz_state *state, const struct laz_image *image,
        const struct laz_signal *signal, uint64_t now_ns, struct laz_actions *actions)
{
    if (!signal->is_trusted) {
        note(actions, LAZ_NOTE_STOP_REFUSED, signal);
        return;
    }
    if (!state->stop_requested) {
        state->stop_requested = true;
        state->stop = *signal;
    }
    state->n_stops++;
    note(actions, LAZ_NOTE_STOP_REQUESTED, signal);
    switch (state->phase) {
    case LAZ_PHASE_SETUP:
    case LAZ_PHASE_STARTING:
        add(actions, LAZ_DO_ABORT_START);
        finish(state, image, 128 + signal->number, now_ns, actions);
        break;
    case LAZ_PHASE_RUNNING:
        if (image->lb_grace_ms > 0) {
            state->phase = LAZ_PHASE_LB_GRACE;
            set_deadline(state, now_ns, image->lb_grace_ms);
        } else {
            forward_stop(state, image, signal, now_ns, actions);
        }
        break;
    case LAZ_PHASE_LB_GRACE:
        forward_stop(state, image, signal, now_ns, actions);
        break;
    case LAZ_PHASE_STOPPING:
        if (state->n_stops >= LAZ_STOPS_TO_KILL) {
            force(state, signal, now_ns, actions);
        } else {
            deliver(image, actions, signal);
        }
        break;
    case LAZ_PHASE_DRAINING:
        if (state->n_stops >= LAZ_STOPS_TO_KILL) {
            kill_strays(state, now_ns, actions);
        }
        break;
    case LAZ_PHASE_KILLING:
    case LAZ_PHASE_DRAIN_KILLED:
    case LAZ_PHASE_FLUSHING:
    case LAZ_PHASE_DONE:
    case LAZ_PHASE_COUNT:
        break; /* nothing stronger is left */
    }
}

static void on_other_signal(struct laz_state *state, const struct laz_image *image,
        const struct laz_signal *signal, struct laz_actions *actions)
{
    if (state->phase < LAZ_PHASE_RUNNING) {
        if (state->n_held == LAZ_HELD_MAX) {
            note(actions, LAZ_NOTE_HELD_OVERFLOW, signal);
            return;
        }
        state->held[state->n_held++] = *signal;
        return;
    }
    if (state->phase >= LAZ_PHASE_DRAINING) {
        note(actions, LAZ_NOTE_DROPPED, signal);
        return;
    }
    deliver(image, actions, signal);
}

/* Now that the policy is known, a held signal may turn out to be a stop request: then nothing
 * starts. */
static void on_forked(struct laz_state *state, const struct laz_image *image, uint64_t now_ns,
        struct laz_actions *actions)
{
    if (state->phase != LAZ_PHASE_SETUP) {
        return;
    }
    state->phase = LAZ_PHASE_STARTING;
    for (unsigned i = 0; i < state->n_held && state->phase == LAZ_PHASE_STARTING; i++) {
        if (is_stop(image, state->held[i].number) && state->held[i].is_trusted) {
            on_stop_signal(state, image, &state->held[i], now_ns, actions);
        }
    }
}

static void on_started(
        struct laz_state *state, const struct laz_image *image, struct laz_actions *actions)
{
    if (state->phase != LAZ_PHASE_STARTING) {
        return;
    }
    state->phase = LAZ_PHASE_RUNNING;
    state->deadline_ns = 0;
    for (unsigned i = 0; i < state->n_held; i++) {
        deliver(image, actions, &state->held[i]);
    }
    state->n_held = 0;
}

int laz_step_code_of_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* exit.map of the policy. What we forced stays what it is. */
static int map_code(const struct laz_state *state, const struct laz_image *image, int code)
{
    if (state->forced_code != 0) {
        return state->forced_code;
    }
    for (uint32_t i = 0; i < image->n_exit_map && !state->forced; i++) {
        const struct laz_image_exit *entry = &image->exit_map[i];
        if (entry->from == code && (state->stop_requested || !entry->only_if_stop_requested)) {
            return entry->to;
        }
    }
    return code;
}

static void on_main_exited(struct laz_state *state, const struct laz_image *image, int status,
        uint64_t now_ns, struct laz_actions *actions)
{
    if (state->phase < LAZ_PHASE_STARTING || state->phase >= LAZ_PHASE_DRAINING) {
        return;
    }
    state->exit_code = map_code(state, image, laz_step_code_of_status(status));
    state->phase = LAZ_PHASE_DRAINING;
    set_deadline(state, now_ns, image->drain_ms);
    add(actions, LAZ_DO_RELEASE);
    /* Until main is reaped its pid and group cannot be anybody else's: signal first, reap then.
     * Where init is PID 1 the driver may turn that round, because it signals nobody by number. */
    add(actions, LAZ_DO_TERM_OTHERS);
    if (image->drain_ms == 0) {
        kill_strays(state, now_ns, actions);
    }
    add(actions, LAZ_DO_REAP_MAIN);
}

static void on_timeout(struct laz_state *state, const struct laz_image *image, uint64_t now_ns,
        struct laz_actions *actions)
{
    switch (state->phase) {
    case LAZ_PHASE_LB_GRACE:
        forward_stop(state, image, &state->stop, now_ns, actions);
        break;
    case LAZ_PHASE_STOPPING:
        force(state, &state->stop, now_ns, actions);
        break;
    case LAZ_PHASE_KILLING:
        finish(state, image, state->forced_code != 0 ? state->forced_code : 128 + SIGKILL, now_ns,
                actions);
        break;
    case LAZ_PHASE_DRAINING:
        kill_strays(state, now_ns, actions);
        break;
    case LAZ_PHASE_DRAIN_KILLED:
        finish(state, image, state->exit_code, now_ns, actions);
        break;
    case LAZ_PHASE_FLUSHING:
        leave(state, actions);
        break;
    case LAZ_PHASE_SETUP:
    case LAZ_PHASE_STARTING: /* the driver knows which step is late and says START_FAILED */
    case LAZ_PHASE_RUNNING:
    case LAZ_PHASE_DONE:
    case LAZ_PHASE_COUNT:
        state->deadline_ns = 0;
        break;
    }
}

static void end_by_policy(struct laz_state *state, enum laz_err_kind why, uint64_t now_ns,
        struct laz_actions *actions)
{
    if (state->phase < LAZ_PHASE_RUNNING || state->phase >= LAZ_PHASE_KILLING) {
        return;
    }
    const struct laz_signal nobody = {.number = SIGKILL};
    state->forced_code = laz_err_exit_code(why);
    force(state, &nobody, now_ns, actions);
}

/* What the policy stops the workload with: TERM, or else the first that it lets through. */
static int own_stop(const struct laz_image *image)
{
    int found = SIGTERM;
    for (int number = LAZ_SIGNAL_MAX; number > 0; number--) {
        bool is_one = is_stop(image, number) && image->signal_map[number] != 0;
        found = is_one ? number : found;
    }
    bool has_term = is_stop(image, SIGTERM) && image->signal_map[SIGTERM] != 0;
    return has_term ? SIGTERM : found;
}

/* Nobody has done anything wrong: as a stop that was asked for, but without the time that is for
 * the load balancer, and with a code of its own. */
static void stop_by_policy(struct laz_state *state, const struct laz_image *image,
        enum laz_err_kind why, uint64_t now_ns, struct laz_actions *actions)
{
    if (state->phase != LAZ_PHASE_RUNNING && state->phase != LAZ_PHASE_LB_GRACE) {
        return;
    }
    const struct laz_signal stop = {.number = own_stop(image)};
    state->forced_code = laz_err_exit_code(why);
    forward_stop(state, image, state->stop_requested ? &state->stop : &stop, now_ns, actions);
}

/* What nobody records is not allowed to go on. Before the start, the driver says START_FAILED. */
static void on_audit_lost(struct laz_state *state, uint64_t now_ns, struct laz_actions *actions)
{
    state->ships = false;
    if (state->phase == LAZ_PHASE_FLUSHING && !state->wipes) {
        leave(state, actions);
    } else if (state->phase != LAZ_PHASE_FLUSHING) {
        end_by_policy(state, LAZ_E_AUDIT, now_ns, actions);
    }
}

void laz_step(struct laz_state *state, const struct laz_image *image, const struct laz_event *event,
        uint64_t now_ns, struct laz_actions *ret)
{
    ret->n = 0;
    if (state->phase >= LAZ_PHASE_DONE) {
        return;
    }
    switch (event->type) {
    case LAZ_EVENT_SIGNAL:
        if (event->signal.number < 1 || event->signal.number > LAZ_SIGNAL_MAX) {
            break;
        }
        if (is_stop(image, event->signal.number)) {
            on_stop_signal(state, image, &event->signal, now_ns, ret);
        } else {
            on_other_signal(state, image, &event->signal, ret);
        }
        break;
    case LAZ_EVENT_FORKED:
        on_forked(state, image, now_ns, ret);
        break;
    case LAZ_EVENT_STARTED:
        on_started(state, image, ret);
        break;
    case LAZ_EVENT_START_FAILED:
        if (state->phase < LAZ_PHASE_KILLING) { /* RUNNING and later: execve itself failed */
            add(ret, LAZ_DO_ABORT_START);
            finish(state, image, event->code, now_ns, ret);
        }
        break;
    case LAZ_EVENT_MAIN_EXITED:
        on_main_exited(state, image, event->status, now_ns, ret);
        break;
    case LAZ_EVENT_EMPTY:
        if (state->phase == LAZ_PHASE_DRAINING || state->phase == LAZ_PHASE_DRAIN_KILLED) {
            finish(state, image, state->exit_code, now_ns, ret);
        }
        break;
    case LAZ_EVENT_TIMEOUT:
        on_timeout(state, image, now_ns, ret);
        break;
    case LAZ_EVENT_KILL_AFTER:
        end_by_policy(state, LAZ_E_KILLED_BY_POLICY, now_ns, ret);
        break;
    case LAZ_EVENT_SENSE_LOST:
        end_by_policy(state, LAZ_E_SENSE, now_ns, ret);
        break;
    case LAZ_EVENT_SECRET_STALE:
        stop_by_policy(state, image, LAZ_E_SECRET, now_ns, ret);
        break;
    case LAZ_EVENT_DRAINED:
        if (state->phase == LAZ_PHASE_LB_GRACE) {
            forward_stop(state, image, &state->stop, now_ns, ret);
        }
        break;
    case LAZ_EVENT_START_OVERDUE:
        if (!state->stop_requested) {
            stop_by_policy(state, image, LAZ_E_HEALTH, now_ns, ret);
        }
        break;
    case LAZ_EVENT_FLUSHED:
        if (state->phase == LAZ_PHASE_FLUSHING) {
            leave(state, ret);
        }
        break;
    case LAZ_EVENT_AUDIT_LOST:
        on_audit_lost(state, now_ns, ret);
        break;
    case LAZ_EVENT_COUNT:
        break;
    }
}
