/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's loop. It turns signals, children, refused calls and deadlines into events for step.c and
 * carries out what comes back. It may not exit but by LAZ_DO_EXIT, block but in ppoll, or allocate.
 * libc only.
 */
#include "init/pid1/pid1.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "confine/sys.h"
#include "core/deadline.h"
#include "core/fd.h"
#include "core/format.h"

#define SAID_MAX       1536    /* a message, its name and its remedy */
#define SIGNAL_POLL_MS 20      /* where signalfd is missing */
#define GATE_POLL_NS   1000000 /* after the first millisecond */
/* With a deadline: a call that was frozen with its control group goes on with what was left of its
 * time then, and not of the deadline's. */
#define FROZEN_POLL_NS 250000000

/* With the exit code, where it is this error's. */
static void say(int fd, const struct laz_err *err, int code)
{
    char text[SAID_MAX];
    char exits[16] = "";
    if (laz_err_exit_code(err->kind) == code) {
        (void)laz_format(exits, sizeof(exits), " (exit %d)", code);
    }
    int n = laz_format(text, sizeof(text),
            "lazaret-init: error: %s: %s\nlazaret-init: remedy: %s%s\n", laz_err_name(err->kind),
            err->message, laz_err_remedy(err->kind), exits);
    struct laz_err ignored = {0};
    struct pollfd world = {.fd = fd, .events = POLLOUT};
    bool may_block = poll(&world, 1, 0) != 1 || (world.revents & POLLOUT) == 0;
    if (n > 0 && !may_block) { /* nobody reads: our end must not wait for that */
        size_t length = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
        laz_ignore(laz_fd_write_all(fd, text, length, &ignored)); /* nowhere else to say it */
    }
}

/* ---- actions ---- */

/* Does the workload handle this signal? Unreadable: assume so. */
static bool is_handled(const struct laz_pid1 *pid1, int signal_number)
{
    struct laz_process_state state;
    struct laz_err ignored = {0};
    if (laz_attest_read(pid1->workload.pid, &state, &ignored) < 0) {
        return true;
    }
    return (state.sig_catch >> (signal_number - 1) & 1) != 0;
}

static int send_signal(pid_t pid, const struct laz_signal *signal)
{
    if (signal->code >= 0 || signal->code == SI_TKILL || pid < 0) {
        return kill(pid, signal->number);
    }
    siginfo_t info = {0};
    info.si_signo = signal->number;
    info.si_code = signal->code; /* SI_QUEUE: the payload belongs to it */
    info.si_pid = signal->pid;
    info.si_uid = signal->uid;
    info.si_value.sival_ptr =
            (void *)(intptr_t)signal->value; /* NOLINT(performance-no-int-to-ptr) */
    return (int)syscall(SYS_rt_sigqueueinfo, pid, signal->number, &info);
}

static void tell_signal(struct laz_pid1 *pid1, const struct laz_signal *signal, const char *ev,
        int severity, const char *act)
{
    const struct laz_signal_note note = {
            .ev = ev,
            .act = act,
            .severity = severity,
            .number = signal->number,
            .sender = signal->pid,
            .sender_uid = signal->uid,
    };
    laz_trail_signal(&pid1->trail, &note);
}

static void do_deliver(struct laz_pid1 *pid1, const struct laz_do *action)
{
    const struct laz_signal *signal = &action->signal;
    if (pid1->main_exited || pid1->workload.pid <= 0) {
        return;
    }
    if (action->guard && !is_handled(pid1, signal->number)) {
        tell_signal(pid1, signal, "signal.drop", 2, "guarded");
        return;
    }
    pid_t target = action->group ? -pid1->workload.pid : pid1->workload.pid;
    pid1->n_signals++;
    if (send_signal(target, signal) < 0) {
        tell_signal(pid1, signal, "signal.undelivered", 6, laz_err_errno_name(errno));
    }
}

static void do_note(struct laz_pid1 *pid1, const struct laz_do *action)
{
    static const struct {
        char ev[16];
        char act[12];
        int severity;
    } notes[] = {
            [LAZ_NOTE_STOP_REQUESTED] = {"stop.request", "accepted", 1},
            [LAZ_NOTE_STOP_REFUSED] = {"stop.request", "refused", 5},
            [LAZ_NOTE_DROPPED] = {"signal.drop", "dropped", 1},
            [LAZ_NOTE_HELD_OVERFLOW] = {"signal.drop", "overflow", 4},
            [LAZ_NOTE_FORCED] = {"stop.forced", "SIGKILL", 4},
    };
    tell_signal(pid1, &action->signal, notes[action->note].ev, notes[action->note].severity,
            notes[action->note].act);
}

