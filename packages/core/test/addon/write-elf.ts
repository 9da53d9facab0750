// Makes ELF files from nothing but headers.
import { writeFileSync } from "node:fs";

/** The value of the type field of a program header that has the path of the interpreter. */
export const PT_INTERP = 3;

/** What the headers of a file say. `entries` are the program headers, and `text` follows them. */
export interface MadeElf {
	magic?: number;
	elfClass?: number;
	order?: number;
	machine?: number;
	tableAt?: bigint;
	entrySize?: number;
	count?: number;
	entries?: { type: number; offset: bigint; length: bigint }[];
	text?: string;
}

/** Writes an ELF file with one program header, which names the interpreter `text`, unless the fields say something else. */
export function writeElf(path: string, made: MadeElf): string {
	const { magic = 0x7f_45_4c_46, elfClass = 2, order = 1, machine = 62, tableAt = 64n, entrySize = 56 } = made;
	const { text = "/lib64/ld-linux-x86-64.so.2\0" } = made;
	const { entries = [{ type: PT_INTERP, offset: 120n, length: BigInt(text.length) }] } = made;
	const bytes = Buffer.alloc(64 + 56 * entries.length + text.length);
	bytes.writeUInt32BE(magic, 0);
	bytes[4] = elfClass;
	bytes[5] = order;
	bytes.writeUInt16LE(machine, 18);
	bytes.writeBigUInt64LE(tableAt, 32);
	bytes.writeUInt16LE(entrySize, 54);
	bytes.writeUInt16LE(made.count ?? entries.length, 56);
	for (const [i, { type, offset, length }] of entries.entries()) {
		bytes.writeUInt32LE(type, 64 + 56 * i);
		bytes.writeBigUInt64LE(offset, 64 + 56 * i + 8);
		bytes.writeBigUInt64LE(length, 64 + 56 * i + 32);
	}
	bytes.write(text, 64 + 56 * entries.length);
	writeFileSync(path, bytes);
	return path;
}
