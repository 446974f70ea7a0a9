/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan - finding the instructions of an ELF image whose results differ from run to run
 *
 * Their bytes may as well be data, or the middle of another instruction, and to change
 * those would break the program. So each find needs a proof: the unwind tables say where
 * its function begins, and decoding from there leads to it; or what follows it (the two
 * halves of a time stamp put together) is nothing that stands there by chance; or it is
 * reached from what is called (explore.h). A find without proof or refutation is counted,
 * for the incident's notes, and left alone.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/decode.h"
#include "recorder/agent/explore.h"

enum {
	CHUNK = 2048, WINDOW = 512, LONGEST = 16,
	MAX_HEADERS = 64, MAX_SEGMENTS_OF_CODE = 4,
	PT_LOAD_ = 1, PT_GNU_EH_FRAME_ = 0x6474e550, PF_X_ = 1,
	/* .eh_frame_hdr as every linker writes it, and the only pointers that go with it */
	HDR_POINTER = 0x1b, HDR_COUNT = 0x03, HDR_TABLE = 0x3b,
	PAIR_RANGE = 24,	/* from rdtsc to the shift of its upper half */
	CALLS_AHEAD = 64,	/* instructions, from a vsyscall address to its calls */
	VSYSCALL_BYTES = 7,	/* mov $address, register */
};

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct scan {
	uint64_t bias;
	uint64_t hdr, table;		/* .eh_frame_hdr and its search table */
	uint32_t n_functions;
	uint64_t function, function_end, at;	/* decoded so far, from a function's start */
	uint64_t segment_end;
	scan_found *found;
	void *context;
	uint32_t *left;
	struct doubts doubts;
	uint64_t window;		/* code that was read */
	uint8_t code[WINDOW + LONGEST];
};

/* -- functions ----------------------------------------------------------------------------- */

static bool table_entry(const struct scan *s, uint32_t i, uint64_t *ret_function, uint64_t *ret_fde)
{
	int32_t pair[2];

	if (!copy_from_user(pair, s->table + 8ul * i, sizeof(pair)))
		return false;
	*ret_function = s->hdr + (uint64_t)(int64_t)pair[0];
	*ret_fde = s->hdr + (uint64_t)(int64_t)pair[1];
	return true;
}

/* How long it is, by its entry in .eh_frame; 0 if that isn't as expected. */
static uint64_t function_len(uint64_t function, uint64_t fde)
{
	struct {
		uint32_t len, cie;
		int32_t begin;
		uint32_t range;
	} entry;

	if (!copy_from_user(&entry, fde, sizeof(entry)) || entry.len < 12 || entry.cie == 0 ||
	    fde + 8 + (uint64_t)(int64_t)entry.begin != function)
		return 0;
	return entry.range;
}

static bool find_function(struct scan *s, uint64_t address)
{
	uint32_t low = 0, high = s->n_functions;
	uint64_t function, fde, len;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (!table_entry(s, middle, &function, &fde))
			return false;
		if (function <= address)
			low = middle;
		else
			high = middle;
	}
	if (s->n_functions == 0 || !table_entry(s, low, &function, &fde) || function > address)
		return false;
	len = function_len(function, fde);
	if (address - function >= len)
		return false;
	if (s->function != function || s->at > address)
		s->at = function;
	s->function = function;
	s->function_end = function + len;
	return true;
}

static bool decode_at(struct scan *s, uint64_t ip, struct instruction *ret)
{
	static const uint64_t regs[N_REGS];

	if (ip < s->window || ip - s->window >= WINDOW || !s->window) {
		size_t n = copy_user(s->code, (const void *)ip, sizeof(s->code));

		memset(s->code + n, 0, sizeof(s->code) - n);
		s->window = ip;
	}
	return decode(s->code + (ip - s->window), ip, regs, 0, ret) && ret->len;
}

/* -- proofs --------------------------------------------------------------------------------- */

enum proof { REFUTED, PROVEN, UNKNOWN };

/* Does the code of a function have an instruction that begins at @start? */
static enum proof decodes_to(struct scan *s, uint64_t start)
{
	struct instruction in;

	if (!find_function(s, start))
		return UNKNOWN;
	while (s->at < start) {
		if (!decode_at(s, s->at, &in))
			return UNKNOWN;
		s->at += in.len;
	}
	return s->at == start ? PROVEN : REFUTED;
}

/* shl $32, %rdx puts the halves of a time stamp together. */
static bool shift_follows(uint64_t at)
{
	uint8_t code[PAIR_RANGE] = { 0 };
	size_t n = copy_user(code, (const void *)at, sizeof(code));

	for (size_t i = 0; i + 4 <= n; i++)
		if (code[i] == 0x48 && code[i + 1] == 0xc1 && code[i + 2] == 0xe2 && code[i + 3] == 32)
			return true;
	return false;
}