/* The group, and the workload itself in case it has left it. */
static void do_kill_main(struct laz_pid1 *pid1)
{
    if (pid1->main_exited) {
        return;
    }
    (void)kill(-pid1->workload.pid, SIGKILL);
    if (kill(pid1->workload.pid, SIGKILL) < 0) {
        const struct laz_signal killed = {.number = SIGKILL};
        tell_signal(pid1, &killed, "signal.undelivered", 8, laz_err_errno_name(errno));
    }
}

static void do_abort_start(struct laz_pid1 *pid1)
{
    pid_t pids[] = {pid1->setup_pid, pid1->main_exited ? 0 : pid1->workload.pid};
    for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
        if (pids[i] > 0) {
            (void)kill(pids[i], SIGKILL);
            (void)wait4(pids[i], NULL, 0, NULL); /* killable even while it waits for an answer */
        }
    }
    laz_helpers_abort(&pid1->helpers);
}

/* `lost`: the helper without which the run does not go on, or NULL. */
static const char *why_it_ends(const struct laz_pid1 *pid1, const struct laz_helper *lost)
{
    const struct laz_state *state = &pid1->state;
    if (lost != NULL) {
        return lost == &pid1->helpers.ship ? "audit-lost" : "sense-lost";
    }
    if (state->forced_code == laz_err_exit_code(LAZ_E_SECRET)) {
        return "secret-stale";
    }
    if (state->forced_code == laz_err_exit_code(LAZ_E_HEALTH)) {
        return "start-overdue";
    }
    if (state->forced_code != 0) {
        return "flood.kill-after";
    }
    return state->forced ? "forced" : state->stop_requested ? "stop-request" : "workload-exit";
}

/* Once: what ended it, and how much there was. */
static void tell_end(struct laz_pid1 *pid1, int code)
{
    if (pid1->end_told) {
        return;
    }
    pid1->end_told = true;
    if (pid1->refusal.kind != LAZ_E_NONE) {
        say(pid1->said_fd, &pid1->refusal, code);
        laz_trail_refusal(&pid1->trail, &pid1->refusal, code);
        return;
    }
    const struct laz_helper *lost = laz_helpers_lost(&pid1->helpers);
    if (lost != NULL) {
        say(pid1->said_fd, &lost->err, code);
    }
    bool is_overdue = pid1->state.forced_code == laz_err_exit_code(LAZ_E_HEALTH);
    if (is_overdue) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, LAZ_E_HEALTH, 0,
                "the workload has not started up within health.startup.deadline: %s",
                pid1->helpers.watch.overdue);
        say(pid1->said_fd, &err, code);
    }
    pid1->totals.denied = pid1->listener.denied;
    pid1->totals.held = pid1->listener.held_ever;
    laz_listener_finish(&pid1->listener, &pid1->trail);
    laz_trail_stop(&pid1->trail, code, why_it_ends(pid1, lost), &pid1->totals);
}

/* -1 where the policy has no such helper, or there are none yet. */
static int chan_of(struct laz_pid1 *pid1, enum laz_role role)
{
    const struct laz_helper *helper = laz_helpers_of(&pid1->helpers, role);
    return helper == NULL ? -1 : helper->chan;
}

static void do_exit(struct laz_pid1 *pid1, int code)
{
    pid1->done = true;
    pid1->exit_code = code;
    tell_end(pid1, code);
    const struct laz_helper *ship = &pid1->helpers.ship;
    int health_chan = chan_of(pid1, LAZ_ROLE_HEALTH);
    if (health_chan >= 0) {
        laz_ignore(laz_helper_say_only(health_chan, LAZ_MESSAGE_LEAVE));
    }
    bool is_said = ship->is_lost && !ship->was_ever_ready; /* there is no trail, nor a spool */
    if (pid1->helpers.is_finishing && !is_said && (!ship->is_flushed || ship->undelivered > 0)) {
        struct laz_err err = {0};
        (void)laz_err_set(&err, LAZ_E_SINK, 0,
                "%s within shutdown.flush; what is missing is in the spool%s%s",
                ship->is_flushed ? "some sink has not acknowledged everything"
                                 : "the trail was not closed",
                ship->trouble[0] == '\0' ? "" : ": ", ship->trouble);
        say(pid1->said_fd, &err, code);
    }
}

