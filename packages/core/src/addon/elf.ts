/** The headers of an ELF file: which CPU the file is for, and which loader the file needs. */
export interface ElfHeaders {
	/** The CPU, as Node names it. A number of the ELF standard, as text, for others. */
	readonly cpu: string;
	/** The path of the dynamic loader that a program asks for. Libraries, static programs and loaders have none. */
	readonly interpreter: string | undefined;
	/** True when the file is as long as its program headers say. */
	readonly complete: boolean;
}

const HEADER = 64; // the length of the header of a 64-bit file, in bytes
const PROGRAM_HEADER = 56;
const MOST_PROGRAM_HEADERS = 65_536 / PROGRAM_HEADER; // as in the kernel's binfmt_elf
const LONGEST_PATH = 4096;
const [PT_LOAD, PT_INTERP] = [1, 3];
const cpus: Readonly<Record<number, string>> = { 3: "ia32", 40: "arm", 62: "x64", 183: "arm64", 243: "riscv64" };

/**
 * Reads the headers of an ELF file, a few hundred bytes. Takes every number in the file for untrusted.
 *
 * @returns The headers. `undefined` where the path leads to something else than a 64-bit little-endian ELF file.
 * @throws Any error of opening or reading the file, such as `ENOENT`.
 */
export function readElf(path: string): ElfHeaders | undefined {
	const { closeSync, constants, fstatSync, openSync, readSync } = process.getBuiltinModule("node:fs");
	// O_NONBLOCK: opening a FIFO would wait for its writer.
	const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
	try {
		const stat = fstatSync(fd);
		if (!stat.isFile()) return undefined;
		return parse(stat.size, (offset, length) => {
			const bytes = new Uint8Array(length);
			for (let have = 0; have < length; ) {
				const read = readSync(fd, bytes, have, length - have, offset + have);
				if (read === 0) return undefined; // the file has become shorter
				have += read;
			}
			return new DataView(bytes.buffer);
		});
	} finally {
		closeSync(fd);
	}
}

/** Returns `length` bytes of a file from `offset` on, or `undefined` where the file ends before. */
type Read = (offset: number, length: number) => DataView | undefined;

function parse(size: number, read: Read): ElfHeaders | undefined {
	const readInside: Read = (offset, length) => (offset + length <= size ? read(offset, length) : undefined);
	const header = readInside(0, HEADER);
	// The magic number, then ELFCLASS64 and ELFDATA2LSB.
	if (header?.getUint32(0) !== 0x7f_45_4c_46 || header.getUint16(4) !== 0x02_01) return undefined;
	const machine = header.getUint16(18, true);
	const [entrySize, count] = [header.getUint16(54, true), header.getUint16(56, true)];
	const found = { cpu: cpus[machine] ?? `ELF machine ${machine}`, interpreter: undefined, complete: false };
	if (entrySize !== PROGRAM_HEADER || count > MOST_PROGRAM_HEADERS) return found;
	const table = readInside(toNumber(header, 32), count * PROGRAM_HEADER);
	if (!table) return found;
	const programHeaders = Array.from({ length: count }, (_, i) => ({
		type: table.getUint32(i * PROGRAM_HEADER, true),
		offset: toNumber(table, i * PROGRAM_HEADER + 8),
		length: toNumber(table, i * PROGRAM_HEADER + 32),
	}));
	const complete = programHeaders.every(({ type, offset, length }) => type !== PT_LOAD || offset + length <= size);
	const path = programHeaders.find(({ type }) => type === PT_INTERP);
	if (!path || path.length > LONGEST_PATH) return { ...found, complete };
	const text = readInside(path.offset, path.length);
	if (!text) return { ...found, complete };
	return { ...found, complete, interpreter: new TextDecoder().decode(text).replace(/\0.*$/s, "") };
}

/** Returns a 64-bit number. Those above 2^53 lose their last bits, and lie beyond the end of every file all the same. */
function toNumber(view: DataView, at: number): number {
	return Number(view.getBigUint64(at, true));
}
