/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/event-names.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "recorder/event.h"

const char *event_kind_name(unsigned kind)
{
	static const char *const names[EVENT_N] = {
		[EVENT_SYSCALL] = "syscall", [EVENT_MORE] = "more", [EVENT_CLOCK] = "clock",
		[EVENT_TSC] = "tsc", [EVENT_CREATE] = "create", [EVENT_START] = "start",
		[EVENT_GONE] = "gone", [EVENT_SIGNAL] = "signal", [EVENT_FATAL] = "fatal",
		[EVENT_ASYNC] = "async", [EVENT_RESUME] = "resume", [EVENT_SNAPSHOT] = "snapshot",
		[EVENT_EXIT] = "exit", [EVENT_EXEC] = "exec",
		[EVENT_PI_WAIT] = "pi-wait", [EVENT_FORK] = "fork",
		[EVENT_SITES] = "sites", [EVENT_PAGE_OUT] = "page-out", [EVENT_PAGE_IN] = "page-in",
		[EVENT_TURN] = "turn",
		[EVENT_INSTRUCTION] = "instruction", [EVENT_STUB] = "stub",
	};

	return kind < EVENT_N && names[kind] ? names[kind] : "unknown";
}

const char *event_clock_name(unsigned clock)
{
	static const char *const names[] = {
		"REALTIME", "MONOTONIC", "PROCESS_CPUTIME_ID", "THREAD_CPUTIME_ID", "MONOTONIC_RAW",
		"REALTIME_COARSE", "MONOTONIC_COARSE", "BOOTTIME", "REALTIME_ALARM", "BOOTTIME_ALARM",
		NULL, "TAI",
	};

	if (clock == EVENT_CLOCK_TIMEOFDAY)
		return "gettimeofday";
	if (clock == EVENT_CLOCK_TIME)
		return "time";
	return clock < sizeof(names) / sizeof(names[0]) ? names[clock] : NULL;
}

const char *event_signal_name(int signal, char text[16])
{
	const char *name = signal > 0 ? sigabbrev_np(signal) : NULL;

	if (name)
		(void) snprintf(text, 16, "SIG%s", name);
	else if (signal >= 32 && signal <= 64)
		(void) snprintf(text, 16, "SIGRT_%d", signal - 32);
	else
		(void) snprintf(text, 16, "%d", signal);
	return text;
}
