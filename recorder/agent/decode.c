/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See Intel SDM volume 2, chapter 2 (formats) and appendix A (opcode maps). */
#include "recorder/agent/decode.h"

#include <stddef.h>

#include "recorder/event.h"

/*
 * The opcode maps, one character an opcode:
 *	.  nothing follows		m  ModRM
 *	b  8-bit immediate		n  ModRM and 8-bit immediate
 *	z  16- or 32-bit immediate	y  ModRM and 16- or 32-bit immediate
 *	v  16-, 32- or 64-bit immediate	w  16-bit immediate
 *	o  address			e  16- and 8-bit immediate
 *	t  ModRM; an immediate if it says TEST (F6, F7)
 *	p  prefix or escape, dealt with before
 *	x  invalid in 64-bit mode
 */
static const char map_one[] =
	"mmmmbzxxmmmmbzxp" "mmmmbzxxmmmmbzxx" "mmmmbzpxmmmmbzpx" "mmmmbzpxmmmmbzpx"
	"pppppppppppppppp" "................" "xxxmppppzybn...." "bbbbbbbbbbbbbbbb"
	"nyxnmmmmmmmmmmmm" "..........x....." "oooo....bz......" "bbbbbbbbvvvvvvvv"
	"nnw.ppnye.w..bx." "mmmmxx..mmmmmmmm" "bbbbbbbbzzxb...." "p.pp..tt......mm";

static const char map_0f[] =
	"mmmmx.....x.xm.n" "mmmmmmmmmmmmmmmm" "mmmmxxxxmmmmmmmm" "......x.pxpxxxxx"
	"mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "nnnnmmm.mmmmmmmm"
	"zzzzzzzzzzzzzzzz" "mmmmmmmmmmmmmmmm" "...mnmxx...mnmmm" "mmmmmmmmmmnmmmmm"
	"mmnmnnnm........" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";

enum { MAP_ONE = 0, MAP_0F = 1, MAP_0F38 = 2, MAP_0F3A = 3 };

struct state {
	const uint8_t *code;
	unsigned at;
	bool operand_16, address_32, segment_fs, segment_gs;
	bool evex, vex;
	uint8_t rex_w, rex_r, rex_x, rex_b;
	uint8_t map, opcode, reg;
	uint8_t vector_len;	/* bytes; scales an EVEX disp8 */
};

static uint8_t take(struct state *s)
{
	return s->code[s->at++];
}

static int64_t take_signed(struct state *s, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)take(s) << (8 * i);
	if (bytes < 8 && value >> (8 * bytes - 1))
		value |= ~UINT64_C(0) << (8 * bytes);
	return (int64_t)value;
}

static void legacy_prefixes(struct state *s)
{
	while (s->at < 14) {
		uint8_t byte = s->code[s->at];

		switch (byte) {
		case 0x66:
			s->operand_16 = true;
			break;
		case 0x67:
			s->address_32 = true;
			break;
		case 0x64:
			s->segment_fs = true;
			break;
		case 0x65:
			s->segment_gs = true;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0xf0: case 0xf2: case 0xf3:
			break;
		default:
			if ((byte & 0xf0) == 0x40) {	/* REX: counts only right before the opcode */
				uint8_t next = s->code[s->at + 1];

				if ((next & 0xf0) == 0x40 || next == 0x66 || next == 0x67 || next == 0xf2 ||
				    next == 0xf3 || next == 0xf0 || next == 0x64 || next == 0x65 ||
				    next == 0x2e || next == 0x36 || next == 0x3e || next == 0x26)
					break;
				s->rex_w = byte >> 3 & 1;
				s->rex_r = byte >> 2 & 1;
				s->rex_x = byte >> 1 & 1;
				s->rex_b = byte & 1;
				s->at++;
			}
			return;
		}
		s->at++;
	}
}

/* The vector prefixes say map and register extensions, inverted. */
static bool vex_prefix(struct state *s, uint8_t first)
{
	uint8_t p1 = take(s), p2;

	s->vex = true;
	s->vector_len = 16;
	if (first == 0xc5) {
		s->map = MAP_0F;
		s->vector_len = p1 & 4 ? 32 : 16;
		s->opcode = take(s);
		return true;
	}
	s->rex_x = !(p1 & 0x40);
	s->rex_b = !(p1 & 0x20);
	if (first == 0xc4) {
		s->map = p1 & 0x1f;
		p2 = take(s);
		s->rex_w = p2 >> 7;
	} else {	/* 62: EVEX */
		s->evex = true;
		s->map = p1 & 7;
		p2 = take(s);
		s->rex_w = p2 >> 7;
		s->vector_len = (uint8_t)(16 << (take(s) >> 5 & 3));
	}
	s->opcode = take(s);
	return s->map >= MAP_0F && s->map <= 6;
}

static bool opcode(struct state *s)
{
	uint8_t byte = take(s);

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62)
		return vex_prefix(s, byte);
	s->map = MAP_ONE;
	if (byte == 0x0f) {
		s->map = MAP_0F;
		byte = take(s);
		if (byte == 0x38 || byte == 0x3a) {
			s->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
			byte = take(s);
		}
	}
	s->opcode = byte;
	return true;
}

static char opcode_class(const struct state *s)
{
	switch (s->map) {
	case MAP_ONE:
		return map_one[s->opcode];
	case MAP_0F:
		if (s->vex && (s->opcode & 0xf8) == 0x90)
			return 'm';	/* KMOV */
		return map_0f[s->opcode];
	case MAP_0F3A:
		return 'n';
	default:
		return 'm';
	}
}

