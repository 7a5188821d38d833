/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret protect: keeps ECS from stopping this task for a rollout or a scale-in, by a word of its
 * own or for as long as a command runs. Then the protection is given back, whatever ended the
 * command; only where this program is killed outright it stays, and ends by itself.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "core/fd.h"
#include "core/num.h"
#include "net/ecs_protection.h"

#define ASK_MS       20000 /* until a question is given up */
#define RELEASE_MS   10000 /* a container that is stopped has 30 s by default, for all */
#define EXIT_OWN     125   /* as env(1) and timeout(1): it failed, and the command never ran */
#define EXIT_NOT_RUN 126
#define EXIT_ABSENT  127
#define VARIABLE     "ECS_AGENT_URI"

/* X(ENUM, "name", "remedy") */
#define REFUSALS(X)                                                                                \
    X(PLACE, "not-in-ecs",                                                                         \
            "Run it in a container of ECS, with an agent that knows task protection (Fargate "     \
            "platform 1.4.0): it sets " VARIABLE ", which workload.env.pass has to name.")         \
    X(DENIED, "protection-denied",                                                                 \
            "Give the task's role ecs:GetTaskProtection and ecs:UpdateTaskProtection.")            \
    X(REFUSED, "protection-refused",                                                               \
            "Only a task that a service has started, and that is not being stopped, can be "       \
            "protected; the message has ECS's reason.")                                            \
    X(UNAVAILABLE, "protection-unavailable", "Try again: the message says who did not answer.")

enum refusal {
#define X(id, name, remedy) REFUSAL_##id,
    REFUSALS(X)
#undef X
};

static const struct {
    const char *name;
    const char *remedy;
} refusals[] = {
#define X(id, name, remedy) [REFUSAL_##id] = {name, remedy},
        REFUSALS(X)
#undef X
};

/* ---- one question ---- */

struct asked {
    struct event_base *base;
    bool is_done;
    enum refusal refusal;
    struct laz_ecs_protection said;
    char why[LAZ_ERR_MESSAGE_MAX];
};

static enum refusal refusal_of(enum laz_call_verdict verdict)
{
    switch (verdict) {
    case LAZ_CALL_DENIED:
    case LAZ_CALL_CREDENTIALS:
        return REFUSAL_DENIED;
    case LAZ_CALL_AGAIN:
    case LAZ_CALL_SLOWER:
    case LAZ_CALL_CLOCK:
    case LAZ_CALL_UNTRUSTED:
        return REFUSAL_UNAVAILABLE;
    case LAZ_CALL_ABSENT:
        return REFUSAL_PLACE;
    case LAZ_CALL_TAKEN:
    case LAZ_CALL_REFUSED:
        break;
    }
    return REFUSAL_REFUSED;
}

static void on_done(void *context, const struct laz_ecs_protection *protection)
{
    struct asked *asked = context;
    asked->is_done = true;
    asked->said = *protection;
    (void)event_base_loopbreak(asked->base);
}

static void on_refused(void *context, enum laz_call_verdict verdict, const char *why)
{
    struct asked *asked = context;
    asked->refusal = refusal_of(verdict);
    (void)snprintf(asked->why, sizeof(asked->why), "%s", why);
    (void)event_base_loopbreak(asked->base);
}

/* Whatever else has events in that loop may break it: then nothing is done, and `why` is "". */
static bool ask(struct event_base *base, enum laz_ecs_question question, unsigned minutes,
        uint32_t wait_ms, struct asked *ret)
{
    struct laz_err err = {0};
    struct laz_ecs_asking *asking = NULL;
    const char *uri = getenv(VARIABLE);
    const struct laz_ecs_protection_plan plan = {.uri = uri == NULL ? "" : uri,
            .question = question,
            .minutes = minutes,
            .wait_ms = wait_ms};
    const struct laz_ecs_protection_owner owner = {
            .done = on_done, .refused = on_refused, .context = ret};
    *ret = (struct asked){.base = base, .refusal = REFUSAL_PLACE};
    if (uri == NULL || uri[0] == '\0') {
        (void)snprintf(ret->why, sizeof(ret->why), VARIABLE " is not set");
    } else if (laz_ecs_protection_new(base, &plan, &owner, &asking, &err) < 0) {
        (void)snprintf(ret->why, sizeof(ret->why), "%s", err.message);
    } else if (ret->why[0] == '\0') { /* or it was over at once */
        (void)event_base_dispatch(base);
    }
    laz_ecs_protection_free(asking);
    return ret->is_done;
}

static void put_refusal(const struct asked *asked)
{
    (void)fprintf(stderr, "lazaret: error: %s: %s\nlazaret: remedy: %s\n",
            refusals[asked->refusal].name, asked->why, refusals[asked->refusal].remedy);
}

/* ---- on, off, status ---- */

