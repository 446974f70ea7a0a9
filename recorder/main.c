/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackbox-recorder: a recorder as a program, for blackboxd. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "recorder/recorder.h"

static int read_arguments(int argc, char **argv, struct policy *policy)
{
	struct policy_error error;

	if (argc < 2) {
		log_error("usage: blackbox-recorder DIRECTORY KEY=VALUE... (started by blackboxd)");
		return -EINVAL;
	}
	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');
		int ret;

		if (!value)
			return -EINVAL;
		*value++ = '\0';
		ret = policy_set(policy, argv[i], value, &error);
		if (ret < 0) {
			log_error("%s", error.text);
			return ret;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct policy policy;
	int ret;

	log_setup("blackbox-recorder");
	policy_init(&policy);
	ret = read_arguments(argc, argv, &policy);
	if (ret < 0) {
		log_error("can't start: %s", strerror(-ret));
		policy_deinit(&policy);
		return EXIT_FAILURE;
	}
	return recorder_run(argv[1], &policy);
}
