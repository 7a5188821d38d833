/* SPDX-License-Identifier: Apache-2.0
 *
 * What health says to init.
 */
#include "init/health/health.h"

#define WORDS 1024 /* bytes of a message */

void laz_health_tell_verdict(const struct laz_health_role *role)
{
    const struct laz_health_verdict *verdict = &role->health.verdict;
    char memory[WORDS];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_VERDICT);
    laz_message_u8(&message, verdict->is_live ? 1 : 0);
    laz_message_u8(&message, verdict->is_ready ? 1 : 0);
    laz_message_u8(&message, verdict->is_started ? 1 : 0);
    laz_message_u8(&message, (uint8_t)verdict->checks);
    laz_message_string(&message, laz_health_state_name(verdict->state));
    laz_message_string(&message, verdict->why);
    laz_role_say(role->ear.chan, &message);
}

void laz_health_tell_number(
        const struct laz_health_role *role, enum laz_message_type type, uint32_t number)
{
    char memory[WORDS];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    laz_message_u32(&message, number);
    laz_role_say(role->ear.chan, &message);
}

void laz_health_tell_words(
        const struct laz_health_role *role, enum laz_message_type type, const char *words)
{
    char memory[WORDS];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, type);
    laz_message_string(&message, words);
    laz_role_say(role->ear.chan, &message);
}

void laz_health_tell_renewed(const struct laz_health_role *role, const char *why)
{
    char memory[WORDS];
    struct laz_buf message;
    laz_buf_init_fixed(&message, memory, sizeof(memory));
    laz_message_begin(&message, LAZ_MESSAGE_RENEWED);
    laz_message_string(&message, "health");
    laz_message_string(&message, why);
    laz_role_say(role->ear.chan, &message);
}
