/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The drop-in's text: from what systemd has back to how unit files are written. */
#include "ctl/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"

static void strvp(char ***words)
{
	for (char **word = *words; word && *word; word++)
		free(*word);
	free(*words);
}

void unit_deinit(struct unit *unit)
{
	strvp(&unit->argv);
	free(unit->id);
	free(unit->type);
	free(unit->path);
	free(unit->syslog_identifier);
	free(unit->obstacle);
	*unit = (struct unit){ 0 };
}

/* -- quoting ---------------------------------------------------------------------------------- */

/* systemd.syntax(7): C escapes hold within quotes. */
static void quote_byte(FILE *to, unsigned char c, bool keep_dollar)
{
	if (c == '"' || c == '\\')
		(void) fprintf(to, "\\%c", c);
	else if (c == '%' || (c == '$' && keep_dollar))
		(void) fprintf(to, "%c%c", c, c);
	else if (c == '\n')
		(void) fputs("\\n", to);
	else if (c < 0x20 || c == 0x7f)
		(void) fprintf(to, "\\x%02x", c);
	else
		(void) fputc(c, to);
}

static bool is_plain(const char *word)
{
	return *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				     "/._-+=:,@$%{}~^#") == strlen(word);
}

char *unit_quote(const char *word, bool keep_dollar)
{
	bool plain = is_plain(word);
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	if (!plain)
		(void) fputc('"', to);
	for (const char *p = word; *p; p++)
		quote_byte(to, (unsigned char)*p, keep_dollar);
	if (!plain)
		(void) fputc('"', to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static int add_word(FILE *to, const char *word, bool keep_dollar)
{
	autoclean(freep) char *quoted = unit_quote(word, keep_dollar);

	return !quoted || fprintf(to, " %s", quoted) < 0 ? -ENOMEM : 0;
}

/* -- the drop-in ------------------------------------------------------------------------------- */

/*
 * The launcher with the prefixes, then the real path, which isn't looked at for
 * variables in an ExecStart= but is as the argument that it is here.
 */
static int command_line(const struct unit *unit, const char *launcher, char **ret_line)
{
	bool expands = !strchr(unit->prefix, ':');
	char *line = NULL;
	size_t len;
	FILE *to = open_memstream(&line, &len);
	int r;

	if (!to)
		return -ENOMEM;
	(void) fputs(unit->prefix, to);
	(void) fputs(launcher, to);
	(void) fputs(" --unit", to);
	r = add_word(to, unit->id, expands);
	if (r == 0 && unit->argv[0] && strcmp(unit->argv[0], unit->path) != 0) {
		(void) fputs(" --argv0", to);
		r = add_word(to, unit->argv[0], false);
	}
	(void) fputs(" --", to);
	if (r == 0)
		r = add_word(to, unit->path, expands);
	for (char **word = unit->argv + 1; r == 0 && unit->argv[0] && *word; word++)
		r = add_word(to, *word, false);
	if (fclose(to) != 0)
		r = -ENOMEM;
	if (r == 0)
		*ret_line = line;
	else
		free(line);
	return r;
}

/* What changes by the launcher's being the command, changed back. */
static int extra_lines(const struct unit *unit, const char *launcher, char **ret_lines)
{
	const char *base = strrchr(unit->path, '/');
	autoclean(freep) char *identifier = unit_quote(base ? base + 1 : unit->path, false);
	char *lines = NULL;
	size_t len;
	FILE *to = open_memstream(&lines, &len);

	if (!to || !identifier) {
		if (to)
			(void) fclose(to);
		free(lines);
		return -ENOMEM;
	}
	if (!*unit->syslog_identifier)
		(void) fprintf(to, "SyslogIdentifier=%s\n", identifier);
	if (unit->limits_paths)
		(void) fprintf(to, "ExecPaths=%s\n", launcher);
	/* Allows in a list of what is forbidden, too; without any list it would be the list. */
	if (*unit->wanted_calls)
		(void) fprintf(to, "SystemCallFilter=%s\n", unit->wanted_calls);
	if (fclose(to) != 0) {
		free(lines);
		return -ENOMEM;
	}
	*ret_lines = lines;
	return 0;
}

static void fill(FILE *to, const char *template, const char *const keys[], const char *const values[])
{
	while (*template) {
		size_t i = 0;

		while (keys[i] && strncmp(template, keys[i], strlen(keys[i])) != 0)
			i++;
		if (keys[i]) {
			(void) fputs(values[i], to);
			template += strlen(keys[i]);
		} else {
			(void) fputc(*template++, to);
		}
	}
}

int unit_dropin(const struct unit *unit, const char *launcher, const char *template, char **ret_text)
{
	static const char *const keys[] = { "@UNIT@", "@COMMAND@", "@EXTRA@\n", NULL };
	autoclean(freep) char *command = NULL, *extra = NULL;
	char *text = NULL;
	size_t len;
	FILE *to;
	int r;

	r = command_line(unit, launcher, &command);
	if (r == 0)
		r = extra_lines(unit, launcher, &extra);
	if (r < 0)
		return r;
	to = open_memstream(&text, &len);
	if (!to)
		return -ENOMEM;
	fill(to, template, keys, (const char *const[]){ unit->id, command, extra, NULL });
	if (fclose(to) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

int unit_dropin_path(const struct unit *unit, char **ret_path)
{
	return asprintf(ret_path, "/etc/systemd/system/%s.d/50-blackbox.conf", unit->id) < 0 ? -ENOMEM : 0;
}