/* Encoded register numbers to the order of recorder/event.h. */
static unsigned reg_index(unsigned number)
{
	static const uint8_t low[8] = { REG_RAX_, REG_RCX_, REG_RDX_, REG_RBX_,
					REG_RSP_, REG_RBP_, REG_RSI_, REG_RDI_ };

	return number < 8 ? low[number] : number - 8 + REG_R8_;
}

static uint64_t reg_value(const uint64_t *regs, unsigned number)
{
	return regs[reg_index(number)];
}

/* Leaves the address without what a RIP-relative operand adds once the length is known. */
static void modrm(struct state *s, const uint64_t *regs, uint64_t fs_base, struct instruction *ret)
{
	uint8_t byte = take(s), mod = byte >> 6, rm = byte & 7;
	uint64_t address = 0;
	bool has_base = true;
	unsigned base = rm;

	s->reg = byte >> 3 & 7;
	if (mod == 3)
		return;
	if (rm == 4) {
		uint8_t sib = take(s);
		unsigned index = (sib >> 3 & 7) | (unsigned)s->rex_x << 3;

		base = sib & 7;
		if (index != 4)
			address += reg_value(regs, index) << (sib >> 6);
		has_base = base != 5 || mod != 0;
		if (!has_base)
			address += (uint64_t)take_signed(s, 4);
	} else if (rm == 5 && mod == 0) {
		has_base = false;
		ret->rip_relative = true;
		address += (uint64_t)take_signed(s, 4);
	}
	if (has_base)
		address += reg_value(regs, base | (unsigned)s->rex_b << 3);
	if (mod == 1)
		address += (uint64_t)take_signed(s, 1) * (s->evex ? s->vector_len : 1);
	else if (mod == 2)
		address += (uint64_t)take_signed(s, 4);
	if (s->segment_fs)
		address += fs_base;
	ret->has_operand = !s->segment_gs;
	ret->operand = s->address_32 ? (uint32_t)address : address;
}

static void immediate(struct state *s, char class, int64_t *ret)
{
	unsigned z = s->operand_16 && !s->rex_w ? 2 : 4;

	switch (class) {
	case 'b': case 'n':
		*ret = take_signed(s, 1);
		break;
	case 'z': case 'y':
		*ret = take_signed(s, z);
		break;
	case 'v':
		*ret = take_signed(s, s->rex_w ? 8 : z);
		break;
	case 'w':
		*ret = take_signed(s, 2);
		break;
	case 'o':
		*ret = take_signed(s, s->address_32 ? 4 : 8);
		break;
	case 'e':
		*ret = take_signed(s, 3);
		break;
	case 't':
		if (s->reg < 2)
			*ret = take_signed(s, s->opcode == 0xf6 ? 1 : z);
		break;
	}
}

/* Near branches have 32-bit displacements in 64-bit mode, with whatever prefix. */
static bool is_near_branch(const struct state *s)
{
	return (s->map == MAP_ONE && (s->opcode == 0xe8 || s->opcode == 0xe9)) ||
	       (s->map == MAP_0F && !s->vex && (s->opcode & 0xf0) == 0x80);
}

static enum instruction_flow flow(const struct state *s)
{
	if (s->vex)
		return FLOW_NEXT;
	if (s->map == MAP_0F)
		return (s->opcode & 0xf0) == 0x80 ? FLOW_BRANCH :
		       s->opcode == 0x0b ? FLOW_END : FLOW_NEXT;
	if (s->map != MAP_ONE)
		return FLOW_NEXT;
	switch (s->opcode) {
	case 0x70 ... 0x7f: case 0xe0 ... 0xe3:
		return FLOW_BRANCH;
	case 0xe9: case 0xeb:
		return FLOW_JUMP;
	case 0xc2: case 0xc3: case 0xca ... 0xcc: case 0xcf: case 0xf4:
		return FLOW_END;
	case 0xff:
		return s->reg == 4 || s->reg == 5 ? FLOW_END : FLOW_NEXT;
	default:
		return FLOW_NEXT;
	}
}

/* mov m64, r64 */
static bool is_load(const struct state *s)
{
	return s->map == MAP_ONE && s->opcode == 0x8b && s->rex_w;
}

bool decode(const uint8_t *code, uint64_t ip, const uint64_t *regs, uint64_t fs_base,
	    struct instruction *ret)
{
	struct state s = { .code = code };
	int64_t value = 0;
	char class;

	*ret = (struct instruction){ 0 };
	legacy_prefixes(&s);
	if (!opcode(&s))
		return false;
	class = opcode_class(&s);
	if (class == 'x' || class == 'p')
		return false;
	if (class == 'm' || class == 'n' || class == 'y' || class == 't')
		modrm(&s, regs, fs_base, ret);
	if (is_near_branch(&s))
		value = take_signed(&s, 4);
	else
		immediate(&s, class, &value);
	if (s.at > 15)
		return false;
	ret->len = (uint8_t)s.at;
	ret->flow = (uint8_t)flow(&s);
	ret->target = ip + s.at + (uint64_t)value;
	if (ret->rip_relative)
		ret->operand += ip + s.at;
	if (ret->has_operand && is_load(&s))
		ret->loads = (uint8_t)(reg_index(s.reg | (unsigned)s.rex_r << 3) + 1);
	return true;
}