static void consider(struct scan *s, const struct agent_site *site)
{
	enum proof proof = decodes_to(s, site->address);

	if (proof == UNKNOWN && (site->kind == SITE_RDTSC || site->kind == SITE_RDTSCP) &&
	    shift_follows(site->address + site->len))
		proof = PROVEN;
	if (proof == PROVEN)
		s->found(s->context, site);
	else if (proof == UNKNOWN && s->doubts.n < MAX_DOUBTS)
		s->doubts.sites[s->doubts.n++] = *site;
	else if (proof == UNKNOWN)
		s->left[site->kind]++;
}

static void settle(struct scan *s, const struct agent_range *segments, unsigned n, uint64_t entry)
{
	const struct doubts *d = &s->doubts;

	doubts_settle(&s->doubts, segments, n, entry);
	for (unsigned i = 0; i < d->n; i++)
		if (d->proven[i])
			s->found(s->context, &d->sites[i]);
		else if (!d->refuted[i])
			s->left[d->sites[i].kind]++;
}

/* -- candidates ------------------------------------------------------------------------------- */

/* 0f c7 with a register: rdrand, rdseed, rdpid. Prefixes stand before it. */
static void xsavec_random_or_rdpid(struct scan *s, uint64_t at, const uint8_t *code)
{
	uint8_t modrm = code[2], before = code[-1], operation = modrm >> 3 & 7;
	struct agent_site site = { .address = at, .len = 3, .byte = 0x0f,
				   .reg = modrm & 7, .width = 4 };

	/* disp(%rsp), as the dynamic linker's resolver has it */
	if ((modrm == 0x64 || modrm == 0xa4) && code[3] == 0x24) {
		site.kind = SITE_XSAVEC;
		site.len = modrm == 0x64 ? 5 : 8;
		consider(s, &site);
		return;
	}
	if (modrm < 0xf0)
		return;
	if ((before & 0xf0) == 0x40) {
		site.reg |= (before & 1) << 3;
		site.width = before & 8 ? 8 : 4;
		site.at++;
		before = code[-2];
	}
	site.kind = operation == 6 ? SITE_RDRAND : before == 0xf3 ? SITE_RDPID : SITE_RDSEED;
	if (site.kind == SITE_RDPID)
		site.width = 8;
	if (before == 0xf3 || before == 0x66) {
		site.at++;
		site.width = before == 0x66 && site.width == 4 ? 2 : site.width;
	}
	site.address -= site.at;
	site.len += site.at;
	consider(s, &site);
}

/* @code is that of @at, with at least two bytes before it. */
static void behind_escape(struct scan *s, uint64_t at, const uint8_t *code)
{
	struct agent_site site = { .address = at, .len = 2, .byte = 0x0f };

	switch (code[1]) {
	case 0x31:
		site.kind = SITE_RDTSC;
		break;
	case 0xa2:
		site.kind = SITE_CPUID;
		break;
	case 0x01:
		if (code[2] != 0xf9 && code[2] != 0xd0)
			return;
		site.kind = code[2] == 0xf9 ? SITE_RDTSCP : SITE_XGETBV;
		site.len = 3;
		break;
	case 0xc7:
		xsavec_random_or_rdpid(s, at, code);
		return;
	default:
		return;
	}
	consider(s, &site);
}

/* FF /2 with a register operand. */
static bool is_register_call(const uint8_t *code, unsigned len, uint8_t *ret_reg)
{
	bool rex = len == 3 && (code[0] & 0xf0) == 0x40;
	const uint8_t *opcode = code + rex;

	if (len != 2u + rex || opcode[0] != 0xff || (opcode[1] & 0xf8) != 0xd0)
		return false;
	*ret_reg = (uint8_t)((opcode[1] & 7) | (rex ? (code[0] & 1) << 3 : 0));
	return true;
}

/* A register gets an address of the vsyscall page: the calls by this register are ours. */
static bool calls_behind(struct scan *s, uint64_t mov, uint8_t loaded)
{
	uint64_t ip = mov + VSYSCALL_BYTES, end;
	enum proof proof = decodes_to(s, mov);
	struct instruction in;
	bool any = false;
	uint8_t reg;

	if (proof == REFUTED)
		return false;
	end = proof == PROVEN ? s->function_end : s->segment_end;
	for (int i = 0; i < CALLS_AHEAD && ip < end && decode_at(s, ip, &in); i++) {
		const uint8_t *code = s->code + (ip - s->window);
		struct agent_site site = { .address = ip, .kind = SITE_VSYSCALL, .len = in.len,
					   .at = in.len - 2, .byte = 0xff };

		if (is_register_call(code, in.len, &reg) && reg == loaded) {
			site.reg = reg;
			s->found(s->context, &site);
			any = true;
		}
		/* Where the function ends isn't known: not beyond what may be its end. */
		if (proof == UNKNOWN && (in.flow == FLOW_END || in.flow == FLOW_JUMP))
			break;
		ip += in.len;
	}
	return any;
}

