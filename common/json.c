/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/json.h"

#include <stddef.h>

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		(void) json_object_object_get_ex(object, key, &value);
	return value;
}

const char *json_text(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);

	return value ? json_object_get_string(value) : "";
}

int64_t json_number(struct json_object *object, const char *key)
{
	return json_object_get_int64(member(object, key));
}

uint64_t json_count(struct json_object *object, const char *key)
{
	return json_object_get_uint64(member(object, key));
}

struct json_object *json_list(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key);

	return json_object_is_type(value, json_type_array) ? value : NULL;
}

void json_copy_member(struct json_object *from, const char *key, struct json_object *to)
{
	(void) json_object_object_add(to, key, json_object_get(member(from, key)));
}