static void put_state(struct laz_buf *buf, const struct asked *asked, bool is_json)
{
    struct laz_json json;
    if (!is_json) {
        const char *until = asked->said.is_on ? asked->said.until : "";
        laz_buf_printf(buf, "%s%s%s\n", asked->said.is_on ? "protected" : "not protected",
                until[0] == '\0' ? "" : " until ", until);
        return;
    }
    laz_json_init(&json, buf);
    laz_json_object(&json, NULL);
    laz_json_bool(&json, "ok", asked->is_done);
    if (asked->is_done) {
        laz_json_bool(&json, "protected", asked->said.is_on);
        if (asked->said.is_on && asked->said.until[0] != '\0') {
            laz_json_string(&json, "until", asked->said.until);
        }
    } else {
        laz_json_object(&json, "error");
        laz_json_string(&json, "name", refusals[asked->refusal].name);
        laz_json_string(&json, "message", asked->why);
        laz_json_string(&json, "remedy", refusals[asked->refusal].remedy);
        laz_json_object_end(&json);
    }
    laz_json_object_end(&json);
    laz_buf_char(buf, '\n');
}

static int say_word(
        struct event_base *base, enum laz_ecs_question question, unsigned minutes, bool is_json)
{
    struct asked asked;
    bool is_done = ask(base, question, minutes, ASK_MS, &asked);
    if (!is_done && !is_json) {
        put_refusal(&asked);
        return LAZ_EXIT_FINDINGS;
    }
    laz_cleanup_buf struct laz_buf buf;
    laz_buf_init_heap(&buf, LAZ_CLI_OUTPUT_MAX);
    put_state(&buf, &asked, is_json);
    return laz_cli_print(&buf, is_done ? LAZ_EXIT_FINE : LAZ_EXIT_FINDINGS);
}

/* ---- a command ---- */

struct run {
    struct event_base *base;
    struct event *event;
    int signals; /* a signalfd */
    sigset_t before;
    pid_t child;     /* 0: not yet, or no more */
    int status;      /* of its end */
    int stop_signal; /* that came before it began; 0: none */
};

static void end_child(struct run *run)
{
    int status = 0;
    if (run->child > 0 && waitpid(run->child, &status, WNOHANG) == run->child) {
        run->child = 0;
        run->status = status;
        (void)event_base_loopbreak(run->base);
    }
}

/* What the terminal sends, the command has got too. */
static void pass_on(struct run *run, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;
    if (run->child > 0 && info->ssi_code != SI_KERNEL) {
        (void)kill(run->child, number);
    } else if (run->child == 0 && number != SIGUSR1 && number != SIGUSR2) {
        run->stop_signal = run->stop_signal == 0 ? number : run->stop_signal;
        (void)event_base_loopbreak(run->base);
    }
}

static void on_signal(evutil_socket_t fd, short what, void *context)
{
    struct run *run = context;
    struct signalfd_siginfo info;
    (void)what;
    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            end_child(run);
        } else {
            pass_on(run, &info);
        }
    }
}

