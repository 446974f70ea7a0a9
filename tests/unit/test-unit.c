/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ctl/unit.c: what a drop-in must say for systemd to run the same as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ctl/unit.h"

static void assert_quoted(const char *word, bool keep_dollar, const char *wanted)
{
	char *quoted = unit_quote(word, keep_dollar);

	assert_string_equal(quoted, wanted);
	free(quoted);
}

static void quotes_what_needs_it(void **state)
{
	(void) state;
	assert_quoted("/usr/bin/redis-server", false, "/usr/bin/redis-server");
	assert_quoted("", false, "\"\"");
	assert_quoted("two words", false, "\"two words\"");
	assert_quoted(";", false, "\";\"");
	assert_quoted("it's", false, "\"it's\"");
	assert_quoted("say \"no\"", false, "\"say \\\"no\\\"\"");
	assert_quoted("back\\slash", false, "\"back\\\\slash\"");
	assert_quoted("a\nb\tc\x7f", false, "\"a\\nb\\x09c\\x7f\"");
	assert_quoted("gr\xc3\xbc\xc3\x9f", false, "\"gr\xc3\xbc\xc3\x9f\"");
}

/* Specifiers have been replaced already; variables haven't, but for those of a path. */
static void keeps_signs_from_systemd(void **state)
{
	(void) state;
	assert_quoted("100%", false, "100%%");
	assert_quoted("%n", false, "%%n");
	assert_quoted("$WORD", false, "$WORD");
	assert_quoted("$$", false, "$$");
	assert_quoted("/opt/a$b", true, "/opt/a$$b");
}

static const char template[] = "# @UNIT@\nExecStart=\nExecStart=@COMMAND@\n@EXTRA@\n";

static void assert_dropin(const struct unit *unit, const char *wanted)
{
	char *text = NULL;

	assert_int_equal(unit_dropin(unit, "/l", template, &text), 0);
	assert_string_equal(text, wanted);
	free(text);
}

static void fills_the_template(void **state)
{
	char *argv[] = { (char *)"/bin/x", (char *)"-a", (char *)"b c", NULL };
	struct unit unit = { .id = (char *)"x.service", .path = argv[0], .argv = argv,
			     .syslog_identifier = (char *)"" };

	(void) state;
	assert_dropin(&unit, "# x.service\nExecStart=\n"
			     "ExecStart=/l --unit x.service -- /bin/x -a \"b c\"\nSyslogIdentifier=x\n");
	unit.syslog_identifier = (char *)"own";
	unit.limits_paths = true;
	(void) strcpy(unit.wanted_calls, "one two");
	(void) strcpy(unit.prefix, "-+");
	assert_dropin(&unit, "# x.service\nExecStart=\n"
			     "ExecStart=-+/l --unit x.service -- /bin/x -a \"b c\"\nExecPaths=/l\nSystemCallFilter=one two\n");
}

static void keeps_another_name(void **state)
{
	char *argv[] = { (char *)"-sh", NULL };
	struct unit unit = { .id = (char *)"x.service", .path = (char *)"/bin/s$h", .argv = argv,
			     .syslog_identifier = (char *)"own" };

	(void) state;
	assert_dropin(&unit, "# x.service\nExecStart=\n"
			     "ExecStart=/l --unit x.service --argv0 -sh -- /bin/s$$h\n");
	(void) strcpy(unit.prefix, ":");
	assert_dropin(&unit, "# x.service\nExecStart=\n"
			     "ExecStart=:/l --unit x.service --argv0 -sh -- /bin/s$h\n");
}

static void is_beside_the_unit(void **state)
{
	struct unit unit = { .id = (char *)"a@b.service" };
	char *path = NULL;

	(void) state;
	assert_int_equal(unit_dropin_path(&unit, &path), 0);
	assert_string_equal(path, "/etc/systemd/system/a@b.service.d/50-blackbox.conf");
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_what_needs_it), cmocka_unit_test(keeps_signs_from_systemd),
		cmocka_unit_test(fills_the_template),	cmocka_unit_test(keeps_another_name),
		cmocka_unit_test(is_beside_the_unit),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
