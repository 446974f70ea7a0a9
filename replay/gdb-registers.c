/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/gdb-registers.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/xstate.h"

enum source {
	GREG,		/* a general register; at: its number in event.h */
	SEGMENT,	/* at: 0 %cs, 1 %ss, 2 the others, which are 0 */
	X87, X87_TAGS,	/* at: offset in the FXSAVE area */
	SSE, MXCSR,
	ORIG_RAX, FS_BASE, GS_BASE,
	COMPONENT,	/* at: offset in the component of the XSAVE area */
};

/* A run of registers; %d in its name counts from `first`. */
struct row {
	const char *feature;	/* where another begins, else NULL */
	const char *name;
	uint8_t n, first;
	uint16_t bits;
	const char *type;
	enum source source;
	uint16_t at, stride;
	uint16_t len;		/* of each, in the source; the rest is zero */
	uint8_t component;
};

#define GENERAL(name, reg) { NULL, name, 1, 0, 64, "int64", GREG, reg, 0, 8, 0 }
#define SEGMENT_ROW(name, at) { NULL, name, 1, 0, 32, "int32", SEGMENT, at, 0, 4, 0 }
#define X87_ROW(name, at, len) \
	{ NULL, name, 1, 0, 32, "int", X87, at, 0, len, 0 }
#define VECTOR(feature, name, n, first, bits, type, at, stride, component) \
	{ feature, name, n, first, bits, type, COMPONENT, at, stride, (bits) / 8, component }

enum { AVX = 2, MASKS = 5, ZMM_HIGH = 6, ZMM_MORE = 7 };

static const struct row rows[] = {
	{ "core", "rax", 1, 0, 64, "int64", GREG, REG_RAX_, 0, 8, 0 },
	GENERAL("rbx", REG_RBX_), GENERAL("rcx", REG_RCX_), GENERAL("rdx", REG_RDX_),
	GENERAL("rsi", REG_RSI_), GENERAL("rdi", REG_RDI_),
	{ NULL, "rbp", 1, 0, 64, "data_ptr", GREG, REG_RBP_, 0, 8, 0 },
	{ NULL, "rsp", 1, 0, 64, "data_ptr", GREG, REG_RSP_, 0, 8, 0 },
	{ NULL, "r%d", 8, 8, 64, "int64", GREG, REG_R8_, 1, 8, 0 },
	{ NULL, "rip", 1, 0, 64, "code_ptr", GREG, REG_RIP_, 0, 8, 0 },
	{ NULL, "eflags", 1, 0, 32, "i386_eflags", GREG, REG_EFL_, 0, 4, 0 },
	SEGMENT_ROW("cs", 0), SEGMENT_ROW("ss", 1), SEGMENT_ROW("ds", 2), SEGMENT_ROW("es", 2),
	SEGMENT_ROW("fs", 2), SEGMENT_ROW("gs", 2),
	{ NULL, "st%d", 8, 0, 80, "i387_ext", X87, 32, 16, 10, 0 },
	X87_ROW("fctrl", 0, 2), X87_ROW("fstat", 2, 2),
	{ NULL, "ftag", 1, 0, 32, "int", X87_TAGS, 4, 0, 2, 0 },
	X87_ROW("fiseg", 12, 2), X87_ROW("fioff", 8, 4), X87_ROW("foseg", 20, 2),
	X87_ROW("fooff", 16, 4), X87_ROW("fop", 6, 2),
	{ "sse", "xmm%d", 16, 0, 128, "vec128", SSE, FXSAVE_XMM, 16, 16, 1 },
	{ NULL, "mxcsr", 1, 0, 32, "i386_mxcsr", MXCSR, FXSAVE_MXCSR, 0, 4, 0 },
	{ "linux", "orig_rax", 1, 0, 64, "int64", ORIG_RAX, 0, 0, 8, 0 },
	{ "segments", "fs_base", 1, 0, 64, "int64", FS_BASE, 0, 0, 8, 0 },
	{ NULL, "gs_base", 1, 0, 64, "int64", GS_BASE, 0, 0, 8, 0 },
	VECTOR("avx", "ymm%dh", 16, 0, 128, "uint128", 0, 16, AVX),
	VECTOR("avx512", "k%d", 8, 0, 64, "uint64", 0, 8, MASKS),
	VECTOR(NULL, "zmm%dh", 16, 0, 256, "v2ui128", 0, 32, ZMM_HIGH),
	VECTOR(NULL, "xmm%d", 16, 16, 128, "vec128", 0, 64, ZMM_MORE),
	VECTOR(NULL, "ymm%dh", 16, 16, 128, "uint128", 16, 64, ZMM_MORE),
	VECTOR(NULL, "zmm%dh", 16, 16, 256, "v2ui128", 32, 64, ZMM_MORE),
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

/* -- the processor ------------------------------------------------------------------------------- */

/* Where in the XSAVE area a component is (CPUID leaf 0xd). False: this processor has none. */
static bool component_at(unsigned component, uint32_t *ret_offset)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d) || !(a >> component & 1) ||
	    !__get_cpuid_count(0xd, component, &a, &b, &c, &d))
		return false;
	*ret_offset = b;
	return true;
}