/* If the terminal is ours, it becomes the workload's: ^C then reaches it once, and from the kernel.
 * All signals are blocked, so SIGTTOU cannot stop us. */
void laz_pid1_hand_terminal(struct laz_pid1 *pid1, pid_t group)
{
    pid_t foreground = -1;
    if (laz_sys_ioctl(pid1->terminal_fd, TIOCGPGRP, &foreground) < 0) {
        return; /* not a terminal, or not our controlling one */
    }
    bool ours = foreground == getpgrp() || foreground == pid1->workload.pid;
    if (ours && laz_sys_ioctl(pid1->terminal_fd, TIOCSPGRP, &group) < 0) {
        pid1->degraded |= LAZ_DEGRADED_BIT(TERMINAL);
    }
}

static void do_action(struct laz_pid1 *pid1, const struct laz_do *action)
{
    switch (action->type) {
    case LAZ_DO_DELIVER:
        do_deliver(pid1, action);
        break;
    case LAZ_DO_ABORT_START:
        do_abort_start(pid1);
        break;
    case LAZ_DO_KILL_MAIN:
        do_kill_main(pid1);
        break;
    case LAZ_DO_TERM_OTHERS:
        laz_pid1_ask_others(pid1);
        break;
    case LAZ_DO_KILL_OTHERS:
        laz_pid1_kill_others(pid1);
        break;
    case LAZ_DO_REAP_MAIN:
        laz_pid1_hand_terminal(pid1, getpgrp());
        laz_pid1_reap_main(pid1);
        break;
    case LAZ_DO_RELEASE:
        laz_listener_release(&pid1->listener);
        break;
    case LAZ_DO_NOTE:
        do_note(pid1, action);
        break;
    case LAZ_DO_FLUSH:
        tell_end(pid1, action->code);
        laz_helpers_finish(&pid1->helpers, action->code, laz_pid1_now_ns());
        break;
    case LAZ_DO_EXIT:
        do_exit(pid1, action->code);
        break;
    }
}

/* First of all: who sends requests here is to hear of it before the workload does. */
static void on_phase(
        struct laz_pid1 *pid1, enum laz_phase before, enum laz_event_type why, uint64_t now_ns)
{
    if (pid1->stop_ns == 0 && pid1->state.stop_requested) {
        pid1->stop_ns = now_ns;
    }
    laz_pid1_tell_health(pid1);
    if (before == LAZ_PHASE_LB_GRACE) {
        laz_pid1_drain_ended(pid1, why, now_ns);
    }
}

void laz_pid1_event(struct laz_pid1 *pid1, const struct laz_event *event, uint64_t now_ns)
{
    struct laz_actions actions;
    enum laz_phase before = pid1->state.phase;
    laz_step(&pid1->state, pid1->has_image ? &pid1->image : NULL, event, now_ns, &actions);
    if (pid1->has_image && pid1->image.watches && pid1->state.phase != before) {
        on_phase(pid1, before, event->type, now_ns);
    }
    for (unsigned i = 0; i < actions.n; i++) {
        do_action(pid1, &actions.items[i]);
    }
}

/* ---- signals ---- */

/* Who may stop us: somebody outside the PID namespace, whose pid shows as 0, the kernel, and, where
 * we are not PID 1, our parent. Only kill, tgkill and the kernel's own signals count:
 * rt_sigqueueinfo lets anybody write any si_pid under a negative code, and F_SETSIG lets a process
 * of our user have the kernel send us a chosen signal with a code of poll(2) and no pid at all. */
static bool may_stop(const struct laz_pid1 *pid1, const struct laz_signal *signal)
{
    bool counts = signal->code == SI_USER || signal->code == SI_TKILL || signal->code == SI_KERNEL;
    return counts && (signal->pid == 0 || (!pid1->is_pid1 && signal->pid == pid1->parent));
}

static void on_signal(struct laz_pid1 *pid1, const struct laz_signal *received, uint64_t now_ns)
{
    bool about_child = received->number == SIGCHLD && received->code > 0;
    bool own_pipe = received->number == SIGPIPE && received->pid == pid1->workload.probe.pid;
    if (about_child || own_pipe || pid1->done) {
        return;
    }
    struct laz_event event = {.type = LAZ_EVENT_SIGNAL, .signal = *received};
    event.signal.is_trusted = may_stop(pid1, received);
    laz_pid1_event(pid1, &event, now_ns);
}

