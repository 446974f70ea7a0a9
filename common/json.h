/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json - members of JSON objects that others wrote
 *
 * What isn't there, or isn't in an object, reads as empty. Who must know the difference
 * asks json-c itself.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

/* The text of a member, which lives as long as it does; "" if it isn't there. */
const char *json_text(struct json_object *object, const char *key);

/* The number of a member; 0 if it isn't there. Beyond INT64_MAX: INT64_MAX. */
int64_t json_number(struct json_object *object, const char *key);

/* The same for what is beyond INT64_MAX, too; 0 for what is negative. */
uint64_t json_count(struct json_object *object, const char *key);

/* The member if it is an array, else NULL. */
struct json_object *json_list(struct json_object *object, const char *key);

/* Gives @to the member of @from, null if there is none. */
void json_copy_member(struct json_object *from, const char *key, struct json_object *to);
