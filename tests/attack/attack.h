/* SPDX-License-Identifier: Apache-2.0
 *
 * attack: what a workload might try from inside a container, as a table. Each row is one attempt in
 * a process of its own; rows.def holds the rows and what is promised about each. Nothing here may
 * harm the machine when an attempt succeeds: whatever would is called with arguments that the
 * kernel refuses right after it has looked at permissions. Links nothing of Lazaret.
 */
#ifndef ATTACK_ATTACK_H
#define ATTACK_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The file that a bystander (started from outside, see bystander.c) leaves its process id in. */
#define ATTACK_BYSTANDER_FILE     "/tmp/bystander"
#define ATTACK_BYSTANDER_ABSTRACT "lazaret-bystander"
#define ATTACK_BYSTANDER_SOCKET   "/data/bystander.sock"

/* Sets of environments, as letters; rows.def says what they are. */
#define ALL           "RrDdPNnX" /* Lazaret sees it everywhere */
#define OURS          "RrPNnX"   /* in docker the engine's filter refuses it first, silently */
#define BUDGETED      "RrDdPNn"
#define WITH_LANDLOCK "RrDdPX"

/* Ports: what tests/data/policies/attack.yaml lists, and what it does not. */
#define ATTACK_PORT_BIND    8080
#define ATTACK_PORT_CONNECT 443

/* Where an attempt that is not simply an errno says what it saw. Shared with the parent. */
struct attack_note {
    int result;      /* what the attempt returned; -1 while it has not */
    bool wants_stop; /* the attempt sent a stop signal: see attack_stop_sent */
    char text[96];   /* a fact; "" if result says it all */
};

/* An attempt returns 0 if it did what it set out to do, else the errno that stopped it. With a text
 * in the note, the text is the outcome. It runs in a forked child and may leave any mess in its own
 * process. */
typedef int attack_attempt(struct attack_note *note);

struct attack_row {
    const char *id;
    const char *name;
    const char *proves;  /* the layer or rule that has to hold */
    const char *control; /* environments in which it works without Lazaret; "-": none */
    const char *promise; /* outcome under Lazaret */
    const char *except;  /* "LETTERS=OUTCOME;..." where the promise differs; "-": nowhere */
    const char *event;   /* "deny:OBJ", "budget:OBJ" or "-" */
    const char *seen;    /* environments in which the event is promised; "-": none */
    attack_attempt *attempt;
};

extern const struct attack_row attack_rows[];
extern const size_t attack_row_count;

/* outcome.c: from return values to outcomes. */

/* rc as a system call returns it: negative means errno. */
int attack_result(long rc);
/* The same, where `passed` is an errno that the kernel gives only after it has granted permission.
 */
int attack_reached(long rc, int passed);
/* Close the descriptor if it is one, and say how the call that returned it went. */
int attack_result_fd(long fd);
/* Format a fact into the note; returns 0. */
int attack_say(struct attack_note *note, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* "EPERM"; NULL if the number has no name here. */
const char *attack_errno_name(int number);
/* Note that the stop signal was accepted by the kernel; the parent finds out whether it took
 * effect. */
int attack_stop_sent(struct attack_note *note);

/* Open, and close again. */
int attack_open(const char *path, int flags);
/* Fork, execve, wait: the errno of execve, or 0 and the exit code. */
int attack_execute(const char *path, const char *argument, int *ret_code);
/* The process id of the bystander, or 0 if there is none. */
pid_t attack_bystander_pid(void);

/* bystander.c: the program that stands for processes which the container's init never started. */
int attack_bystander_main(void);

#define ROW(id, function, name, proves, control, promise, except, event, seen)                     \
    attack_attempt attack_##function;
#include "rows.def"
#undef ROW

#endif