/* @code is that of @at, the last but one byte of what may be such an address. */
static void vsyscall_address(struct scan *s, uint64_t at, const uint8_t *code)
{
	if (code[1] != 0xff || code[-2] != 0 || (code[-1] & ~0x0c) || code[-1] == 0x0c)
		return;
	if ((code[-5] == 0x48 || code[-5] == 0x49) && code[-4] == 0xc7 && (code[-3] & 0xf8) == 0xc0 &&
	    calls_behind(s, at - 5, (uint8_t)((code[-3] & 7) | (code[-5] & 1) << 3)))
		return;
	s->left[SITE_VSYSCALL]++;
}

/* Most are refused by their second byte. */
static inline void consider_byte(struct scan *s, uint64_t at, const uint8_t *code)
{
	uint8_t next = code[1];

	if (*code == 0x0f) {
		if (next == 0x31 || next == 0xa2 || next == 0x01 || next == 0xc7)
			behind_escape(s, at, code);
	} else if (*code == 0x60 && next == 0xff) {
		vsyscall_address(s, at, code);
	}
}

/*
 * Which of eight bytes consider_byte() would look at, and maybe some more; @next is one byte
 * further. Bits that 31, a2, 01 and c7 have in common, and ff: without them each 0f of ordinary
 * code would be a branch that nobody can predict.
 */
static inline uint64_t candidates(uint64_t word, uint64_t next)
{
	return (equal_bytes(word, 0x0f) & ~(next << 4) & (~(next << 5) | next << 1)) |
	       (equal_bytes(word, 0x60) & next & next << 1);
}

/* The chunks overlap, so that each candidate has its neighbours on both sides. */
static void scan_code(struct scan *s, uint64_t start, uint64_t end)
{
	uint8_t chunk[8 + CHUNK + 8];

	s->segment_end = end;
	s->at = s->function = 0;
	for (uint64_t base = start; base < end; base += CHUNK) {
		size_t before = base == start ? 0 : 8, len = MIN(end - base, (uint64_t)CHUNK);

		memset(chunk, 0, sizeof(chunk));
		if (copy_user(chunk + 8 - before, (const void *)(base - before),
			      before + MIN(end - base, (uint64_t)CHUNK + 8)) < before + len)
			return;	/* not mapped, or the file is shorter */
		for (size_t i = 0; i < len; i += 8) {
			uint64_t word, next, hits;

			__builtin_memcpy(&word, chunk + 8 + i, 8);
			__builtin_memcpy(&next, chunk + 9 + i, 8);
			hits = candidates(word, next);
			for (; hits; hits &= hits - 1) {
				size_t j = i + (unsigned)__builtin_ctzll(hits) / 8;

				if (j < len)
					consider_byte(s, base + j, chunk + 8 + j);
			}
		}
	}
}

/* -- the image ----------------------------------------------------------------------------------- */

static void find_table(struct scan *s, uint64_t hdr)
{
	struct {
		uint8_t version, pointer, count, table;
		int32_t eh_frame;
		uint32_t n;
	} header;

	if (!copy_from_user(&header, hdr, sizeof(header)) || header.version != 1 ||
	    header.pointer != HDR_POINTER || header.count != HDR_COUNT || header.table != HDR_TABLE)
		return;
	s->hdr = hdr;
	s->table = hdr + sizeof(header);
	s->n_functions = header.n;
}

static bool read_headers(struct scan *s, uint64_t base, struct elf_header *header,
			 struct program_header *program)
{
	unsigned i;

	if (!copy_from_user(header, base, sizeof(*header)) || memcmp(header->ident, "\177ELF\2\1", 6) ||
	    header->phentsize != sizeof(*program) || header->phnum > MAX_HEADERS ||
	    !copy_from_user(program, base + header->phoff, header->phnum * sizeof(*program)))
		return false;
	for (i = 0; i < header->phnum; i++)
		if (program[i].type == PT_LOAD_ && ALIGN_DOWN(program[i].offset, (uint64_t)PAGE) == 0)
			break;
	if (i == header->phnum)
		return false;
	s->bias = base - ALIGN_DOWN(program[i].vaddr, (uint64_t)PAGE);
	return true;
}

void scan_image(uint64_t base, scan_found *found, void *context, uint32_t left[SITE_N])
{
	struct scan s = { .found = found, .context = context, .left = left };
	struct agent_range segments[MAX_SEGMENTS_OF_CODE];
	struct program_header program[MAX_HEADERS];
	struct elf_header header;
	unsigned n = 0;

	if (!read_headers(&s, base, &header, program))
		return;
	for (unsigned i = 0; i < header.phnum; i++)
		if (program[i].type == PT_GNU_EH_FRAME_)
			find_table(&s, s.bias + program[i].vaddr);
	for (unsigned i = 0; i < header.phnum && n < MAX_SEGMENTS_OF_CODE; i++) {
		uint64_t start = s.bias + program[i].vaddr;

		if (program[i].type != PT_LOAD_ || !(program[i].flags & PF_X_))
			continue;
		segments[n++] = (struct agent_range){ start, start + program[i].filesz };
		scan_code(&s, start, start + program[i].filesz);
	}
	settle(&s, segments, n, header.entry ? s.bias + header.entry : 0);
}
