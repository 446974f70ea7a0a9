/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event-names - words for what is in a log */
#pragma once

/* "syscall", "clock", ...; "unknown" for a kind that there isn't. */
const char *event_kind_name(unsigned kind);
/* "REALTIME", ... of an EVENT_CLOCK; NULL if it has no name. */
const char *event_clock_name(unsigned clock);
/* "SIGSEGV", ..., also "SIGRT_5"; @text has room for the latter. */
const char *event_signal_name(int signal, char text[16]);
