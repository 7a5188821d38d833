/* SPDX-License-Identifier: Apache-2.0
 *
 * The process `launch`. Reads nothing but init's messages, keeps nothing but the folder of what it
 * has delivered, and ends when init does. libc only: the same program as PID 1.
 */
#include "init/pid1/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/confine.h"
#include "confine/descriptors.h"
#include "confine/landlock.h"
#include "core/environment.h"
#include "core/fd.h"
#include "core/format.h"
#include "init/pid1/deliver.h"
#include "init/pid1/helpers.h"
#include "init/pid1/workload.h"

#define HELPER    "lazaret-helper"
#define HELPER_FD 3                            /* its channel */
#define ORDER_MAX (LAZ_IMAGE_BELOW_MAX + 64)   /* bytes of a PUT */
#define SAID_MAX  (LAZ_LAUNCHER_STEP_MAX + 64) /* bytes of a DELIVERED */

/* What a helper needs until it has become its own user: its directory and files are root's. */
static const int needed[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SETGID, CAP_SETUID, CAP_SETPCAP,
        CAP_SYS_PTRACE /* where the container has it, sense sees what others execute */};

/* What checks are confined with. */
struct prepared {
    bool is_done;
    int failed; /* errno; 0: it is there */
    struct laz_confine_kept kept;
};

/* What it serves with. */
struct server {
    int chan;
    int program; /* lazaret-helper */
    const struct laz_helpers_world *world;
    struct laz_deliver deliver;
    struct prepared prepared;
};

void laz_launcher_find(const char *name, char *ret, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", ret, size - strlen(name) - 1);
    if (n > 0) {
        ret[n] = '\0';
        char *slash = strrchr(ret, '/');
        if (slash != NULL) {
            (void)memcpy(slash + 1, name, strlen(name) + 1);
            if (access(ret, X_OK) == 0) {
                return;
            }
        }
    }
    (void)laz_format(ret, size, LAZ_LAUNCHER_ELSEWHERE "%s", name);
}

/* The bounding set needs CAP_SETPCAP; without it, there are no capabilities worth dropping. */
static void keep_few_in_child(const struct laz_image *image)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    bool has_ports = image->n_tunnels > 0 || image->watches;
    uint64_t wanted = has_ports ? UINT64_C(1) << CAP_NET_BIND_SERVICE : 0;
    wanted |= image->n_commands > 0 ? image->keep_capabilities : 0;
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        wanted |= UINT64_C(1) << needed[i];
    }
    for (int cap = 0; cap < 64; cap++) {
        if ((wanted >> cap & 1) == 0) {
            (void)prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0UL, 0UL, 0UL); /* EINVAL: none such */
        }
    }
    if (syscall(SYS_capget, &header, data) == 0) {
        for (unsigned i = 0; i < 2; i++) {
            data[i].permitted &= (uint32_t)(wanted >> (32 * i));
            data[i].effective = data[i].permitted;
            data[i].inheritable = 0;
        }
        (void)syscall(SYS_capset, &header, data);
    }
}

/* The container's stdin is the workload's alone, or whoever writes to it never hears that it was
 * closed. Without /dev/null they stay. */
static void leave_streams_in_child(void)
{
    laz_cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
}

/* For ps: the command line is the workload's, and this is not it. */
static void name_in_child(char **argv)
{
    static const char name[] = "lazaret-init: launch";
    char **last = argv;
    while (last[0] != NULL && last[1] != NULL) {
        last++;
    }
    if (argv[0] != NULL) {
        size_t room = (size_t)(*last - argv[0]) + strlen(*last);
        explicit_bzero(argv[0], room);
        (void)memcpy(argv[0], name, room < sizeof(name) ? room : sizeof(name) - 1);
    }
    (void)prctl(PR_SET_NAME, "lazaret-launch", 0UL, 0UL, 0UL);
}

/* By descriptor: what lies at its path by now may be somebody else's. */
static _Noreturn void helper_in_child(enum laz_role role, int chan, int program)
{
    const char *const argv[] = {HELPER, laz_role_name(role), NULL};
    char *const environment[] = {NULL};
    const struct rlimit core = {0};
    (void)syscall(SYS_prlimit64, 0, RLIMIT_CORE, &core, NULL); /* musl's own stops all threads */
    if (chan == HELPER_FD ? fcntl(chan, F_SETFD, 0) < 0 : dup2(chan, HELPER_FD) < 0) {
        _exit(109);
    }
    /* all signals stay blocked */
    (void)syscall(SYS_execveat, program, "", laz_unconst(argv), environment, AT_EMPTY_PATH);
    _exit(errno == EBADF ? 127 : 126); /* it was not there */
}

static int start(enum laz_role role, int chan, int program)
{
    /* CLONE_PARENT: a child of init, which reaps it, and not of ours. */
    long pid = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0UL, 0UL, 0UL, 0UL);
    if (pid == 0) {
        helper_in_child(role, chan, program);
    }
    return pid < 0 ? -errno : (int)pid;
}