static bool is_there(const struct row *row)
{
	uint32_t ignored;

	return row->source != COMPONENT || component_at(row->component, &ignored);
}

/* -- the description ----------------------------------------------------------------------------- */

static const char vector_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>";

static const char flag_types[] =
	"<flags id=\"i386_eflags\" size=\"4\">"
	"<field name=\"\" start=\"22\" end=\"31\"/>"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
	"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
	"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
	"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
	"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
	"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
	"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
	"<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char mxcsr_type[] =
	"<flags id=\"i386_mxcsr\" size=\"4\">"
	"<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
	"<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
	"<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
	"<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
	"<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
	"<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
	"<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/></flags>";

/* What a feature's registers need declared before them. */
static void put_types(FILE *to, const char *feature)
{
	if (strcmp(feature, "core") == 0)
		(void) fputs(flag_types, to);
	if (strcmp(feature, "sse") == 0 || strcmp(feature, "avx512") == 0)
		(void) fputs(vector_types, to);
	if (strcmp(feature, "sse") == 0)
		(void) fputs(mxcsr_type, to);
	if (strcmp(feature, "avx512") == 0)
		(void) fputs("<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>", to);
}

static void register_name(char *name, size_t size, const struct row *row, unsigned i)
{
	const char *percent = strstr(row->name, "%d");

	if (!percent)
		(void) snprintf(name, size, "%s", row->name);
	else
		(void) snprintf(name, size, "%.*s%u%s", (int)(percent - row->name), row->name,
				row->first + i, percent + 2);
}

int gdb_describe(char **ret_xml)
{
	char *xml = NULL, name[32];
	size_t len;
	FILE *to = open_memstream(&xml, &len);

	if (!to)
		return -ENOMEM;
	(void) fputs("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"
		     "<architecture>i386:x86-64</architecture><osabi>GNU/Linux</osabi>", to);
	for (size_t r = 0; r < N_ROWS; r++) {
		if (!is_there(&rows[r]))
			continue;
		if (rows[r].feature) {
			(void) fprintf(to, "%s<feature name=\"org.gnu.gdb.i386.%s\">",
				       r ? "</feature>" : "", rows[r].feature);
			put_types(to, rows[r].feature);
		}
		for (unsigned i = 0; i < rows[r].n; i++) {
			register_name(name, sizeof(name), &rows[r], i);
			(void) fprintf(to, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", name, rows[r].bits,
				       rows[r].type);
		}
	}
	(void) fputs("</feature></target>", to);
	if (fclose(to) != 0) {
		free(xml);
		return -ENOMEM;
	}
	*ret_xml = xml;
	return 0;
}

/* -- values ---------------------------------------------------------------------------------------- */

struct saved {
	const struct thread_view *view;
	uint64_t bv;			/* which components are there */
	uint32_t len;
	uint8_t area[XSTATE_HASHED_MAX] __attribute__((aligned(8)));	/* it has words in it */
};

static int read_saved(const struct session *session, const struct thread_view *view,
		      struct saved *ret)
{
	const struct fpx_sw_bytes *sw = xstate_sw(ret->area);
	uint64_t at;
	ssize_t n;

	ret->view = view;
	ret->bv = 3;
	ret->len = FXSAVE_LEN;
	memset(ret->area, 0, sizeof(ret->area));
	if (pread(session_mem(session), &at, sizeof(at), (off_t)(view->frame + UCONTEXT_FPSTATE)) !=
	    sizeof(at))
		return -EFAULT;
	n = pread(session_mem(session), ret->area, sizeof(ret->area), (off_t)at);
	if (n < XSAVE_EXTENDED)
		return -EFAULT;
	if (sw->magic1 == XSTATE_MAGIC1) {
		ret->bv = *xstate_bv(ret->area);
		ret->len = sw->xstate_size < (uint32_t)n ? sw->xstate_size : (uint32_t)n;
	}
	return 0;
}

