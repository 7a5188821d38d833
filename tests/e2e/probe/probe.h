/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe application: what an init under test is given to run. It says what it was given and
 * what reaches it, one JSON object a line, and behaves as badly as its arguments ask.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdint.h>
#include <sys/types.h>

#include "wire.h"

struct probe {
    int log;
    const char *name;
    volatile pid_t *last_zombie; /* shared with the children; 0 until there was a storm */
};

/* One line saying that a signal came. */
void probe_log_signal(const struct probe *probe, const struct signal_seen *seen);

/* One line with everything that system calls tell about this process (state.c). */
void probe_log_state(const struct probe *probe);

/* Leave processes behind: "KIND:MANNER" (strays.c). */
void probe_start_stray(const struct probe *probe, const char *how);

/* Hand count dead children to init: one by one, or all at once when their parent ends. */
void probe_orphans_stream(int64_t count);
void probe_orphans_batch(const struct probe *probe, int64_t count, bool wait);

/* Try to look into another process in every way there is, and log what came of it. */
void probe_pry(const struct probe *probe, pid_t pid);

#endif
