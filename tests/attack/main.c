/* SPDX-License-Identifier: Apache-2.0
 *
 * `attack list` prints the table; `attack run` makes the attempts, each in a child with a time
 * limit, and prints ID, name, outcome and the child's process id, so that events can be laid beside
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "numbers.h"

#define ATTEMPT_LIMIT_MS  10000
#define STOP_WAIT_MS      300
#define BYSTANDER_WAIT_MS 10000

const struct attack_row attack_rows[] = {
#define ROW(id, function, name, proves, control, promise, except, event, seen)                     \
    {id, name, proves, control, promise, except, event, seen, attack_##function},
#include "rows.def"
#undef ROW
};
const size_t attack_row_count = sizeof(attack_rows) / sizeof(attack_rows[0]);

static void sleep_ms(long ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL); /* a short sleep only makes the loop turn once more */
}

static void list(void)
{
    puts("# id\tname\tproves\tcontrol\tpromise\texcept\tevent\tseen");
    for (size_t i = 0; i < attack_row_count; i++) {
        const struct attack_row *row = &attack_rows[i];
        printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row->id, row->name, row->proves, row->control,
                row->promise, row->except, row->event, row->seen);
    }
}

/* Whether a SIGTERM, which stays blocked all the time, arrives within the time. */
static bool stop_arrives(long within_ms)
{
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    const struct timespec limit = {
            .tv_sec = within_ms / 1000, .tv_nsec = within_ms % 1000 * 1000000};
    return sigtimedwait(&term, NULL, &limit) == SIGTERM;
}

/* Wait for the child; false if it had to be killed. */
static bool wait_for(pid_t child, int *ret_status)
{
    for (int waited_ms = 0; waited_ms < ATTEMPT_LIMIT_MS; waited_ms++) {
        if (waitpid(child, ret_status, WNOHANG) == child) {
            return true;
        }
        sleep_ms(1);
    }
    (void)kill(child, SIGKILL);
    (void)waitpid(child, ret_status, 0);
    return false;
}

static void put_outcome(const struct attack_row *row, const struct attack_note *note, bool in_time,
        int status, pid_t child)
{
    printf("%s\t%s\t", row->id, row->name);
    if (!in_time) {
        fputs("timeout", stdout);
    } else if (WIFSIGNALED(status)) {
        printf("killed:SIG%s", sigabbrev_np(WTERMSIG(status)));
    } else if (note->result < 0) {
        fputs("vanished", stdout);
    } else if (note->wants_stop && stop_arrives(STOP_WAIT_MS)) {
        fputs("ok", stdout);
    } else if (note->text[0] != '\0') {
        fputs(note->text, stdout);
    } else if (note->result == 0) {
        fputs("ok", stdout);
    } else if (attack_errno_name(note->result) != NULL) {
        fputs(attack_errno_name(note->result), stdout);
    } else {
        printf("errno:%d", note->result);
    }
    printf("\t%d\n", child);
    fflush(stdout);
}

static int run_row(const struct attack_row *row, struct attack_note *note)
{
    *note = (struct attack_note){.result = -1};
    pid_t child = fork();
    if (child < 0) {
        fprintf(stderr, "attack: %s: fork: %s\n", row->id, strerror(errno));
        return -1;
    }
    if (child == 0) {
        (void)setpgid(0, 0); /* so that the kill below reaches what the attempt has forked */
        note->result = row->attempt(note);
        _exit(0);
    }
    int status = 0;
    bool in_time = wait_for(child, &status);
    (void)kill(-child, SIGKILL); /* mostly there is nobody left */
    put_outcome(row, note, in_time, status, child);
    return 0;
}

static bool is_wanted(const char *id, char **ids, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return n == 0;
}

static int run(char **ids, int n)
{
    struct attack_note *note =
            mmap(NULL, sizeof(*note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (note == MAP_FAILED) {
        perror("attack: mmap");
        return 1;
    }
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &term, NULL);
    int made = 0;
    for (size_t i = 0; i < attack_row_count; i++) {
        if (!is_wanted(attack_rows[i].id, ids, n)) {
            continue;
        }
        if (run_row(&attack_rows[i], note) != 0) {
            return 1;
        }
        made++;
    }
    if (made == 0 || (n > 0 && made != n)) {
        fprintf(stderr, "attack: %d of %d named rows exist\n", made, n);
        return 2;
    }
    return 0;
}

/* What the promises depend on: the ABI of Landlock (0: none), and whether memory can be W^X for
 * good. */
static int print_kernel(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    printf("landlock=%ld mdwe=%d\n", abi < 0 ? 0 : abi, prctl(PR_GET_MDWE, 0, 0, 0, 0) >= 0);
    return 0;
}

static int wait_for_bystander(void)
{
    for (int waited_ms = 0; waited_ms < BYSTANDER_WAIT_MS; waited_ms += 5) {
        if (attack_bystander_pid() != 0) {
            return 0;
        }
        sleep_ms(5);
    }
    fputs("attack: no bystander came\n", stderr);
    return 1;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "list") == 0) {
        list();
        return 0;
    }
    if (strcmp(verb, "run") == 0) {
        return run(argv + 2, argc - 2);
    }
    if (strcmp(verb, "run-beside") == 0) {
        return wait_for_bystander() == 0 ? run(argv + 2, argc - 2) : 1;
    }
    if (strcmp(verb, "kernel") == 0) {
        return print_kernel();
    }
    if (strcmp(verb, "bystander") == 0) {
        return attack_bystander_main();
    }
    /* What the attempts execute. */
    if (strcmp(verb, "exit-42") == 0) {
        return 42;
    }
    if (strcmp(verb, "is-root") == 0) {
        return geteuid() == 0 ? 100 : 101;
    }
    fputs("usage: attack list | run [ID...] | run-beside [ID...] | kernel | bystander\n", stderr);
    return 2;
}
