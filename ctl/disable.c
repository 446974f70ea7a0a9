/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl disable: removes what `enable' wrote. */
#include <errno.h>
#include <stdio.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "ctl/unit.h"

static int disable(sd_bus *bus, const char *name)
{
	autoclean(unit_deinit) struct unit unit = { 0 };
	int r = unit_load(bus, name, &unit);

	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? EXIT_BAD_INPUT : EXIT_FAILED;
	r = remove_dropin(&unit);
	if (r == -ENOENT) {
		log_notice("%s wasn't enabled", unit.id);
		return EXIT_DONE;
	}
	if (r == 0)
		r = unit_reload(bus);
	if (r < 0)
		return EXIT_FAILED;
	(void) printf("%s starts unrecorded from now on; what runs is recorded until it ends\n", unit.id);
	return EXIT_DONE;
}

int verb_disable(int argc, char **argv)
{
	const char *unit = NULL;
	sd_bus *bus;
	int status;

	if (parse_unit(argc, argv, "Has a service of systemd start unrecorded again. One that runs is "
		       "recorded until it ends.", &unit) < 0)
		return EXIT_BAD_INPUT;
	if (open_bus(&bus) < 0)
		return EXIT_FAILED;
	status = disable(bus, unit);
	(void) sd_bus_flush_close_unref(bus);
	return status;
}
