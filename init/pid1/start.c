/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's way from a policy to a running workload: helpers, fork, attestation, gate. Every failure
 * on it is a refusal by name, and nothing runs. libc only.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "core/format.h"
#include "init/pid1/pid1.h"

#define GATE_SPIN_NS 1000000 /* confining and loading a filter take 150 to 300 us */

void laz_pid1_refuse(struct laz_pid1 *pid1, uint64_t now_ns)
{
    const struct laz_event failed = {
            .type = LAZ_EVENT_START_FAILED, .code = laz_err_exit_code(pid1->refusal.kind)};
    laz_pid1_event(pid1, &failed, now_ns);
}

/* The list of our children, where kill(-1) is not for us. */
void laz_pid1_open_children(struct laz_pid1 *pid1)
{
    char path[64];
    (void)laz_format(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    if (pid1->children_fd < 0) {
        pid1->children_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (pid1->children_fd < 0) {
        pid1->degraded |= LAZ_DEGRADED_BIT(CHILDREN);
    }
}

/* The stream may have a number that the workload is to have. */
static void move_trail(struct laz_trail *trail)
{
    int moved = trail->fd < LAZ_IMAGE_FD_MIN ? -1 : fcntl(trail->fd, F_DUPFD_CLOEXEC, 3);
    if (moved >= 0) {
        laz_fd_close(&trail->fd);
        trail->fd = moved;
    }
}

static void use_ship(struct laz_pid1 *pid1)
{
    pid1->state.ships = true;
    laz_fd_close(&pid1->trail.fd);
    const struct laz_shipping *shipping = &pid1->helpers.shipping;
    pid1->trail.fd = laz_shipping_events(shipping);
    pid1->trail.torn = false;
    if (pid1->said_fd == STDERR_FILENO) {
        pid1->said_fd = shipping->outputs[LAZ_STREAM_STDERR];
    }
    pid1->degraded &= ~LAZ_DEGRADED_BIT(SHARED_STREAM);
    bool is_uncaptured = pid1->image.capture && !shipping->captures;
    bool is_small = shipping->pipe_bytes < pid1->image.pipe_bytes;
    pid1->degraded |= is_uncaptured ? LAZ_DEGRADED_BIT(UNCAPTURED) : 0;
    pid1->degraded |= is_small ? LAZ_DEGRADED_BIT(PIPE_SMALL) : 0;
}

/* Everything but the workload: it needs the sinks and the secrets first. */
static int begin_helpers(struct laz_pid1 *pid1)
{
    if (pid1->image.ships && pid1->options.events != NULL) {
        return laz_err_set(&pid1->refusal, LAZ_E_USAGE, 0,
                "--events: the policy has sinks, and events go there");
    }
    const struct laz_helpers_world world = {
            .image = &pid1->image,
            .probe = &pid1->workload.probe,
            .decided = &pid1->workload.decided,
            .argv = pid1->argv,
            .environment = pid1->environment,
    };
    move_trail(&pid1->trail);
    if (laz_helpers_begin(&pid1->helpers, &world, &pid1->refusal) < 0) {
        return -1;
    }
    laz_pid1_open_children(pid1);
    pid1->state.wipes = pid1->image.fetches && pid1->helpers.secrets.folder >= 0;
    pid1->degraded |= pid1->workload.probe.uid != 0 ? LAZ_DEGRADED_BIT(HELPER_USER) : 0;
    if (pid1->image.ships) {
        use_ship(pid1);
    }
    if (pid1->image.watches && !pid1->helpers.has_sockets) {
        pid1->degraded |= LAZ_DEGRADED_BIT(HEALTH_SOCKET);
    }
    if (pid1->image.fetches) {
        bool is_shared = pid1->image.uid == pid1->workload.probe.uid;
        bool is_open = !is_shared && laz_control_open(&pid1->control);
        pid1->degraded |= is_open ? 0 : LAZ_DEGRADED_BIT(CONTROL);
    }
    return 0;
}

void laz_pid1_start_workload(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_workload *workload = &pid1->workload;
    if (pid1->image.fetches) {
        workload->fds = pid1->helpers.secrets.fds;
        workload->n_fds = pid1->helpers.secrets.n_fds;
        workload->secrets = &pid1->helpers.secrets;
    }
    if (laz_workload_fork(workload, &pid1->image, pid1->options.command, pid1->environment,
                &pid1->refusal) < 0) {
        laz_pid1_refuse(pid1, now_ns);
        return;
    }
    /* From here on the child works on the other processor. */
    laz_pid1_note_oom_kills(pid1);
    pid1->started_ns = now_ns;
    const struct laz_event forked = {.type = LAZ_EVENT_FORKED};
    laz_pid1_event(pid1, &forked, now_ns);
    if (pid1->done || pid1->state.phase != LAZ_PHASE_STARTING) {
        return;
    }
    if (laz_probe_own_filters(&workload->probe, &pid1->refusal) < 0) {
        laz_pid1_refuse(pid1, now_ns);
        return;
    }
    laz_image_filter_digest(&pid1->image, pid1->filter_digest);
    if (pid1->image.fetches) {
        pid1->helpers.secrets.is_narrow = true;
    }
    laz_pid1_narrow(pid1);
}

static void begin_fetch(struct laz_pid1 *pid1, uint64_t now_ns)
{
    uint64_t wait_ms = pid1->image.fetch_wait_ms + LAZ_SECRETS_SLACK_MS;
    laz_helpers_fetch(&pid1->helpers, now_ns);
    pid1->start_deadline_ns = now_ns + wait_ms * LAZ_NS_PER_MS;
}

/* Last: they have their certificates from the secrets. The workload's connections need the one, and
 * whoever waits for the workload the other. */
static void turn_servers(struct laz_pid1 *pid1, uint64_t now_ns)
{
    for (unsigned role = LAZ_ROLE_TUNNEL; role <= LAZ_ROLE_HEALTH; role++) {
        struct laz_helper *helper = laz_helpers_of(&pid1->helpers, (enum laz_role)role);
        if (helper == NULL || (helper->has_begun && helper->is_ready && !helper->is_lost)) {
            continue;
        }
        if (!helper->has_begun) {
            helper->has_begun = true;
            helper->due_ns = now_ns;
            pid1->start_deadline_ns = now_ns + LAZ_START_TIMEOUT_MS * LAZ_NS_PER_MS;
        } else if (helper->is_lost) {
            pid1->refusal = helper->err;
            laz_pid1_refuse(pid1, now_ns);
        }
        return;
    }
    laz_pid1_start_workload(pid1, now_ns);
}

/* The one that is waited for; NULL: none is. */
static const struct laz_helper *awaited_server(const struct laz_pid1 *pid1)
{
    const struct laz_helper *tunnel = &pid1->helpers.tunnels.helper;
    const struct laz_helper *health = &pid1->helpers.watch.helper;
    bool is_tunnel = pid1->image.n_tunnels > 0 && tunnel->has_begun;
    bool is_health = pid1->image.watches && health->has_begun;
    return is_health ? health : is_tunnel ? tunnel : NULL;
}

void laz_pid1_turn_secrets(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_secrets *secrets = &pid1->helpers.secrets;
    if (!pid1->image.fetches) {
        turn_servers(pid1, now_ns);
        return;
    }
    if (secrets->err.kind != LAZ_E_NONE) {
        pid1->refusal = secrets->err;
        laz_pid1_refuse(pid1, now_ns);
        return;
    }
    if (secrets->phase == LAZ_SECRETS_WAITING) {
        begin_fetch(pid1, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_DELIVERING && !secrets->is_told) {
        secrets->is_told = true;
        laz_trail_fetched(&pid1->trail, secrets);
        pid1->start_deadline_ns =
                now_ns + LAZ_START_TIMEOUT_MS * LAZ_NS_PER_MS; /* for all the rest */
    } else if (secrets->phase == LAZ_SECRETS_THERE) {
        if (awaited_server(pid1) == NULL) {
            laz_trail_delivered(&pid1->trail, secrets);
            laz_pid1_begin_renewal(pid1, now_ns);
        }
        turn_servers(pid1, now_ns);
    }
}

void laz_pid1_start(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_workload *workload = &pid1->workload;
    laz_pid1_enter(pid1);
    laz_ignore(chdir("/")); /* a start directory must not be kept busy; the workload has its own */
    if (laz_probe_run(&workload->probe, &pid1->refusal) < 0 ||
            laz_probe_decide(&workload->probe, &pid1->image, &workload->decided, &pid1->refusal) <
                    0 ||
            ((pid1->image.ships || pid1->image.fetches || pid1->image.n_tunnels > 0 ||
                     pid1->image.watches) &&
                    begin_helpers(pid1) < 0)) {
        laz_pid1_refuse(pid1, now_ns);
        return;
    }
    if (!laz_helpers_exist(&pid1->helpers)) {
        laz_pid1_start_workload(pid1, now_ns);
    } else if (laz_helpers_are_ready(&pid1->helpers)) { /* there is no ship to wait for */
        laz_pid1_turn_secrets(pid1, now_ns);
    }
}

/* The child waits. Read it back and write down what was read; only what equals the policy may go
 * on, and only if nobody has asked for the end meanwhile. */
static bool may_start(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_workload *workload = &pid1->workload;
    if (laz_workload_attest(workload, &pid1->image, &pid1->refusal) < 0) {
        laz_pid1_refuse(pid1, now_ns);
        return false;
    }
    pid1->degraded |= laz_workload_degraded(workload);
    pid1->degraded |= pid1->helpers.sense.is_lost ? LAZ_DEGRADED_BIT(SENSE) : 0;
    if (pid1->image.fetches) {
        laz_secrets_close(&pid1->helpers.secrets);
    }
    if (laz_workload_part()) {
        laz_shipping_part(&pid1->helpers.shipping);
        if (pid1->image.fetches) {
            laz_secrets_part(&pid1->helpers.secrets);
        }
    } else {
        pid1->degraded |= LAZ_DEGRADED_BIT(STREAMS);
    }
    pid1->trail.main_pid = workload->pid;
    pid1->trail.main_exe = workload->path;
    pid1->gate_open = true; /* from here on its end is the workload's: ^C may come from now on */
    laz_pid1_hand_terminal(pid1, workload->pid);
    laz_trail_start(&pid1->trail, &pid1->image, workload, pid1->degraded, pid1->filter_digest,
            laz_helpers_fips(&pid1->helpers));
    laz_pid1_take_signals(pid1, now_ns);
    return !pid1->done && pid1->state.phase == LAZ_PHASE_STARTING;
}

static void started(struct laz_pid1 *pid1, uint64_t now_ns)
{
    bool shares = (pid1->degraded & LAZ_DEGRADED_BIT(STREAMS)) != 0;
    if (!shares || pid1->workload.listener >= 0) {
        laz_fd_close(&pid1->workload.gate);
    } /* else the child may not have come to its read yet */
    const struct laz_event event = {.type = LAZ_EVENT_STARTED};
    laz_pid1_event(pid1, &event, now_ns);
}

/* With a listener, the gate is the notification of the first execve; without one, it is a read on
 * an eventfd. */
void laz_pid1_open_gate(struct laz_pid1 *pid1, uint64_t now_ns)
{
    pid1->gate_waits = false;
    int result = 0;
    if (pid1->workload.listener >= 0) {
        pid1->listener.exec_attempts = 1;
        result = laz_listener_let_through(&pid1->listener, pid1->gate_id, &pid1->refusal);
    } else {
        const uint64_t open = 1;
        if (write(pid1->workload.gate, &open, sizeof(open)) < 0) {
            result = laz_err_set_errno(&pid1->refusal, LAZ_E_ENFORCE, "the gate cannot be opened");
        }
    }
    if (result < 0) {
        laz_pid1_refuse(pid1, now_ns);
    } else {
        started(pid1, now_ns);
    }
}

/* The child stands at the gate. */
static void at_gate(struct laz_pid1 *pid1, uint64_t now_ns)
{
    if (!may_start(pid1, now_ns)) {
        return;
    }
    pid1->gate_waits = pid1->image.ships && pid1->image.start_acked && !pid1->helpers.ship.is_acked;
    if (pid1->gate_waits) {
        pid1->start_deadline_ns = now_ns + pid1->image.start_wait_ms * LAZ_NS_PER_MS;
    } else {
        laz_pid1_open_gate(pid1, now_ns);
    }
}

void laz_pid1_turn_gate(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct seccomp_notif notif;
    if (laz_listener_receive(&pid1->listener, &notif) <= 0) {
        return; /* its death, if that is it, comes as SIGCHLD */
    }
    if ((pid_t)notif.pid != pid1->workload.pid || notif.data.nr != SYS_execve ||
            notif.data.arch != pid1->image.audit_arch) {
        (void)laz_err_set(&pid1->refusal, LAZ_E_ATTEST, 0,
                "the first notification is call %d of process %u, not the execve of %d",
                notif.data.nr, notif.pid, (int)pid1->workload.pid);
        laz_pid1_refuse(pid1, now_ns);
        return;
    }
    pid1->gate_id = notif.id;
    at_gate(pid1, now_ns);
}

bool laz_pid1_may_spin(const struct laz_pid1 *pid1, uint64_t now_ns)
{
    return now_ns < pid1->started_ns + GATE_SPIN_NS;
}

/* The child confines itself. Its listener is in our table as soon as its number is in the page;
 * nothing can wake us for that, so the loop looks at every turn, for a while without sleeping. */
void laz_pid1_turn_start(struct laz_pid1 *pid1, uint64_t now_ns)
{
    struct laz_workload *workload = &pid1->workload;
    const volatile struct laz_confine_page *page = workload->page;
    if (page->listener == -1 && page->failed == 0) {
        (void)sched_yield(); /* where there is one processor, the child needs it */
    } else if (page->listener >= 0) {
        workload->listener = page->listener;
        laz_listener_init(&pid1->listener, workload->listener);
    } else if (page->listener == -2 && page->failed == 0 && page->step == LAZ_STEP_GATE &&
            !pid1->gate_open) {
        at_gate(pid1, now_ns); /* it says so itself; the kernel shows the filter */
    }
}

static bool waits_for_helpers(const struct laz_pid1 *pid1)
{
    return laz_helpers_exist(&pid1->helpers) && !laz_helpers_are_ready(&pid1->helpers);
}

/* What was last begun, for whoever reads that it took too long. */
static const char *last_step(const struct laz_pid1 *pid1, enum laz_secrets_phase phase)
{
    if (pid1->setup_pid > 0) {
        return "lazaret-setup";
    }
    if (waits_for_helpers(pid1)) {
        bool has_ship = !laz_helpers_ship(&pid1->helpers) || pid1->helpers.ship.is_ready;
        return has_ship ? "lazaret-helper sense" : "lazaret-helper ship";
    }
    if (phase == LAZ_SECRETS_DELIVERING) {
        return "deliver the secrets";
    }
    if (phase == LAZ_SECRETS_HIDING) {
        return "hide the secrets from the logs";
    }
    if (awaited_server(pid1) != NULL && pid1->workload.pid == 0) {
        bool is_health = awaited_server(pid1)->role == LAZ_ROLE_HEALTH;
        return is_health ? "lazaret-helper health" : "lazaret-helper tunnel";
    }
    return pid1->workload.page != NULL
            ? laz_confine_step_name((enum laz_confine_step)pid1->workload.page->step)
            : "start";
}

/* "", or what to put between a sentence and its reason. */
static const char *before(const char *reason)
{
    return reason[0] == '\0' ? "" : ": ";
}

void laz_pid1_check_start_time(struct laz_pid1 *pid1, uint64_t now_ns)
{
    if (pid1->done || pid1->state.phase >= LAZ_PHASE_RUNNING || now_ns < pid1->start_deadline_ns) {
        return;
    }
    if (pid1->gate_waits) {
        const char *trouble = pid1->helpers.ship.trouble;
        (void)laz_err_set(&pid1->refusal, LAZ_E_AUDIT, 0,
                "no acknowledgement of the start from every required sink within %u ms%s%s",
                pid1->image.start_wait_ms, before(trouble), trouble);
    }
    enum laz_secrets_phase phase =
            pid1->image.fetches ? pid1->helpers.secrets.phase : LAZ_SECRETS_NONE;
    if (phase == LAZ_SECRETS_FETCHING) {
        const char *why = pid1->helpers.fetch.err.message;
        (void)laz_err_set(&pid1->refusal, LAZ_E_SECRET, 0,
                "the secrets were not there within %u ms (secrets.start-deadline)%s%s",
                pid1->image.fetch_wait_ms, before(why), why);
    }
    (void)laz_err_set(&pid1->refusal, LAZ_E_START_TIMEOUT, 0,
            "start-up took longer than %d ms; the last step was \"%s\"", LAZ_START_TIMEOUT_MS,
            last_step(pid1, phase));
    laz_pid1_refuse(pid1, now_ns);
}