/* FXSAVE has one bit a register, empty or not; gdb wants two, with what is in it. */
static uint16_t x87_tags(const uint8_t *area)
{
	unsigned top = area[3] >> 3 & 7;
	uint16_t tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *st = area + 32 + 16 * ((i - top) & 7);
		uint64_t mantissa;
		uint16_t exponent;
		unsigned tag = 3;

		memcpy(&mantissa, st, sizeof(mantissa));
		memcpy(&exponent, st + 8, sizeof(exponent));
		exponent &= 0x7fff;
		if (area[4] >> i & 1)
			tag = exponent == 0x7fff ? 2 : exponent == 0 ? (mantissa ? 2 : 1) : mantissa >> 63 ? 0 : 2;
		tags |= (uint16_t)(tag << (2 * i));
	}
	return tags;
}

static void x87_value(const struct saved *s, const struct row *row, unsigned i, uint8_t *value)
{
	static const uint16_t initial_control = 0x37f;
	uint16_t tags = s->bv & 1 ? x87_tags(s->area) : 0xffff;

	if (row->source == X87_TAGS)
		memcpy(value, &tags, sizeof(tags));
	else if (s->bv & 1)
		memcpy(value, s->area + row->at + i * row->stride, row->len);
	else if (row->at == FXSAVE_FCW)
		memcpy(value, &initial_control, sizeof(initial_control));
}

static void component_value(const struct saved *s, const struct row *row, unsigned i, uint8_t *value)
{
	uint32_t offset, at;

	if (!(s->bv >> row->component & 1) || !component_at(row->component, &offset))
		return;
	at = offset + row->at + i * row->stride;
	if (at + row->len <= s->len)
		memcpy(value, s->area + at, row->len);
}

static void get_value(const struct saved *s, const struct row *row, unsigned i, uint8_t *value)
{
	static const uint64_t no_call = UINT64_MAX;
	static const uint16_t segments[3] = { 0x33, 0x2b, 0 };

	switch (row->source) {
	case GREG:
		memcpy(value, &s->view->regs[row->at + i * row->stride], row->len);
		break;
	case SEGMENT:
		memcpy(value, &segments[row->at], sizeof(segments[0]));
		break;
	case X87:
	case X87_TAGS:
		x87_value(s, row, i, value);
		break;
	case SSE:
		if (!(s->bv >> 1 & 1))
			break;
		memcpy(value, s->area + row->at + i * row->stride, row->len);
		break;
	case MXCSR:
		memcpy(value, s->area + row->at, row->len);
		break;
	case ORIG_RAX:
		memcpy(value, &no_call, sizeof(no_call));
		break;
	case FS_BASE:
		memcpy(value, &s->view->fs_base, row->len);
		break;
	case GS_BASE:	/* the agent's; the program's is 0 */
		break;
	case COMPONENT:
		component_value(s, row, i, value);
		break;
	}
}

static void add_value(const struct saved *s, const struct row *row, unsigned i, struct rsp_text *to)
{
	uint8_t value[64] = { 0 };

	get_value(s, row, i, value);
	rsp_add_hex(to, value, row->bits / 8u);
}

int gdb_registers(const struct session *session, const struct thread_view *view, struct rsp_text *to)
{
	struct saved saved;
	int r = read_saved(session, view, &saved);

	if (r < 0)
		return r;
	for (size_t row = 0; row < N_ROWS; row++)
		for (unsigned i = 0; is_there(&rows[row]) && i < rows[row].n; i++)
			add_value(&saved, &rows[row], i, to);
	return 0;
}

int gdb_register(const struct session *session, const struct thread_view *view, uint64_t number,
		 struct rsp_text *to)
{
	struct saved saved;
	int r = read_saved(session, view, &saved);

	if (r < 0)
		return r;
	for (size_t row = 0; row < N_ROWS; row++) {
		if (!is_there(&rows[row]))
			continue;
		if (number < rows[row].n) {
			add_value(&saved, &rows[row], (unsigned)number, to);
			return 0;
		}
		number -= rows[row].n;
	}
	return -ENOENT;
}