/* At most LAZ_HELD_MAX; it can still be read if there are more. Who sends them without end holds up
 * nothing else. */
static void turn_signalfd(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct signalfd_siginfo infos[16];
    ssize_t n = sizeof(infos);
    for (size_t read_before = 0; read_before < LAZ_HELD_MAX && n == (ssize_t)sizeof(infos);
            read_before += sizeof(infos) / sizeof(infos[0])) {
        n = read(pid1->signal_fd, infos, sizeof(infos));
        for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(infos[0]); i++) {
            const struct laz_signal received = {
                    .number = (int)infos[i].ssi_signo,
                    .code = infos[i].ssi_code,
                    .pid = (int32_t)infos[i].ssi_pid,
                    .uid = infos[i].ssi_uid,
                    .value = (int64_t)infos[i].ssi_ptr,
            };
            on_signal(pid1, &received, now_ns);
        }
    }
}

/* rt_sigtimedwait with no time: the kernel's own set, 64 bits wide, because libc keeps some for
 * itself. */
static void poll_signals(struct laz_pid1 *pid1, uint64_t now_ns)
{
    const uint64_t all = UINT64_MAX;
    const struct timespec none = {0};
    for (int i = 0; i < LAZ_HELD_MAX; i++) {
        siginfo_t info;
        if (syscall(SYS_rt_sigtimedwait, &all, &info, &none, sizeof(all)) < 0) {
            return;
        }
        const struct laz_signal received = {
                .number = info.si_signo,
                .code = info.si_code,
                .pid = info.si_pid,
                .uid = info.si_uid,
                .value = (int64_t)(intptr_t)info.si_value.sival_ptr,
        };
        on_signal(pid1, &received, now_ns);
    }
}

void laz_pid1_take_signals(struct laz_pid1 *pid1, uint64_t now_ns)
{
    if (pid1->signal_fd >= 0) {
        turn_signalfd(pid1, now_ns);
    } else {
        poll_signals(pid1, now_ns);
    }
}

/* ---- the loop ---- */

enum {
    POLL_SIGNALS,
    POLL_LISTENER,
    POLL_LAUNCHER,
    POLL_SHIP,
    POLL_SENSE,
    POLL_FETCH,
    POLL_CONTROL,
    POLL_TUNNEL,
    POLL_HEALTH,
    POLL_COUNT
};

/* Forked, and its listener is not there yet, if there is to be one. */
static bool waits_for_gate(const struct laz_pid1 *pid1)
{
    return pid1->state.phase == LAZ_PHASE_STARTING && pid1->workload.listener < 0 &&
            !pid1->gate_waits;
}

static uint64_t next_due(const struct laz_pid1 *pid1, uint64_t now_ns)
{
    uint64_t due_ns = 0;
    laz_sooner(&due_ns, pid1->state.deadline_ns);
    if (pid1->state.deadline_ns != 0) {
        laz_sooner(&due_ns, now_ns + FROZEN_POLL_NS);
    }
    laz_sooner(&due_ns, laz_listener_due_ns(&pid1->listener));
    laz_sooner(&due_ns, laz_helpers_due_ns(&pid1->helpers));
    laz_sooner(&due_ns, laz_pid1_renewal_due_ns(pid1, now_ns));
    laz_sooner(&due_ns, laz_control_due_ns(&pid1->control));
    laz_sooner(&due_ns, laz_pid1_health_due_ns(pid1));
    if (pid1->state.phase < LAZ_PHASE_RUNNING) {
        laz_sooner(&due_ns, pid1->start_deadline_ns);
        if (waits_for_gate(pid1)) {
            laz_sooner(&due_ns, now_ns + (laz_pid1_may_spin(pid1, now_ns) ? 0 : GATE_POLL_NS));
        }
    }
    if (pid1->state.phase == LAZ_PHASE_FLUSHING && laz_helpers_have_finished(&pid1->helpers)) {
        laz_sooner(&due_ns, now_ns);
    }
    if (pid1->signal_fd < 0) {
        laz_sooner(&due_ns, now_ns + SIGNAL_POLL_MS * LAZ_NS_PER_MS);
    }
    return due_ns;
}