/* Signals wait from here on, so that none ends this program before it has given back. */
static int begin_signals(struct run *run, struct laz_err *err)
{
    static const int numbers[] = {
            SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD};
    sigset_t set;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        (void)sigaddset(&set, numbers[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &set, &run->before);
    run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signals < 0) {
        return laz_err_set(err, LAZ_E_SYSTEM, errno, "signalfd: %s", strerror(errno));
    }
    run->event = event_new(run->base, run->signals, EV_READ | EV_PERSIST, on_signal, run);
    if (run->event == NULL || event_add(run->event, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    return 0;
}

static _Noreturn void exec_in_child(const struct run *run, char *const *command)
{
    (void)sigprocmask(SIG_SETMASK, &run->before, NULL);
    const char *program = command[0] == NULL ? "" : command[0]; /* the words have been counted */
    (void)execvp(program, command);
    bool is_absent = errno == ENOENT || errno == ENOTDIR;
    (void)fprintf(stderr, "lazaret: error: %s: %.256s: %s\n",
            is_absent ? "command-not-found" : "command-not-executable", program, strerror(errno));
    _exit(is_absent ? EXIT_ABSENT : EXIT_NOT_RUN);
}

static uint64_t now_s(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec;
}

/* Its exit code stays what it was: whoever runs a job again because of this would run it twice. */
static void release(struct run *run, uint64_t overtime_s)
{
    struct asked asked;
    run->child = -1; /* no signal is for anybody any more */
    if (overtime_s > 0) {
        (void)fprintf(stderr,
                "lazaret: warning: the protection ended %llu s before the command: say more "
                "--minutes\n",
                (unsigned long long)overtime_s);
    }
    if (!ask(run->base, LAZ_ECS_RELEASE, 0, RELEASE_MS, &asked)) {
        (void)fprintf(stderr,
                "lazaret: warning: the protection could not be given back, and ends by itself: "
                "%s\n",
                asked.why);
    }
}

static int run_command(struct run *run, char *const *command, unsigned minutes)
{
    struct asked asked;
    if (!ask(run->base, LAZ_ECS_PROTECT, minutes, ASK_MS, &asked) && run->stop_signal == 0) {
        put_refusal(&asked);
        release(run, 0); /* an answer that did not come is no proof that nothing was done */
        return EXIT_OWN;
    }
    if (run->stop_signal != 0) {
        release(run, 0);
        return 128 + run->stop_signal;
    }
    uint64_t began_s = now_s();
    run->child = fork();
    if (run->child == 0) {
        exec_in_child(run, command);
    }
    if (run->child < 0) {
        (void)fprintf(stderr, "lazaret: error: system-error: fork: %s\n", strerror(errno));
        release(run, 0);
        return EXIT_OWN;
    }
    while (run->child > 0 && event_base_dispatch(run->base) == 0) {
    }
    uint64_t took_s = now_s() - began_s;
    release(run, took_s > minutes * UINT64_C(60) ? took_s - minutes * UINT64_C(60) : 0);
    return WIFSIGNALED(run->status) ? 128 + WTERMSIG(run->status) : WEXITSTATUS(run->status);
}

static int protect_command(
        struct event_base *base, const struct laz_cli_arguments *arguments, unsigned minutes)
{
    struct laz_err err = {0};
    struct run run = {.base = base, .signals = -1};
    char **command = calloc(arguments->n_operands + 1, sizeof(*command));
    int result = EXIT_OWN;
    if (command == NULL) {
        (void)laz_err_set(&err, LAZ_E_MEMORY, 0, "no memory for a command");
        (void)laz_cli_fail(&err, false);
        return result;
    }
    for (size_t i = 0; i < arguments->n_operands; i++) {
        command[i] = arguments->operands[i];
    }
    if (begin_signals(&run, &err) < 0) {
        (void)laz_cli_fail(&err, false);
    } else {
        result = run_command(&run, command, minutes);
    }
    if (run.event != NULL) {
        event_free(run.event);
    }
    laz_fd_close(&run.signals);
    free(command);
    return result;
}

/* ---- which of them ---- */

static int read_minutes(
        const struct laz_cli_arguments *arguments, unsigned *ret, struct laz_err *err)
{
    uint64_t minutes = LAZ_ECS_MINUTES;
    const char *text = arguments->minutes;
    if (text != NULL &&
            (!laz_parse_u64(text, strlen(text), LAZ_ECS_MINUTES_MAX, &minutes) || minutes == 0)) {
        return laz_err_set(
                err, LAZ_E_USAGE, 0, "--minutes: a number from 1 to %d", LAZ_ECS_MINUTES_MAX);
    }
    *ret = (unsigned)minutes;
    return 0;
}

static struct event_base *begin_loop(struct laz_err *err)
{
    struct event_base *base = event_base_new();
    if (base == NULL) {
        (void)laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for an event loop");
    }
    return base;
}

static int protect_by_word(
        const struct laz_cli_arguments *arguments, enum laz_ecs_question question)
{
    struct laz_err err = {0};
    unsigned minutes = 0;
    struct event_base *base = NULL;
    if (read_minutes(arguments, &minutes, &err) < 0 || (base = begin_loop(&err)) == NULL) {
        return laz_cli_fail(&err, arguments->json);
    }
    int result = say_word(base, question, minutes, arguments->json);
    event_base_free(base);
    return result;
}

int laz_cli_protect_on(const struct laz_cli_arguments *arguments)
{
    return protect_by_word(arguments, LAZ_ECS_PROTECT);
}

int laz_cli_protect_off(const struct laz_cli_arguments *arguments)
{
    return protect_by_word(arguments, LAZ_ECS_RELEASE);
}

int laz_cli_protect_status(const struct laz_cli_arguments *arguments)
{
    return protect_by_word(arguments, LAZ_ECS_PROTECTED);
}

/* "protect --minutes 5 on" is hardly a command of that name. */
static bool is_word(const char *text)
{
    return strcmp(text, "on") == 0 || strcmp(text, "off") == 0 || strcmp(text, "status") == 0;
}

int laz_cli_protect(const struct laz_cli_arguments *arguments)
{
    struct laz_err err = {0};
    unsigned minutes = 0;
    struct event_base *base = NULL;
    const char *first = arguments->operands[0];
    if (!arguments->after_dashes && is_word(first)) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0,
                "options stand behind the word, protect %s; or put -- in front of a command of "
                "that name",
                first);
        return laz_cli_fail(&err, false);
    }
    if (arguments->minutes == NULL) {
        (void)laz_err_set(&err, LAZ_E_USAGE, 0,
                "protect COMMAND needs --minutes: for how long at most, if nobody gives it back");
        return laz_cli_fail(&err, false);
    }
    if (read_minutes(arguments, &minutes, &err) < 0 || (base = begin_loop(&err)) == NULL) {
        return laz_cli_fail(&err, false);
    }
    int result = protect_command(base, arguments, minutes);
    event_base_free(base);
    return result;
}
