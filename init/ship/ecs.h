/* SPDX-License-Identifier: Apache-2.0
 *
 * Which task of ECS this is: asked once in a run, before its trail begins, and kept over a crash,
 * because every record of a trail names the same task.
 */
#ifndef LAZ_INIT_SHIP_ECS_H
#define LAZ_INIT_SHIP_ECS_H

#include "core/json.h"
#include "net/ecs.h"

struct laz_ship;

/* The port of the agent, if there is one to ask; else 0. */
uint16_t laz_ship_ecs_port(const struct laz_ship *ship);
/* Narrowed already, and before anything is opened that names the task. Takes 4 seconds at most, and
 * none where nobody is to be asked; a FINISH that comes meanwhile ends it. LAZ_E_MEMORY alone: who
 * does not answer leaves the task unnamed. */
LAZ_MUST_CHECK int laz_ship_ecs_learn(struct laz_ship *ship, struct laz_err *err);
/* The event ecs.metadata, once in a run. */
void laz_ship_ecs_tell(struct laz_ship *ship);
/* NULL: this is no task, or nobody answered. */
const struct laz_ecs_facts *laz_ship_ecs_facts(const struct laz_ship *ship);
/* "" where it is not known. */
const char *laz_ship_ecs_task_id(const struct laz_ship *ship);
/* The members of them that the health of a task shows. */
void laz_ship_ecs_put(struct laz_json *json, const struct laz_ecs_facts *facts);

#endif