static void wait_for_world(
        struct laz_pid1 *pid1, struct pollfd fds[POLL_COUNT], bool busy, uint64_t now_ns)
{
    fds[POLL_SIGNALS] = (struct pollfd){.fd = pid1->signal_fd, .events = POLLIN};
    fds[POLL_LISTENER] = (struct pollfd){.fd = pid1->workload.listener, .events = POLLIN};
    fds[POLL_LAUNCHER] = (struct pollfd){.fd = pid1->helpers.launcher_chan, .events = POLLIN};
    fds[POLL_SHIP] = (struct pollfd){.fd = chan_of(pid1, LAZ_ROLE_SHIP), .events = POLLIN};
    fds[POLL_SENSE] = (struct pollfd){.fd = chan_of(pid1, LAZ_ROLE_SENSE), .events = POLLIN};
    fds[POLL_FETCH] = (struct pollfd){.fd = chan_of(pid1, LAZ_ROLE_FETCH), .events = POLLIN};
    fds[POLL_CONTROL] = (struct pollfd){.fd = laz_control_fd(&pid1->control), .events = POLLIN};
    fds[POLL_TUNNEL] = (struct pollfd){.fd = chan_of(pid1, LAZ_ROLE_TUNNEL), .events = POLLIN};
    fds[POLL_HEALTH] = (struct pollfd){.fd = chan_of(pid1, LAZ_ROLE_HEALTH), .events = POLLIN};
    uint64_t due_ns = next_due(pid1, now_ns);
    uint64_t wait_ns = busy || (due_ns != 0 && due_ns <= now_ns) ? 0 : due_ns - now_ns;
    struct timespec timeout = {
            .tv_sec = (time_t)(wait_ns / 1000000000), .tv_nsec = (long)(wait_ns % 1000000000)};
    if (ppoll(fds, POLL_COUNT, due_ns == 0 && !busy ? NULL : &timeout, NULL) < 0) {
        for (size_t i = 0; i < POLL_COUNT; i++) {
            fds[i].revents = 0; /* EINTR, or ENOMEM: look at everything at the next turn */
        }
    }
}

static void turn_listener(struct laz_pid1 *pid1, uint64_t now_ns)
{
    if (!pid1->gate_open) {
        laz_pid1_turn_gate(pid1, now_ns);
        return;
    }
    bool too_many = false;
    if (laz_listener_turn(&pid1->listener, &pid1->image, &pid1->trail, now_ns, &too_many) < 0) {
        laz_fd_close(&pid1->workload.listener); /* nobody is under the filter any more */
    }
    if (too_many) {
        const struct laz_event event = {.type = LAZ_EVENT_KILL_AFTER};
        laz_pid1_event(pid1, &event, now_ns);
    }
}

/* Before the workload runs it is a refusal; later it ends the run, by name. */
static void on_lost(struct laz_pid1 *pid1, const struct laz_helper *lost, uint64_t now_ns)
{
    if (pid1->state.phase < LAZ_PHASE_RUNNING || pid1->refusal.kind != LAZ_E_NONE) {
        (void)laz_err_set(&pid1->refusal, lost->err.kind, 0, "%s", lost->err.message);
        pid1->state.ships = pid1->state.ships && lost != &pid1->helpers.ship;
        laz_pid1_refuse(pid1, now_ns);
        return;
    }
    const struct laz_event event = {
            .type = lost == &pid1->helpers.ship ? LAZ_EVENT_AUDIT_LOST : LAZ_EVENT_SENSE_LOST};
    laz_pid1_event(pid1, &event, now_ns);
}

/* From the stop signal on nobody from outside is let in; and what it has said is written down. */
static void turn_tunnel(struct laz_pid1 *pid1)
{
    struct laz_tunnels *tunnels = &pid1->helpers.tunnels;
    if (pid1->image.n_tunnels == 0) {
        return;
    }
    if (pid1->state.phase >= LAZ_PHASE_STOPPING) {
        laz_tunnels_drain(tunnels);
    }
    for (struct laz_message said; laz_tunnels_next(tunnels, &said);) {
        laz_trail_tunnel(&pid1->trail, &said);
    }
}