/* Once, with the first START of `health`: the secrets are there, and the workload is not yet. What
 * the policy's paths lead to later is the workload's to say. */
static void prepare(struct prepared *prepared, const struct laz_helpers_world *world)
{
    struct laz_confine_kept *kept = &prepared->kept;
    const struct laz_decided *decided = world->decided;
    const char *path = NULL;
    if (prepared->is_done || world->image->n_commands == 0) {
        return;
    }
    *prepared = (struct prepared){.is_done = true, .kept = {.ruleset = -1}};
    kept->cwd = open(world->image->cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (kept->cwd >= 0 && decided->landlock_abi > 0) {
        kept->ruleset = laz_landlock_build(world->image, decided->landlock_abi, &path);
    }
    bool ok = kept->cwd >= 0 && (decided->landlock_abi <= 0 || kept->ruleset >= 0);
    prepared->failed = ok ? 0 : errno;
}

static void start_one(struct laz_message *message, struct laz_fields *fields, struct server *server,
        struct laz_buf *answer)
{
    uint8_t role = laz_fields_u8(fields);
    if (!laz_fields_done(fields) || role >= LAZ_ROLE_COUNT) {
        _exit(109);
    }
    if (role == LAZ_ROLE_HEALTH) { /* first: init waits for no more than for that to be ready */
        prepare(&server->prepared, server->world);
    }
    int pid = start((enum laz_role)role, message->fds[0], server->program);
    laz_fd_close(&message->fds[0]);
    laz_message_begin(answer, LAZ_MESSAGE_STARTED);
    laz_message_u8(answer, role);
    laz_message_u32(answer, (uint32_t)pid);
}

/* ---- checks that are commands ---- */

static void words_of(const struct laz_strings *strings, char **ret)
{
    const char *cursor = strings->first;
    for (uint32_t i = 0; i < strings->n; i++) {
        ret[i] = laz_unconst(laz_strings_next(&cursor));
    }
    ret[strings->n] = NULL;
}

/* Of the container's environment there is nothing here any more. */
static char **environment_in_child(const struct laz_image *image)
{
    size_t size = (image->env_set.n + 2) * sizeof(char *);
    char **environment =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (environment == MAP_FAILED) {
        _exit(109);
    }
    bool has_path = false;
    environment[0] = laz_unconst("PATH=" LAZ_WORKLOAD_PATH);
    words_of(&image->env_set, environment + 1);
    for (char **entry = environment + 1; *entry != NULL; entry++) {
        has_path = has_path || laz_environment_value(*entry, "PATH") != NULL;
    }
    return has_path ? environment + 1 : environment;
}

/* What the workload is confined by, but for the listener: PID 1 answers nobody else. Opens nothing
 * by name before it is confined. */
static _Noreturn void check_in_child(const struct laz_helpers_world *world,
        const struct laz_strings *command, const struct laz_confine_kept *kept)
{
    char *argv[LAZ_IMAGE_ARGS_MAX + 1];
    struct laz_confine_page page = {.listener = -1};
    struct laz_decided decided = *world->decided;
    decided.events = decided.events_required = false;
    words_of(command, argv);
    (void)dup2(STDOUT_FILENO, STDERR_FILENO);
    const struct laz_confine confine = {
            .image = world->image,
            .decided = &decided,
            .page = &page,
            .parent = world->probe->pid,
            .set_death_signal = world->probe->pid != 1,
            .gate = eventfd(1, EFD_CLOEXEC), /* nobody holds it there */
            .path = argv[0],
            .argv = argv,
            .envp = environment_in_child(world->image),
            .kept = kept,
    };
    laz_confine_in_child(&confine);
}

static void run_one(const struct server *server, struct laz_fields *fields, struct laz_buf *answer)
{
    const struct laz_helpers_world *world = server->world;
    const struct prepared *prepared = &server->prepared;
    long pid = prepared->is_done ? -prepared->failed : -EPROTO;
    uint32_t number = laz_fields_u32(fields);
    if (!laz_fields_done(fields) || number >= world->image->n_commands) {
        _exit(109);
    }
    const struct laz_strings command = laz_image_command(world->image, number);
    if (pid == 0) {
        pid = syscall(SYS_clone, (unsigned long)(CLONE_PARENT | SIGCHLD), 0UL, 0UL, 0UL, 0UL);
        if (pid == 0) {
            check_in_child(world, &command, &prepared->kept);
        }
        pid = pid < 0 ? -errno : pid;
    }
    laz_message_begin(answer, LAZ_MESSAGE_RUNS);
    laz_message_u32(answer, number);
    laz_message_u32(answer, (uint32_t)pid);
}

/* ---- deliveries ---- */

static int put(struct laz_deliver *deliver, struct laz_message *message, struct laz_fields *fields,
        struct laz_err *err)
{
    struct laz_deliver_as as = {.mode = laz_fields_u32(fields)};
    as.uid = laz_fields_u32(fields);
    as.gid = laz_fields_u32(fields);
    as.path = laz_fields_string(fields);
    if (!laz_fields_done(fields)) {
        _exit(109);
    }
    int result = laz_deliver_put(deliver, message->fds[0], &as, err);
    laz_fd_close(&message->fds[0]);
    return result;
}

static void deliver_one(struct laz_deliver *deliver, struct laz_message *message,
        struct laz_fields *fields, struct laz_buf *answer)
{
    struct laz_err err = {0};
    int result = 0;
    uint32_t number = message->type == LAZ_MESSAGE_WIPE ? 0 : laz_fields_u32(fields);
    if (message->type != LAZ_MESSAGE_PUT && !laz_fields_done(fields)) {
        _exit(109);
    }
    if (message->type == LAZ_MESSAGE_FOLDER) {
        result = laz_deliver_begin(deliver, message->fds[0], number, &err);
    } else if (message->type == LAZ_MESSAGE_PUT) {
        result = put(deliver, message, fields, &err);
    } else if (message->type == LAZ_MESSAGE_SWAP) {
        result = laz_deliver_swap(deliver, number, &err);
    } else if (message->type == LAZ_MESSAGE_RETIRE) {
        result = laz_deliver_retire(deliver, number, &err);
    } else {
        result = deliver->folder < 0 ? 0 : laz_deliver_wipe(deliver->folder, &err);
    }
    laz_message_begin(answer, LAZ_MESSAGE_DELIVERED);
    laz_message_u32(answer, number);
    laz_message_u32(answer, (uint32_t)(result < 0 ? -err.sys_errno : 0));
    laz_message_string(answer, err.message);
}

static void serve_one(struct server *server, struct laz_message *message)
{
    struct laz_err err = {0};
    struct laz_fields fields;
    char memory[SAID_MAX];
    struct laz_buf answer;
    laz_fields_begin(&fields, message);
    laz_buf_init_fixed(&answer, memory, sizeof(memory));
    if (message->type == LAZ_MESSAGE_START) {
        start_one(message, &fields, server, &answer);
    } else if (message->type == LAZ_MESSAGE_RUN) {
        run_one(server, &fields, &answer);
    } else {
        deliver_one(&server->deliver, message, &fields, &answer);
    }
    if (!laz_message_end(&answer) || laz_chan_send(server->chan, &answer, NULL, 0, &err) < 0) {
        _exit(109); /* init has gone */
    }
}

static _Noreturn void serve_in_child(int chan, const struct laz_helpers_world *world)
{
    uint8_t memory[ORDER_MAX];
    char path[LAZ_FILE_PATH_MAX];
    struct server server = {.chan = chan, .world = world};
    laz_deliver_init(&server.deliver);
    laz_environment_wipe(environ); /* it is the workload's, and this lives as long as that */
    name_in_child(world->argv);
    (void)laz_descriptors_close(chan);
    leave_streams_in_child();
    laz_launcher_find(HELPER, path, sizeof(path));
    int program = open(path, O_PATH | O_CLOEXEC);
    if (program == HELPER_FD) { /* which is the channel's, in the child */
        program = fcntl(program, F_DUPFD_CLOEXEC, HELPER_FD + 1);
    }
    server.program = program;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
    keep_few_in_child(world->image);
    for (;;) {
        struct laz_message message;
        struct laz_err err = {0};
        struct pollfd order = {.fd = chan, .events = POLLIN};
        (void)poll(&order, 1, -1);
        switch (laz_chan_receive(chan, (struct laz_route){LAZ_ROLE_INIT, LAZ_ROLE_LAUNCH}, memory,
                sizeof(memory), &message, &err)) {
        case LAZ_CHAN_MESSAGE:
            serve_one(&server, &message);
            break;
        case LAZ_CHAN_NOTHING:
            break;
        case LAZ_CHAN_VIOLATION:
            _exit(109);
        case LAZ_CHAN_CLOSED:
            _exit(0);
        }
    }
}

int laz_launcher_fork(
        const struct laz_helpers_world *world, pid_t *ret_pid, int *ret_chan, struct laz_err *err)
{
    int pair[2];
    if (laz_chan_pair(pair, err) < 0) {
        return -1;
    }
    /* Not libc's fork: see start_setup in policy_file.c. */
    pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
    if (pid == 0) {
        serve_in_child(pair[1], world);
    }
    int cause = errno;
    laz_fd_close(&pair[1]);
    if (pid < 0) {
        laz_fd_close(&pair[0]);
        return laz_err_set(err, LAZ_E_SYSTEM, cause, "fork: %s", strerror(cause));
    }
    *ret_pid = pid;
    *ret_chan = pair[0];
    return 0;
}
