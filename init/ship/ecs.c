/* SPDX-License-Identifier: Apache-2.0
 *
 * The agent is asked in an event loop of its own, bounded, while nothing else is there yet. What it
 * said is in the memory that init holds: a successor reads it there.
 */
#include "init/ship/ecs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/ship/ship.h"

#define MEMBERS_MAX 3072 /* all facts, escaped */
#define SEVERITY    3    /* as degraded starts have it: nobody can say which task it was */

_Static_assert(sizeof(struct laz_ecs_facts) <= LAZ_SHIP_ECS_SIZE, "the facts fit the state");

struct asking {
    struct laz_ship *ship;
    char why[LAZ_ERR_MESSAGE_MAX];
};

static struct laz_ecs_environment environment_of(const struct laz_ship *ship)
{
    const struct laz_role_variables *variables = &ship->orders.variables;
    return (struct laz_ecs_environment){
            .uri = variables->text[LAZ_VARIABLE_ECS_METADATA_V4],
            .uri_v3 = variables->text[LAZ_VARIABLE_ECS_METADATA],
    };
}

uint16_t laz_ship_ecs_port(const struct laz_ship *ship)
{
    const struct laz_ecs_environment environment = environment_of(ship);
    return laz_ecs_port(environment.uri[0] != '\0' ? environment.uri : environment.uri_v3);
}

const struct laz_ecs_facts *laz_ship_ecs_facts(const struct laz_ship *ship)
{
    const struct laz_ecs_facts *facts = (const void *)ship->state->ecs_facts;
    return ship->state->ecs == LAZ_SHIP_ECS_KNOWN ? facts : NULL;
}

const char *laz_ship_ecs_task_id(const struct laz_ship *ship)
{
    const struct laz_ecs_facts *facts = laz_ship_ecs_facts(ship);
    return facts == NULL ? "" : laz_ecs_task_id(facts);
}

/* ---- asking ---- */

static void on_done(void *context, const struct laz_ecs_facts *facts, const char *why)
{
    struct asking *asking = context;
    struct laz_ship_state *state = asking->ship->state;
    (void)snprintf(asking->why, sizeof(asking->why), "%s", why);
    if (facts->task[0] != '\0') {
        (void)memcpy(state->ecs_facts, facts, sizeof(*facts));
        __atomic_store_n(&state->ecs, LAZ_SHIP_ECS_KNOWN, __ATOMIC_RELEASE);
    } else if (why[0] == '\0') {
        (void)snprintf(asking->why, sizeof(asking->why), "its answers name no task");
    }
    (void)event_base_loopbreak(asking->ship->base);
}

/* Init may have enough of it before the agent has. */
static void on_orders(evutil_socket_t fd, short what, void *context)
{
    struct asking *asking = context;
    (void)fd;
    (void)what;
    if (!laz_role_read_orders(&asking->ship->ear)) {
        _exit(1);
    }
    if (asking->ship->is_finishing) {
        (void)snprintf(asking->why, sizeof(asking->why), "the run ends");
        (void)event_base_loopbreak(asking->ship->base);
    }
}

static int ask(struct laz_ship *ship, struct asking *asking, struct laz_err *err)
{
    const struct laz_ecs_environment environment = environment_of(ship);
    const struct laz_ecs_owner owner = {.done = on_done, .context = asking};
    struct laz_ecs *ecs = NULL;
    struct event *orders =
            event_new(ship->base, ship->ear.chan, EV_READ | EV_PERSIST, on_orders, asking);
    if (orders == NULL || event_add(orders, NULL) != 0) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for events");
    }
    if (laz_ecs_new(ship->base, &environment, &owner, &ecs, err) < 0) {
        (void)snprintf(asking->why, sizeof(asking->why), "%s", err->message);
        *err = (struct laz_err){0};
    } else {
        (void)event_base_dispatch(ship->base);
    }
    laz_ecs_free(ecs);
    event_free(orders);
    return 0;
}

/* Asking anew after a crash could crash anew, and another answer would be another task's trail. */
int laz_ship_ecs_learn(struct laz_ship *ship, struct laz_err *err)
{
    const struct laz_ecs_environment environment = environment_of(ship);
    struct laz_ship_state *state = ship->state;
    struct asking asking = {.ship = ship, .why = "its answer ended the helper that read it"};
    int result = 0;
    if (environment.uri[0] == '\0' && environment.uri_v3[0] == '\0') {
        return 0;
    }
    if (state->ecs == LAZ_SHIP_ECS_UNASKED) {
        state->ecs = LAZ_SHIP_ECS_ASKED;
        asking.why[0] = '\0';
        result = ask(ship, &asking, err);
    }
    (void)snprintf(ship->ecs_why, sizeof(ship->ecs_why), "%s", asking.why);
    const struct laz_ecs_facts *facts = laz_ship_ecs_facts(ship);
    ship->start.task = facts == NULL ? "" : facts->task;
    return result;
}

/* ---- telling ---- */

static void put_text(struct laz_json *json, const char *key, const char *text)
{
    if (text[0] != '\0') {
        laz_json_string(json, key, text);
    }
}

void laz_ship_ecs_put(struct laz_json *json, const struct laz_ecs_facts *facts)
{
    put_text(json, "launch_type", facts->launch_type);
    put_text(json, "cluster", facts->cluster);
    put_text(json, "family", facts->family);
    put_text(json, "revision", facts->revision);
    put_text(json, "service", facts->service);
    put_text(json, "az", facts->az);
    put_text(json, "image_id", facts->image);
    put_text(json, "clock", facts->clock);
}

static void put_all(struct laz_json *json, const struct laz_ecs_facts *facts)
{
    laz_ship_ecs_put(json, facts);
    put_text(json, "container", facts->container);
    if (facts->has_clock_error) {
        laz_json_u64(json, "clock_error_us", facts->clock_error_us);
    }
    if (facts->storage_mib > 0) {
        laz_json_u64(json, "storage_used_mib", facts->storage_used_mib);
        laz_json_u64(json, "storage_mib", facts->storage_mib);
    }
}

/* First it is said to be told: a kill between the two is a gap of ship's own records. */
void laz_ship_ecs_tell(struct laz_ship *ship)
{
    char memory[MEMBERS_MAX];
    struct laz_buf members;
    struct laz_json json;
    const struct laz_ecs_facts *facts = laz_ship_ecs_facts(ship);
    if (ship->state->ecs == LAZ_SHIP_ECS_UNASKED || ship->state->ecs_told != 0) {
        return;
    }
    ship->state->ecs_told = 1;
    laz_buf_init_fixed(&members, memory, sizeof(memory));
    laz_json_init(&json, &members);
    if (facts != NULL) {
        put_all(&json, facts);
    }
    put_text(&json, "message", ship->ecs_why);
    bool is_whole = facts != NULL && ship->ecs_why[0] == '\0';
    laz_ship_note(ship, "ecs.metadata", is_whole ? 1 : SEVERITY,
            facts == NULL ? "task" : laz_ecs_task_id(facts),
            facts == NULL      ? "unavailable"
                    : is_whole ? "found"
                               : "partial",
            members.overflow ? "" : members.data);
}