/* What the helpers' state means for the start, the run and the end. */
static void turn_helpers(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_helpers *helpers = &pid1->helpers;
    if (!laz_helpers_exist(helpers)) {
        return; /* before the call: its frame is three pages, which would be resident for ever */
    }
    turn_tunnel(pid1); /* its last words come with its end, and the trail may be closed for that */
    laz_helpers_turn(helpers, now_ns);
    for (struct laz_helper_end end; laz_helpers_late_end(helpers, &end);) {
        pid1->n_restarts++;
        laz_trail_helper(&pid1->trail, &end);
    }
    turn_tunnel(pid1);
    laz_pid1_turn_health(pid1, now_ns);
    if (pid1->done) {
        return;
    }
    if (pid1->image.fetches) {
        laz_pid1_turn_renewal(pid1, now_ns);
    }
    const struct laz_helper *lost = laz_helpers_lost(helpers);
    if (lost != NULL && pid1->state.ships) {
        on_lost(pid1, lost, now_ns);
    } else if (pid1->state.phase == LAZ_PHASE_FLUSHING && laz_helpers_have_finished(helpers)) {
        const struct laz_event event = {.type = LAZ_EVENT_FLUSHED};
        laz_pid1_event(pid1, &event, now_ns);
    } else if (pid1->state.phase == LAZ_PHASE_SETUP && laz_helpers_are_ready(helpers) &&
            pid1->workload.pid == 0) {
        laz_pid1_turn_secrets(pid1, now_ns);
    } else if (pid1->gate_waits && helpers->ship.is_acked) {
        laz_pid1_take_signals(pid1, now_ns);
        if (!pid1->done && pid1->state.phase == LAZ_PHASE_STARTING) {
            laz_pid1_open_gate(pid1, now_ns);
        }
    }
}

static void loop(struct laz_pid1 *pid1)
{
    uint64_t now_ns = laz_pid1_now_ns();
    bool busy = false;
    while (!pid1->done) {
        struct pollfd fds[POLL_COUNT];
        wait_for_world(pid1, fds, busy, now_ns);
        now_ns = laz_pid1_now_ns();
        if (fds[POLL_SIGNALS].revents != 0) {
            turn_signalfd(pid1, now_ns);
        } else if (pid1->signal_fd < 0) {
            poll_signals(pid1, now_ns);
        }
        if (!pid1->done && fds[POLL_LISTENER].revents != 0) {
            turn_listener(pid1, now_ns);
        }
        if (waits_for_gate(pid1)) {
            laz_pid1_turn_start(pid1, now_ns);
        }
        if (fds[POLL_CONTROL].revents != 0 || laz_control_due_ns(&pid1->control) != 0) {
            laz_control_turn(&pid1->control, &pid1->helpers.secrets,
                    pid1->state.phase == LAZ_PHASE_RUNNING, now_ns);
        }
        busy = !pid1->done && laz_pid1_reap(pid1, now_ns);
        turn_helpers(pid1, now_ns); /* after its end may have been seen */
        laz_listener_expire(&pid1->listener, &pid1->trail, now_ns);
        if (!pid1->done && pid1->state.deadline_ns != 0 && pid1->state.deadline_ns <= now_ns) {
            const struct laz_event timeout = {.type = LAZ_EVENT_TIMEOUT};
            laz_pid1_event(pid1, &timeout, now_ns);
        }
        laz_pid1_check_start_time(pid1, now_ns);
    }
}

static void open_extras(struct laz_pid1 *pid1)
{
    const uint64_t all = UINT64_MAX;
    pid1->signal_fd =
            (int)syscall(SYS_signalfd4, -1, &all, sizeof(all), SFD_CLOEXEC | SFD_NONBLOCK);
    if (pid1->signal_fd < 0) {
        pid1->degraded |= LAZ_DEGRADED_BIT(SIGNALFD);
    }
    if (!pid1->is_pid1) {
        if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) < 0) {
            pid1->degraded |= LAZ_DEGRADED_BIT(SUBREAPER);
        }
        laz_pid1_open_children(pid1);
    }
    pid_t foreground = -1;
    if (laz_sys_ioctl(STDIN_FILENO, TIOCGPGRP, &foreground) == 0) {
        pid1->terminal_fd =
                fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3); /* stdin itself goes at the gate */
    }
    /* often not there; opened before the fork, which shares the descriptors */
    pid1->oom_fd = open("/sys/fs/cgroup/memory.events", O_RDONLY | O_CLOEXEC);
}

int laz_pid1_run(struct laz_pid1 *pid1)
{
    open_extras(pid1);
    uint64_t now_ns = laz_pid1_now_ns();
    pid1->start_deadline_ns = now_ns + LAZ_START_TIMEOUT_MS * LAZ_NS_PER_MS;
    if (laz_pid1_may_enter(pid1, &pid1->refusal) < 0 ||
            laz_pid1_open_policy(pid1, &pid1->refusal) < 0) {
        laz_pid1_refuse(pid1, now_ns);
    } else if (pid1->has_image) {
        laz_pid1_start(pid1, now_ns);
    }
    loop(pid1);
    return pid1->exit_code;
}
