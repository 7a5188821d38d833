/* SPDX-License-Identifier: Apache-2.0
 *
 * Words of the policy language by value. libc only: linked into PID 1.
 */
#include "policy/vocabulary.h"

#include "core/words.h"

LAZ_WORDS(laz_action_name, laz_action, LAZ_ACTIONS, LAZ_ACTION_COUNT)
LAZ_WORDS(laz_mode_name, laz_mode, LAZ_MODES, LAZ_MODE_COUNT)
LAZ_WORDS(laz_level_name, laz_level, LAZ_LEVELS, LAZ_LEVEL_COUNT)
LAZ_WORDS(laz_plain_name, laz_plain, LAZ_PLAINS, LAZ_PLAIN_COUNT)
LAZ_WORDS(laz_require_name, laz_require, LAZ_REQUIRES, LAZ_REQUIRE_COUNT)
LAZ_WORDS(laz_path_class_name, laz_path_class, LAZ_PATH_CLASSES, LAZ_PATH_COUNT)
